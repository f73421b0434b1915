//! A folder with a pretrained backbone, and loading its weights into a model.

use super::head::{self, Found, Head};
use super::labels::Labels;
use super::tokenizer_files::TokenizerFiles;
use super::{checkpoint, stated};
use crate::families::{ConfigFile, Format};
use crate::params::InitialValues;
use crate::stack::stacked;
use crate::{Archive, BackboneConfig, ModelError, ModelSpec, Pooling, PrivateInit, RelevanceModel};
use crate::{frozen, gguf};
use serde_json::Value;
use sextant_core::Grade;
use sextant_kernels::FrozenWeight;
use sextant_text::Tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A folder with a pretrained backbone. Its weights are opened once, when they are first needed, and stay
/// open, so that the files that are checked and hashed are those that are loaded.
#[derive(Debug, Clone)]
pub struct Backbone {
    folder: PathBuf,
    config: Box<BackboneConfig>,
    labels: Labels,
    pooling: Pooling,
    /// The token for padding that `config.json` states.
    fill: Option<u32>,
    /// Layers of the checkpoint that are left out: [`Backbone::first_layers`].
    left_out: Range<usize>,
    archive: OnceLock<Arc<Archive>>,
}

impl Backbone {
    /// Opens a folder and reads its `config.json`, or the metadata of its GGUF file if it has no
    /// `config.json`.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let gguf = checkpoint::gguf(folder)?;
        let file = match &gguf {
            Some(gguf) if !path.exists() => {
                let (format, dialect) = Format::of_gguf(gguf)?;
                let json = gguf::config(gguf, format.model_type, dialect)?;
                ConfigFile::made(gguf.path(), json)
            }
            None if !path.exists() => {
                return Err(ModelError::Weights {
                    path: folder.to_owned(),
                    problem: format!(
                        "is no backbone: it has no config.json; {}",
                        checkpoint::found(folder)
                    ),
                });
            }
            _ => ConfigFile::read(&path)?,
        };
        let (format, config) = stated::read_config(&file)?;
        if let Some(gguf) = gguf.filter(|_| path.exists()) {
            stated::check_metadata(&file, format, &config, &gguf)?;
        }
        let pooling = match file.get("classifier_pooling").and_then(Value::as_str) {
            _ if config.block.causal => Pooling::Last,
            Some("mean") => Pooling::Mean,
            _ => Pooling::Cls,
        };
        Ok(Self {
            folder: folder.to_owned(),
            left_out: config.layers..config.layers,
            config: Box::new(config),
            labels: Labels::read(&file),
            pooling,
            fill: file
                .get("pad_token_id")
                .and_then(Value::as_u64)
                .and_then(|id| id.try_into().ok()),
            archive: OnceLock::new(),
        })
    }

    /// The same backbone with its first `layers` layers alone, as `num_hidden_layers` gives it in `transformers`.
    ///
    /// # Errors
    /// The checkpoint has fewer layers, or none is wanted.
    pub fn first_layers(mut self, layers: usize) -> Result<Self, ModelError> {
        let all = self.config.layers;
        if layers == 0 || layers > all {
            return Err(ModelError::Config(format!(
                "{layers} layers of {} are wanted; it has {all}, of which 1 to {all} can be kept",
                self.folder.display()
            )));
        }
        self.config.layers = layers;
        self.config.block.windowed_layers.truncate(layers);
        self.left_out = layers..all;
        Ok(self)
    }

    fn format(&self) -> &'static Format {
        Format::of(self.config.family)
    }

    /// The backbone's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The backbone's weights, which are opened if they are not yet.
    fn archive(&self) -> Result<Arc<Archive>, ModelError> {
        if let Some(archive) = self.archive.get() {
            return Ok(archive.clone());
        }
        let archive = Arc::new(checkpoint::read(&self.folder)?);
        // An archive whose tensors had to be read into memory is not kept, so that the memory is freed.
        if archive.is_light() {
            return Ok(self.archive.get_or_init(|| archive).clone());
        }
        Ok(archive)
    }

    /// Whether the weights have a tensor with this name in the family's name table.
    pub(crate) fn has(&self, name: &str) -> Result<bool, ModelError> {
        let archive = self.archive()?;
        let place = self.format().place(&archive, name);
        Ok(archive.shape(&place).is_some())
    }

    /// The backbone's sizes.
    pub fn config(&self) -> &BackboneConfig {
        &self.config
    }

    /// The labels of the checkpoint's classification head, in the order of its rows; empty if `config.json`
    /// names none.
    pub fn labels(&self) -> &[String] {
        self.labels.names()
    }

    /// Which vector of a row the checkpoint's classification head reads.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Checks that the folder has weights and a tokenizer, and that the weights can be of the sizes that
    /// `config.json` states. This is done before memory is allocated for a model.
    pub fn check(&self) -> Result<(), ModelError> {
        TokenizerFiles::find(&self.folder, self.format())?;
        self.check_sizes()
    }

    /// [`Backbone::check`] of the weights alone.
    pub(crate) fn check_sizes(&self) -> Result<(), ModelError> {
        let archive = self.archive()?;
        let format = self.format();
        if let Some(table) = head::tensor(format, &archive, "embeddings.word")
            && let Some(&[rows, width]) = archive.shape(&table)
            && (rows, width) != (self.config.vocab_size, self.config.embedding_width())
        {
            return Err(archive.problem(format!(
                "tensor `{}` has shape [{rows}, {width}]; the model needs [{}, {}], as config.json says by `vocab_size` and the width of embeddings",
                archive.original(&table),
                self.config.vocab_size,
                self.config.embedding_width()
            )));
        }
        let (needed, held) = (self.config.least_numbers(), archive.count());
        // The bound is generous: loading reports missing tensors, and names them.
        if needed / 2 > held {
            return Err(archive.problem(format!(
                "holds {held} numbers, but the sizes in config.json need at least {needed}; is it of the same model?"
            )));
        }
        Ok(())
    }

    /// Checks that the checkpoint has a complete classification head that judges relevance, from which a
    /// model can start. Returns which label of the checkpoint is the lowest grade, which the next one, and so on.
    ///
    /// # Errors
    /// No head, a head of which a tensor is missing or has a wrong shape, or a head of other labels, which
    /// the error names.
    pub fn check_relevance_head(&self) -> Result<Vec<usize>, ModelError> {
        let archive = self.archive()?;
        let format = self.format();
        match Head::find(format, &archive, &self.config, &self.labels)? {
            Found::Relevance(head) => Ok(head.into_order()),
            Found::Absent => {
                let wanted = head::tensor(format, &archive, "classifier.weight");
                let first: Vec<&str> = archive.names().take(3).collect();
                Err(archive.problem(format!(
                    "has no classification head: there is no tensor `{}` (there are `{}`, …); use it as the backbone of a recipe and train",
                    wanted.unwrap_or_default(),
                    first.join("`, `")
                )))
            }
            Found::Other(labels) => Err(archive.problem(format!(
                "its classification head has {labels}, which are not grades of relevance; a head is imported that has one label, irrelevant and relevant, or {} in any order: correct `id2label` in config.json if they are, or use the folder as the backbone of a recipe and train",
                Grade::ALL.map(Grade::as_str).join(", ")
            ))),
        }
    }

    /// The file from which the tokenizer is read. This may be a GGUF file, which holds a tokenizer itself.
    pub fn tokenizer_path(&self) -> PathBuf {
        match TokenizerFiles::find(&self.folder, self.format()) {
            Ok(files) => files.path().to_owned(),
            Err(_) => self.folder.join("tokenizer.json"),
        }
    }

    /// The backbone's tokenizer, read from `tokenizer.json`, from the metadata of a GGUF file, or from the
    /// vocabulary files of older checkpoints.
    ///
    /// # Errors
    /// There is no file from which it can be read, or it has more ids than the table of words has rows.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        let files = TokenizerFiles::find(&self.folder, self.format())?;
        self.checked(files.read(self.format())?, files.path())
    }

    /// The tokenizer of a classifier that was trained with `transformers`, whose rows are those that the model
    /// saw. A decoder's rows are laid out as its tokenizer lays out pairs, with no more special tokens than that
    /// writes; an encoder's are those of its family.
    ///
    /// # Errors
    /// Those of [`Backbone::tokenizer`], and a tokenizer that does not write pairs in their order.
    pub fn tokenizer_of_classifier(&self) -> Result<Tokenizer, ModelError> {
        let tokenizer = self.tokenizer()?;
        if !self.config.block.causal {
            return Ok(tokenizer);
        }
        tokenizer.with_rows_of_its_file(self.fill).map_err(|error| ModelError::Weights {
            path: self.tokenizer_path(),
            problem: error.to_string(),
        })
    }

    /// The tokenizer for this backbone that another folder holds, such as an adapter's; `None` if it holds
    /// none.
    pub fn tokenizer_of(&self, folder: &Path) -> Result<Option<Tokenizer>, ModelError> {
        let Ok(files) = TokenizerFiles::find(folder, self.format()) else { return Ok(None) };
        self.checked(files.read(self.format())?, files.path()).map(Some)
    }

    fn checked(&self, tokenizer: Tokenizer, path: &Path) -> Result<Tokenizer, ModelError> {
        let (found, most) = (tokenizer.vocab_size(), self.config.vocab_size);
        if found <= most {
            return Ok(tokenizer);
        }
        Err(ModelError::Weights {
            path: path.to_owned(),
            problem: format!(
                "has {found} ids, but the table of words in {} has {most} rows; is it of the same model, and was the table resized (`resize_token_embeddings`) after tokens were added?",
                self.folder.display()
            ),
        })
    }

    /// The path of the weights: their file, or the index of several files.
    pub fn weights_path(&self) -> PathBuf {
        checkpoint::locate(&self.folder)
    }

    /// The SHA-256 of the weights in hexadecimal, computed of the open files that [`Backbone::load_into`]
    /// reads.
    pub fn weights_sha256(&self) -> Result<String, ModelError> {
        self.archive()?.sha256()
    }

    /// Loads this backbone's weights into a model: embeddings, trunk, final norm, and private blocks that are
    /// copies of the backbone's top blocks. If the checkpoint has a dense layer before the head, or a head
    /// that judges relevance (see `docs/families.md`), these are loaded too; otherwise the model keeps its
    /// own. Fresh private blocks also keep their values.
    ///
    /// Loading is strict: a tensor that is missing, has a wrong shape or is not understood is an error that
    /// names it, and so is a value that is infinite or not a number. The dense layer and the head must each
    /// be complete or absent, and if the head is loaded, the dense layer must be there.
    pub fn load_into(&self, model: RelevanceModel) -> Result<RelevanceModel, ModelError> {
        self.load_with(model, |_, _| None)
    }

    /// [`Backbone::load_into`], which also gives the parameters that the checkpoint lacks the values of
    /// [`initialize`](crate::initialize()). No parameter is initialised only to be replaced, which for a large
    /// model would take as much memory again, and most of the time.
    ///
    /// # Errors
    /// Those of [`Backbone::load_into`].
    pub fn load_or_initialize(
        &self,
        model: RelevanceModel,
        seed: u64,
    ) -> Result<RelevanceModel, ModelError> {
        let initial = InitialValues::of(&model, seed);
        self.load_with(model, |name, shape| Some(initial.values(name, shape)))
    }

    /// Loads the checkpoint; `otherwise` gives the values of parameters that it lacks, or leaves them.
    fn load_with(
        &self,
        model: RelevanceModel,
        otherwise: impl Fn(&str, &[usize]) -> Option<Vec<f32>>,
    ) -> Result<RelevanceModel, ModelError> {
        let archive = self.archive()?;
        let format = self.format();
        let spec = model.spec().clone();
        let place = |name: &str| format.place(&archive, name);
        let head = match Head::find(format, &archive, &self.config, &self.labels)? {
            Found::Relevance(head) => Some(head),
            Found::Absent => None,
            Found::Other(labels) => {
                tracing::warn!(
                    "the checkpoint's head has {labels}, which are not grades of relevance: heads start fresh"
                );
                None
            }
        };
        let of_head: BTreeMap<&str, String> = head::parts(&self.config)
            .filter_map(|part| Some((part, head::tensor(format, &archive, part)?)))
            .collect();
        let dense = of_head
            .iter()
            .any(|(part, name)| part.starts_with("dense") && archive.shape(name).is_some());
        let mut used: BTreeSet<String> = of_head.values().cloned().collect();
        let mut stored = |name: &str, shape: &[usize]| {
            let Some(canonical) = canonical(name, &spec) else { return Ok(None) };
            if canonical.starts_with("classifier.") {
                return head.as_ref().map_or(Ok(None), |head| head.values(&canonical, shape));
            }
            let Some(source) = (format.source)(&canonical) else { return Ok(None) };
            if canonical.starts_with("dense") && !dense && head.is_none() {
                return Ok(None);
            }
            used.extend(source.names().iter().map(|name| place(name)));
            source.read(&archive, &spec.backbone, shape, place).map(Some)
        };
        let mut model = crate::load(model, |name, shape| {
            let found: Option<Vec<f32>> = stored(name, shape)?;
            Ok::<_, ModelError>(found.or_else(|| otherwise(name, shape)))
        })?;
        let device = model.device();
        frozen::replace::<ModelError>(&mut model, |name, old| {
            let source = (format.source)(name)
                .ok_or_else(|| archive.problem(format!("no rule reads the frozen `{name}`")))?;
            used.extend(source.names().iter().map(|name| place(name)));
            let values = source.read_by_outputs(&archive, &spec.backbone, old.dims(), place)?;
            Ok(FrozenWeight::new(&values, old.dims(), old.format(), &device))
        })?;
        let left_out = self.left_out_prefixes(place);
        let is_left_out = |name: &str| left_out.iter().any(|prefix| name.starts_with(prefix));
        let unknown: Vec<&str> = archive
            .names()
            .filter(|name| !used.contains(*name) && !format.is_passed_over(name))
            .filter(|name| !is_left_out(name))
            .map(|name| archive.original(name))
            .collect();
        if !unknown.is_empty() {
            let more = unknown.len().saturating_sub(5);
            return Err(archive.problem(format!(
                "tensor `{}` is not part of this architecture{}; is `config.json` of the same model?",
                unknown[..unknown.len() - more].join("`, `"),
                if more > 0 { format!(", nor are {more} more") } else { String::new() }
            )));
        }
        archive.check_unchanged()?;
        Ok(model)
    }

    /// How the names of tensors of the layers begin that are left out, such as `encoder.layer.4.`: up to the index
    /// in the name of a tensor that every layer has.
    fn left_out_prefixes(&self, place: impl Fn(&str) -> String) -> Vec<String> {
        let of_layer = |layer: usize| {
            let source = (self.format().source)(&format!("layers.{layer}.qkv.weight"))?;
            let name = place(source.names().first()?);
            let index = format!(".{layer}.");
            let end = name.find(&index)? + index.len();
            Some(name[..end].to_owned())
        };
        self.left_out.clone().filter_map(of_layer).collect()
    }
}

/// A parameter's name in the plain backbone. `None` for the parameters of fresh private blocks, which a
/// backbone does not have.
fn canonical(name: &str, spec: &ModelSpec) -> Option<String> {
    let private = name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
    if private.is_some_and(|(_, rest)| rest.starts_with("layers."))
        && spec.routing.private_init == PrivateInit::Fresh
    {
        return None;
    }
    stacked(name, spec)
}
