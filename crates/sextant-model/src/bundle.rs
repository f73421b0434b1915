//! A bundle: a folder with everything that one trained model needs.
//!
//! | file | holds |
//! |---|---|
//! | `bundle.json` | format version, shape, text configuration, provenance, hashes of the others |
//! | `model.safetensors` | every parameter, `f32`, by our names |
//! | `base.safetensors` | with LoRA: the frozen weights, as they are stored in memory |
//! | `tokenizer.json` | the tokenizer |
//!
//! Loading is strict: hashes must match, every parameter must be there and nothing else. A reloaded
//! model gives bit-equal logits. Saving writes beside the target and renames, so that a bundle is
//! whole or absent.

use crate::{
    Archive, ModelError, ModelSpec, RelevanceModel, SharedBases, base, dump, load, replace_folder,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use sextant_text::{Encoder, TextConfig, Tokenizer};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MANIFEST: &str = "bundle.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const BASE: &str = "base.safetensors";

/// What `bundle.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The folder's format.
    pub format_version: u32,
    /// The Sextant that wrote it.
    pub sextant_version: String,
    /// The model's shape.
    pub spec: ModelSpec,
    /// How pairs become text.
    pub text: TextConfig,
    /// How the model came to be: recipe, data, seed, steps, dev metrics. For people and reports;
    /// nothing here changes what the model computes.
    pub provenance: serde_json::Value,
    /// SHA-256 of the other files, in hexadecimal.
    pub files: BTreeMap<String, String>,
}

/// A model with all that it needs to score pairs.
#[derive(Debug)]
pub struct Bundle {
    /// What the model is.
    pub manifest: Manifest,
    /// The weights.
    pub model: RelevanceModel,
    /// From pairs to tokens.
    pub encoder: Encoder,
}

/// Saves a model as a bundle at `folder`, in place of a bundle that is there already; any other
/// folder there is refused.
pub fn save(
    folder: &Path,
    model: &RelevanceModel,
    encoder: &Encoder,
    provenance: serde_json::Value,
) -> Result<(), ModelError> {
    if folder.exists() && !folder.join(MANIFEST).exists() {
        return Err(ModelError::Bundle {
            path: folder.to_owned(),
            problem: "exists and is not a bundle; choose another place or remove it".into(),
        });
    }
    replace_folder(folder, |staging| {
        let place = |name: &str| staging.join(name);
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(place(name), bytes).map_err(ModelError::io("write", &folder.join(name)))
        };
        Archive::write(&place(WEIGHTS), &dump(model))?;
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
            provenance,
            files,
        };
        let json = serde_json::to_vec_pretty(&manifest).map_err(|error| ModelError::Json {
            path: folder.join(MANIFEST),
            reason: error.to_string(),
        })?;
        write(MANIFEST, &json)
    })
}

/// Reads the manifest alone.
pub fn read_manifest(folder: &Path) -> Result<Manifest, ModelError> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Bundle {
            path: folder.to_owned(),
            problem: format!("is not a bundle: it has no `{MANIFEST}`"),
        },
        _ => ModelError::Io { action: "read", path: path.clone(), source },
    })?;
    let failed = |error: serde_json::Error| ModelError::Json {
        path: path.clone(),
        reason: error.to_string(),
    };
    let json: serde_json::Value = serde_json::from_str(&text).map_err(failed)?;
    let version = json.get("format_version").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(FORMAT_VERSION)) {
        let found =
            version.map_or("no format version".to_owned(), |v| format!("format version {v}"));
        return Err(ModelError::Bundle {
            path,
            problem: format!(
                "has {found}; this Sextant reads version {FORMAT_VERSION}: use the one that wrote it, or a newer one"
            ),
        });
    }
    let manifest: Manifest = serde_json::from_value(json).map_err(failed)?;
    manifest.spec.validate()?;
    Ok(manifest)
}

/// The files of a bundle beside its manifest.
fn names(spec: &ModelSpec) -> &'static [&'static str] {
    if spec.lora.is_some() { &[WEIGHTS, TOKENIZER, BASE] } else { &[WEIGHTS, TOKENIZER] }
}

/// Loads a bundle onto a device.
pub fn open(folder: &Path, device: &Device) -> Result<Bundle, ModelError> {
    open_sharing(folder, device, &mut SharedBases::default())
}

/// Loads a bundle onto a device; where another of the same frozen base was opened through `bases`, both
/// hold the base in one piece of memory.
pub fn open_sharing(
    folder: &Path,
    device: &Device,
    bases: &mut SharedBases,
) -> Result<Bundle, ModelError> {
    let manifest = read_manifest(folder)?;
    for &name in names(&manifest.spec) {
        let path = folder.join(name);
        let found = sha256(&path)?;
        if manifest.files.get(name) != Some(&found) {
            return Err(ModelError::Bundle {
                path,
                problem: format!(
                    "is not the file that `{MANIFEST}` was written with (its SHA-256 differs); copy the bundle again"
                ),
            });
        }
    }
    let tokenizer = Tokenizer::from_file(folder.join(TOKENIZER))?;
    for (what, found, most) in [
        ("max_tokens", manifest.text.max_tokens, manifest.spec.backbone.max_positions),
        ("tokenizer", tokenizer.vocab_size(), manifest.spec.backbone.vocab_size),
    ] {
        if found > most {
            return Err(ModelError::Bundle {
                path: folder.join(MANIFEST),
                problem: format!(
                    "`{what}` has {found} where the model's tables have {most}; was it edited?"
                ),
            });
        }
    }
    let encoder = Encoder::new(tokenizer, manifest.text.clone())?;
    let mut model =
        load_weights(RelevanceModel::zeros(manifest.spec.clone(), device)?, &folder.join(WEIGHTS))?;
    if let Some(hash) = manifest.files.get(BASE) {
        base::read(&mut model, &folder.join(BASE), hash, bases)?;
    }
    Ok(Bundle { manifest, model, encoder })
}

/// Gives a model all its parameters from a file of our names: each must be there, and nothing else.
pub fn load_weights(model: RelevanceModel, path: &Path) -> Result<RelevanceModel, ModelError> {
    let archive = Archive::read(path, |_| false)?;
    let mut used = BTreeSet::new();
    let model = load(model, |name, shape| {
        used.insert(name.to_owned());
        archive.get(name, shape).map(|values| Some(values.into_owned()))
    })?;
    match archive.names().find(|name| !used.contains(*name)) {
        None => Ok(model),
        Some(name) => Err(archive.problem(format!("tensor `{name}` is not part of the model"))),
    }
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String, ModelError> {
    let failed = || ModelError::io("read", path);
    let mut file = std::fs::File::open(path).map_err(failed())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(failed())? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// Bytes in hexadecimal, as `sha256sum` prints them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
