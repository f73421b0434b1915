//! A folder with a pretrained backbone, and how its weights get into a model.

use super::head::{self, Found, Head};
use super::labels::Labels;
use super::tokenizer_files::TokenizerFiles;
use super::{checkpoint, stated};
use crate::families::{ConfigFile, Format};
use crate::stack::stacked;
use crate::{Archive, BackboneConfig, ModelError, ModelSpec, Pooling, PrivateInit, RelevanceModel};
use crate::{frozen, gguf};
use serde_json::Value;
use sextant_core::Grade;
use sextant_kernels::FrozenWeight;
use sextant_text::Tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A folder with a pretrained backbone. Its weights are opened once, when they are first asked about, and
/// stay open: what is checked and hashed is what is loaded.
#[derive(Debug, Clone)]
pub struct Backbone {
    folder: PathBuf,
    config: Box<BackboneConfig>,
    labels: Labels,
    pooling: Pooling,
    archive: OnceLock<Arc<Archive>>,
}

impl Backbone {
    /// Opens a folder and reads its `config.json`.
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
            config: Box::new(config),
            labels: Labels::read(&file),
            pooling,
            archive: OnceLock::new(),
        })
    }

    fn format(&self) -> &'static Format {
        Format::of(self.config.family)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its weights, opened.
    fn archive(&self) -> Result<Arc<Archive>, ModelError> {
        if let Some(archive) = self.archive.get() {
            return Ok(archive.clone());
        }
        let archive = Arc::new(checkpoint::read(&self.folder)?);
        // What had to be read into memory is not kept there for as long as the backbone is.
        if archive.is_light() {
            return Ok(self.archive.get_or_init(|| archive).clone());
        }
        Ok(archive)
    }

    /// Whether its weights have a tensor, by the family's name of it.
    pub(crate) fn has(&self, name: &str) -> Result<bool, ModelError> {
        let archive = self.archive()?;
        let place = self.format().place(&archive, name);
        Ok(archive.shape(&place).is_some())
    }

    /// The backbone's sizes.
    pub fn config(&self) -> &BackboneConfig {
        &self.config
    }

    /// The labels of its classification head, in the order of its rows; empty if `config.json` names none.
    pub fn labels(&self) -> &[String] {
        self.labels.names()
    }

    /// The vector that its classification head reads.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Checks that the folder has weights and a tokenizer, and that the weights can be of the sizes that
    /// `config.json` states, before memory is asked for.
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
        // A tensor that is missing is told by its name later.
        if needed / 2 > held {
            return Err(archive.problem(format!(
                "holds {held} numbers, but the sizes in config.json need at least {needed}; is it of the same model?"
            )));
        }
        Ok(())
    }

    /// Checks that it has a whole classification head that judges relevance, which a model of ours can
    /// start from.
    ///
    /// # Errors
    /// No head, one of which a tensor is missing or misshapen, or one of other labels: which they are.
    pub fn check_relevance_head(&self) -> Result<(), ModelError> {
        let archive = self.archive()?;
        let format = self.format();
        match Head::find(format, &archive, &self.config, &self.labels)? {
            Found::Relevance(_) => Ok(()),
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

    /// Where its tokenizer is read from; a GGUF file holds one itself.
    pub fn tokenizer_path(&self) -> PathBuf {
        match TokenizerFiles::find(&self.folder, self.format()) {
            Ok(files) => files.path().to_owned(),
            Err(_) => self.folder.join("tokenizer.json"),
        }
    }

    /// Its tokenizer: `tokenizer.json`, what a GGUF file says about it, or the vocabulary that older
    /// checkpoints have in their place.
    ///
    /// # Errors
    /// No file that it could be read from, and one with more ids than the table of words has rows.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        let files = TokenizerFiles::find(&self.folder, self.format())?;
        self.checked(files.read(self.format())?, files.path())
    }

    /// The tokenizer that another folder brings for this backbone, such as an adapter's; none if it brings
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

    /// Where its weights are: the file, or the index of several.
    pub fn weights_path(&self) -> PathBuf {
        checkpoint::locate(&self.folder)
    }

    /// SHA-256 of its weights, in hexadecimal: of the open files that [`Backbone::load_into`] reads.
    pub fn weights_sha256(&self) -> Result<String, ModelError> {
        self.archive()?.sha256()
    }

    /// Gives a model this backbone's weights: embeddings, trunk, final norm, private blocks that are
    /// copies of its top blocks; and, where the checkpoint has them, the dense layer before the head
    /// and the head itself if it judges relevance (see `docs/families.md`). What the checkpoint lacks
    /// of these last two, and fresh private blocks, keep what they have.
    ///
    /// Strict: a tensor that is missing, misshapen or not understood is an error that names it, and so is
    /// a number that is infinite or none. Of the dense layer and the head all parts are there or none; with
    /// a head that is taken over, the dense layer must be there.
    pub fn load_into(&self, model: RelevanceModel) -> Result<RelevanceModel, ModelError> {
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
        let mut model = crate::load(model, |name, shape| {
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
        })?;
        let device = model.device();
        frozen::replace::<ModelError>(&mut model, |name, old| {
            let source = (format.source)(name)
                .ok_or_else(|| archive.problem(format!("no rule reads the frozen `{name}`")))?;
            used.extend(source.names().iter().map(|name| place(name)));
            let values = source.read_by_outputs(&archive, &spec.backbone, old.dims(), place)?;
            Ok(FrozenWeight::new(&values, old.dims(), old.format(), &device))
        })?;
        let unknown: Vec<&str> = archive
            .names()
            .filter(|name| !used.contains(*name) && !format.is_passed_over(name))
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
}

/// A parameter's name as if the model were the plain backbone. None for a fresh private block, which
/// a backbone does not have.
fn canonical(name: &str, spec: &ModelSpec) -> Option<String> {
    let private = name.strip_prefix("branches.").and_then(|rest| rest.split_once('.'));
    if private.is_some_and(|(_, rest)| rest.starts_with("layers."))
        && spec.routing.private_init == PrivateInit::Fresh
    {
        return None;
    }
    stacked(name, spec)
}
