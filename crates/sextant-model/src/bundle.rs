//! A bundle: a folder with everything that one trained model needs.
//!
//! | file | contents |
//! |---|---|
//! | `bundle.json` | the manifest: format version, shape, text configuration, provenance, hashes of the other files |
//! | `model.safetensors` | every parameter in `f32`, by its name in the model |
//! | `base.safetensors` | with LoRA: the frozen weights, as they are stored in memory |
//! | `tokenizer.json` | the tokenizer |
//!
//! Loading is strict: hashes must match, and the weights must hold every parameter and nothing else. A
//! reloaded model gives bit-equal logits. A bundle is written beside its target folder and then renamed, so
//! that it is either whole or absent.

use crate::families::ROWS_OF_FORMAT_1;
use crate::{Archive, ModelError, ModelSpec, RelevanceModel, SharedBases, base, json, load};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use sextant_core::Decisions;
use sextant_files::{Existing, FolderKind, hexadecimal, replace_folder, sha256};
use sextant_text::{Encoder, RowLayout, TextConfig, Tokenizer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MANIFEST: &str = "bundle.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const BASE: &str = "base.safetensors";

/// The contents of `bundle.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the folder's format.
    pub format_version: u32,
    /// The version of the Sextant that wrote the bundle.
    pub sextant_version: String,
    /// The model's shape.
    pub spec: ModelSpec,
    /// How pairs become text.
    pub text: TextConfig,
    /// How rows are laid out, if that does not follow from the vocabulary alone (see [`StatedRows`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<StatedRows>,
    /// The rules by which grades are decided; tasks without one take the most probable grade.
    #[serde(default, skip_serializing_if = "Decisions::is_empty")]
    pub decisions: Decisions,
    /// How the model came to be: recipe, data, seed, steps, dev metrics. For people and reports;
    /// nothing here changes what the model computes.
    pub provenance: serde_json::Value,
    /// SHA-256 of the other files, in hexadecimal.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    fn to_json(&self, folder: &Path) -> Result<Vec<u8>, ModelError> {
        serde_json::to_vec_pretty(self).map_err(|error| ModelError::Json {
            path: folder.join(MANIFEST),
            reason: error.to_string(),
        })
    }
}

/// A layout of rows that a manifest states.
///
/// Manifests did not state a layout at first; it was derived from the vocabulary alone, whatever the family.
/// A bundle without a stated layout is still read in that way. A bundle whose family gives its rows another
/// layout than that states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedRows {
    /// Which special tokens stand around and between the two sides.
    pub layout: RowLayout,
    /// The id of the padding token.
    pub pad_id: u32,
}

impl StatedRows {
    /// The layout to state in a manifest; `None` if it follows from the vocabulary.
    fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let (layout, pad_id) = (tokenizer.layout(), tokenizer.pad_id());
        let unsaid = tokenizer.rows_by(&ROWS_OF_FORMAT_1, "");
        if unsaid.is_ok_and(|(usual, usual_pad)| (&usual, usual_pad) == (layout, pad_id)) {
            return None;
        }
        Some(Self { layout: layout.clone(), pad_id })
    }
}

/// A model with everything that it needs to score pairs.
///
/// ```no_run
/// use sextant_core::{Pair, Task};
/// use sextant_kernels::ScorePrecision;
/// use sextant_model::{Device, Predictor, bundle};
/// use std::path::Path;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bundle = bundle::open(Path::new("runs/mine/bundle"), &Device::cpu())?;
/// println!("written by Sextant {}", bundle.manifest.sextant_version);
/// let predictor = Predictor::new(bundle, ScorePrecision::F32);
/// let pair = Pair {
///     task: Task::QueryType,
///     left: "red sofa".into(),
///     right: "Sofas & Couches".into(),
/// };
/// for prediction in predictor.predict(&[pair])? {
///     println!("{} {:.3}", prediction.grade(), prediction.score());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Bundle {
    /// The manifest, which describes the model.
    pub manifest: Manifest,
    /// The SHA-256 of the manifest's bytes. It identifies the bundle, because the manifest holds the hashes
    /// of the other files.
    pub manifest_sha256: String,
    /// The model with its weights.
    pub model: RelevanceModel,
    /// The encoder, from pairs to rows of tokens.
    pub encoder: Encoder,
}

/// Checks that the model's tables have a row for every position and token id that the encoder may produce.
fn check_fit(spec: &ModelSpec, text: &TextConfig, tokenizer: &Tokenizer) -> Result<(), String> {
    for (what, found, most, table) in [
        ("`max_tokens` is", text.max_tokens, spec.backbone.max_positions, "of positions"),
        (
            "the tokenizer has ids up to",
            tokenizer.vocab_size(),
            spec.backbone.vocab_size,
            "of words",
        ),
    ] {
        if found > most {
            return Err(format!("{what} {found}, but the model's table {table} has {most} rows"));
        }
    }
    Ok(())
}

/// The files of a bundle's folder, for writing and recognising such folders.
pub const KIND: FolderKind =
    FolderKind { names: &[MANIFEST, WEIGHTS, TOKENIZER, BASE], head: MANIFEST };

/// What a bundle says of its model besides shape and weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Particulars {
    /// How the model came to be (see [`Manifest::provenance`]).
    pub provenance: serde_json::Value,
    /// The rules by which grades are decided (see [`Manifest::decisions`]).
    pub decisions: Decisions,
}

impl From<serde_json::Value> for Particulars {
    fn from(provenance: serde_json::Value) -> Self {
        Self { provenance, ..Self::default() }
    }
}

/// Saves a model as a bundle at `folder`; `existing` says whether the bundle may replace what is there.
pub fn save(
    folder: &Path,
    existing: Existing,
    model: &RelevanceModel,
    encoder: &Encoder,
    particulars: impl Into<Particulars>,
) -> Result<(), ModelError> {
    let Particulars { provenance, decisions } = particulars.into();
    check_fit(model.spec(), encoder.config(), encoder.tokenizer())
        .map_err(|problem| ModelError::Bundle { path: folder.to_owned(), problem })?;
    replace_folder(folder, existing, KIND, |staging| {
        let place = |name: &str| staging.join(name);
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(place(name), bytes).map_err(ModelError::io("write", &folder.join(name)))
        };
        Archive::write_model(&place(WEIGHTS), model)?;
        if model.spec().lora.is_some() {
            base::write(&place(BASE), model)?;
        }
        write(TOKENIZER, &encoder.tokenizer().to_bytes()?)?;
        let mut files = BTreeMap::new();
        for &name in names(model.spec()) {
            files.insert(name.to_owned(), sha256(&place(name))?);
        }
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            sextant_version: env!("CARGO_PKG_VERSION").to_owned(),
            spec: model.spec().clone(),
            text: encoder.config().clone(),
            rows: StatedRows::of(encoder.tokenizer()),
            decisions,
            provenance,
            files,
        };
        write(MANIFEST, &manifest.to_json(folder)?)
    })
}

/// Writes a copy of the bundle at `from` to `folder`, in which other particulars take the place of its own. The
/// other files are copied as they are.
pub fn copy(
    from: &Path,
    folder: &Path,
    existing: Existing,
    particulars: Particulars,
) -> Result<(), ModelError> {
    let manifest = read_manifest(from)?;
    let Particulars { provenance, decisions } = particulars;
    let manifest = Manifest { decisions, provenance, ..manifest };
    replace_folder(folder, existing, KIND, |staging| {
        for &name in names(&manifest.spec) {
            let (from, to) = (from.join(name), staging.join(name));
            std::fs::copy(&from, &to).map_err(ModelError::io("copy", &from))?;
            if manifest.files.get(name) != Some(&sha256(&to)?) {
                return Err(changed(from));
            }
        }
        let (path, json) = (folder.join(MANIFEST), manifest.to_json(folder)?);
        std::fs::write(staging.join(MANIFEST), json).map_err(ModelError::io("write", &path))
    })
}

/// The error about a file that is not the one that the manifest was written with.
fn changed(path: PathBuf) -> ModelError {
    let problem = format!(
        "is not the file that `{MANIFEST}` was written with (its SHA-256 differs); copy the bundle again"
    );
    ModelError::Bundle { path, problem }
}

/// Reads the manifest of a bundle, without its weights.
pub fn read_manifest(folder: &Path) -> Result<Manifest, ModelError> {
    Ok(read_manifest_hashed(folder)?.0)
}

/// Reads the manifest of a bundle, without its weights, and computes the SHA-256 of the manifest's bytes.
pub fn read_manifest_hashed(folder: &Path) -> Result<(Manifest, String), ModelError> {
    let path = folder.join(MANIFEST);
    let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Bundle {
            path: folder.to_owned(),
            problem: if !folder.exists() {
                "does not exist".to_owned()
            } else if folder.join("bundle").join(MANIFEST).exists() {
                format!("is not a bundle, but holds one: name {}", folder.join("bundle").display())
            } else {
                format!("is not a bundle: it has no `{MANIFEST}`")
            },
        },
        _ => ModelError::Io { action: "read", path: path.clone(), source },
    })?;
    let manifest = parse_manifest(&bytes, &path)?;
    Ok((manifest, hexadecimal(&Sha256::digest(&bytes))))
}

fn parse_manifest(bytes: &[u8], path: &Path) -> Result<Manifest, ModelError> {
    let json: serde_json::Value = json::parse(bytes, path)?;
    let version = json.get("format_version").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(FORMAT_VERSION)) {
        let found =
            version.map_or("no format version".to_owned(), |v| format!("format version {v}"));
        return Err(ModelError::Bundle {
            path: path.to_owned(),
            problem: format!(
                "has {found}; this Sextant reads version {FORMAT_VERSION}: use the one that wrote it, or a newer one"
            ),
        });
    }
    let manifest: Manifest = json::parse(bytes, path)?;
    manifest.spec.validate().map_err(|error| ModelError::Bundle {
        path: path.to_owned(),
        problem: format!("{error}; was it edited?"),
    })?;
    Ok(manifest)
}

/// The names of a bundle's files besides the manifest.
fn names(spec: &ModelSpec) -> &'static [&'static str] {
    if spec.lora.is_some() { &[WEIGHTS, TOKENIZER, BASE] } else { &[WEIGHTS, TOKENIZER] }
}

/// Loads a bundle onto a device.
pub fn open(folder: &Path, device: &Device) -> Result<Bundle, ModelError> {
    open_sharing(folder, device, &mut SharedBases::default())
}

/// Loads a bundle onto a device. If a bundle over the same frozen base was opened through `bases` before and
/// is still open, both share one copy of the base in memory.
pub fn open_sharing(
    folder: &Path,
    device: &Device,
    bases: &mut SharedBases,
) -> Result<Bundle, ModelError> {
    let (manifest, manifest_sha256) = read_manifest_hashed(folder)?;
    // `found` is the hash of the bytes that were loaded, not of a second read of the file.
    let check = |name: &str, found: &str| match manifest.files.get(name) {
        Some(expected) if expected == found => Ok(()),
        _ => Err(changed(folder.join(name))),
    };
    let path = folder.join(TOKENIZER);
    let bytes = std::fs::read(&path).map_err(ModelError::io("read", &path))?;
    check(TOKENIZER, &hexadecimal(&Sha256::digest(&bytes)))?;
    let origin = path.display().to_string();
    let tokenizer = match manifest.rows.clone() {
        Some(StatedRows { layout, pad_id }) => {
            Tokenizer::with_layout(&bytes, &origin, layout, pad_id)?
        }
        None => Tokenizer::from_bytes(&bytes, &origin, &ROWS_OF_FORMAT_1)?,
    };
    drop(bytes);
    check_fit(&manifest.spec, &manifest.text, &tokenizer).map_err(|problem| {
        let path = folder.join(MANIFEST);
        ModelError::Bundle { path, problem: format!("{problem}; was it edited?") }
    })?;
    let encoder = Encoder::new(tokenizer, manifest.text.clone())?;
    check_held(folder, &manifest.spec)?;
    let model = RelevanceModel::zeros(manifest.spec.clone(), device)?;
    let path = folder.join(WEIGHTS);
    let (archive, found) = Archive::read_whole(&path).map_err(|error| {
        // If the file was cut off or changed, the error about its hash says more than the one about its
        // contents.
        match sha256(&path).map_err(ModelError::from).and_then(|found| check(WEIGHTS, &found)) {
            Err(changed @ ModelError::Bundle { .. }) => changed,
            _ => error,
        }
    })?;
    check(WEIGHTS, &found)?;
    let mut model = fill(model, archive)?;
    if manifest.spec.lora.is_some() {
        let stated = manifest.files.get(BASE).map_or("", String::as_str);
        base::read(&mut model, &folder.join(BASE), stated, |found| check(BASE, found), bases)?;
    }
    Ok(Bundle { manifest, manifest_sha256, model, encoder })
}

/// Checks, before memory is allocated, that the files are large enough for the sizes that the manifest
/// states.
fn check_held(folder: &Path, spec: &ModelSpec) -> Result<(), ModelError> {
    let mut bytes = 0u128;
    for &name in names(spec) {
        let path = folder.join(name);
        let about = std::fs::metadata(&path).map_err(ModelError::io("read", &path))?;
        bytes += u128::from(about.len());
    }
    // The most compact format of frozen weights takes more than half a byte for each number.
    let needed = spec.least_numbers();
    if needed <= 2 * bytes {
        return Ok(());
    }
    Err(ModelError::Bundle {
        path: folder.join(MANIFEST),
        problem: format!(
            "states sizes of at least {needed} numbers where the files beside it have {bytes} bytes; was it edited?"
        ),
    })
}

/// Loads all parameters of a model from a safetensors file with the model's parameter names. The file must
/// hold each of them and nothing else.
pub fn load_weights(model: RelevanceModel, path: &Path) -> Result<RelevanceModel, ModelError> {
    fill(model, Archive::read_whole(path)?.0)
}

fn fill(model: RelevanceModel, mut archive: Archive) -> Result<RelevanceModel, ModelError> {
    let model = load(model, |name, shape| archive.take(name, shape).map(Some))?;
    match archive.names().next() {
        None => Ok(model),
        Some(name) => Err(archive.problem(format!("tensor `{name}` is not part of the model"))),
    }
}
