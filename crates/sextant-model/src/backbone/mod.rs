//! Pretrained backbones: a Hugging Face folder with `config.json`, weights and `tokenizer.json`, or one
//! with a `model.gguf`.
//!
//! Each family has a file here with two things: how its `config.json` says the sizes, and a table
//! from our parameter names to the checkpoint's. Adding a family is adding such a file and its line in
//! `formats`; the table serves both reading and [export](crate::export).

mod bert;
mod checkpoint;
mod deberta;
mod decoder;
mod distilbert;
mod electra;
pub(crate) mod gguf;
mod head;
mod modernbert;
mod names;
mod onnx;
mod raw;
mod roberta;
mod source;

pub use checkpoint::{locate as weights_path, read as read_weights};
pub(crate) use source::Source;

use crate::frozen;
use crate::{
    Archive, BackboneConfig, Family, ModelError, ModelSpec, Pooling, PrivateInit, RelevanceModel,
    Values,
};
use serde_json::Value;
use sextant_kernels::FrozenWeight;
use sextant_text::Tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How one family's folders are written.
pub(crate) struct Format {
    family: Family,
    /// What `config.json` calls it.
    pub(crate) model_type: &'static str,
    /// The class of a model with a classification head.
    pub(crate) class: &'static str,
    /// Before the backbone's names in checkpoints with a head.
    prefix: &'static str,
    /// Starts of names that never have the prefix.
    pub(crate) head: &'static [&'static str],
    /// Starts of names, without prefix, that a relevance model replaces or has no use for: heads of
    /// pretraining and of other tasks.
    ignored: &'static [&'static str],
    config: fn(&Value, &Path) -> Result<BackboneConfig, ModelError>,
    /// The family's keys of `config.json`.
    pub(crate) json: fn(&BackboneConfig) -> Value,
    /// The name table. Our names are those of the plain backbone: `embeddings.word`,
    /// `layers.5.qkv.weight`, `final_norm.gamma`, `dense.bias`, `classifier.weight`.
    pub(crate) source: fn(&str) -> Option<Source>,
}

/// Every encoder family.
static ENCODERS: [Format; 7] = [
    bert::FORMAT,
    roberta::ROBERTA,
    roberta::XLM_ROBERTA,
    electra::FORMAT,
    distilbert::FORMAT,
    modernbert::FORMAT,
    deberta::FORMAT,
];

/// Every family.
fn formats() -> impl Iterator<Item = &'static Format> {
    ENCODERS.iter().chain(&decoder::FORMATS)
}

impl Format {
    /// The format of a family's folders.
    pub(crate) fn of(family: Family) -> &'static Self {
        // Every variant has its line in the table, as a test checks.
        formats().find(|format| format.family == family).unwrap_or(&ENCODERS[0])
    }

    /// The name in a checkpoint with a head.
    pub(crate) fn with_head(&self, name: &str) -> String {
        let is_head = self.head.iter().any(|start| name.starts_with(start));
        format!("{}{name}", if is_head { "" } else { self.prefix })
    }

    /// The name in this checkpoint: with the prefix where it has such a tensor, or would have it.
    fn place(&self, archive: &Archive, name: &str) -> String {
        let prefixed = format!("{}{name}", self.prefix);
        if archive.shape(&prefixed).is_some() {
            return prefixed;
        }
        let absent = archive.shape(name).is_none();
        if absent && archive.names().any(|name| name.starts_with(self.prefix)) {
            return self.with_head(name);
        }
        name.to_owned()
    }
}

/// A folder with a pretrained backbone.
#[derive(Debug, Clone)]
pub struct Backbone {
    folder: PathBuf,
    config: Box<BackboneConfig>,
    labels: Vec<String>,
    pooling: Pooling,
}

impl Backbone {
    /// Opens a folder and reads its `config.json`.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let json: Value = match checkpoint::gguf(folder)? {
            Some(file) if !path.exists() => gguf::config(&file)?,
            _ => {
                let text = std::fs::read_to_string(&path).map_err(ModelError::io("read", &path))?;
                serde_json::from_str(&text).map_err(|error| ModelError::Json {
                    path: path.clone(),
                    reason: error.to_string(),
                })?
            }
        };
        let found = json.get("model_type").and_then(Value::as_str);
        let Some(format) = formats().find(|format| Some(format.model_type) == found) else {
            return Err(ModelError::UnknownFamily {
                path,
                found: found.unwrap_or("absent").to_owned(),
                supported: formats().map(|format| format.model_type).collect::<Vec<_>>().join(", "),
            });
        };
        let config = (format.config)(&json, &path)?;
        config.validate().map_err(|error| ModelError::Json { path, reason: error.to_string() })?;
        let pooling = match json.get("classifier_pooling").and_then(Value::as_str) {
            _ if config.block.causal => Pooling::Last,
            Some("mean") => Pooling::Mean,
            _ => Pooling::Cls,
        };
        Ok(Self {
            folder: folder.to_owned(),
            config: Box::new(config),
            labels: head::labels(&json),
            pooling,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether its weights have a tensor, by the family's name of it.
    pub(crate) fn has(&self, name: &str) -> Result<bool, ModelError> {
        let archive = checkpoint::read(&self.folder)?;
        let place = Format::of(self.config.family).place(&archive, name);
        Ok(archive.shape(&place).is_some())
    }

    /// The backbone's sizes.
    pub fn config(&self) -> &BackboneConfig {
        &self.config
    }

    /// The labels of its classification head, in order; empty if `config.json` names none.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The vector that its classification head reads.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Whether it has a classification head that judges relevance, which a model of ours can start
    /// from.
    pub fn has_relevance_head(&self) -> Result<bool, ModelError> {
        let archive = checkpoint::read(&self.folder)?;
        let format = Format::of(self.config.family);
        Ok(head::Head::find(format, &archive, &self.labels).is_some())
    }

    /// Where its tokenizer is; a GGUF file holds one itself.
    pub fn tokenizer_path(&self) -> PathBuf {
        let path = self.folder.join("tokenizer.json");
        let weights = self.weights_path();
        let inside = weights.extension().is_some_and(|extension| extension == "gguf");
        if inside && !path.exists() { weights } else { path }
    }

    /// Its tokenizer: `tokenizer.json`, or what a GGUF file says about it.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        let path = self.tokenizer_path();
        match checkpoint::gguf(&self.folder)? {
            Some(file) if path == file.path() => {
                let json = gguf::tokenizer(&file)?;
                Ok(Tokenizer::from_bytes(&json, &path.display().to_string())?)
            }
            _ => Ok(Tokenizer::from_file(path)?),
        }
    }

    /// Where its weights are: the file, or the index of several.
    pub fn weights_path(&self) -> PathBuf {
        checkpoint::locate(&self.folder)
    }

    /// Gives a model this backbone's weights: embeddings, trunk, final norm, private blocks that are
    /// copies of its top blocks; and, where the checkpoint has them, the dense layer before the head
    /// and the head itself if it judges relevance (see `docs/families.md`). What the checkpoint lacks
    /// of these last two, and fresh private blocks, keep what they have.
    ///
    /// Strict: a tensor that is missing, misshapen or not understood is an error that names it.
    pub fn load_into(&self, model: RelevanceModel) -> Result<RelevanceModel, ModelError> {
        let archive = checkpoint::read(&self.folder)?;
        let format = Format::of(self.config.family);
        let spec = model.spec().clone();
        let place = |name: &str| format.place(&archive, name);
        let head = head::Head::find(format, &archive, &self.labels);
        let mut used = BTreeSet::new();
        let model = crate::load(model, |name, shape| {
            let Some(canonical) = canonical(name, &spec) else { return Ok(None) };
            if canonical.starts_with("classifier.") {
                return head.as_ref().map_or(Ok(None), |head| head.values(&canonical, shape));
            }
            let Some(source) = (format.source)(&canonical) else { return Ok(None) };
            let optional = canonical.starts_with("dense");
            if optional && archive.shape(&place(&source.names()[0])).is_none() {
                return Ok(None);
            }
            used.extend(source.names().iter().map(|name| place(name)));
            source.read(&archive, &spec.backbone, shape, place).map(Some)
        })?;
        let mut model = model;
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
            .filter(|name| !used.contains(*name))
            .filter(|name| {
                let name = name.strip_prefix(format.prefix).unwrap_or(name);
                !format.ignored.iter().any(|start| name.starts_with(start))
            })
            .collect();
        if let Some(first) = unknown.first() {
            return Err(archive.problem(format!(
                "tensor `{first}` is not part of this architecture ({} such tensors); is `config.json` of the same model?",
                unknown.len()
            )));
        }
        Ok(model)
    }
}

/// Values by our names (weights, or gradients) by the names and in the layout of a checkpoint of the
/// family with a classification head: the trunk and one branch of the model as one ordinary stack.
/// Values of other branches are left out.
pub fn to_checkpoint(
    spec: &ModelSpec,
    branch: &str,
    values: &BTreeMap<String, Values>,
) -> BTreeMap<String, Values> {
    let format = Format::of(spec.backbone.family);
    let mut tensors = BTreeMap::new();
    for (name, values) in values {
        let other = name
            .strip_prefix("branches.")
            .is_some_and(|rest| rest.split_once('.').is_none_or(|(found, _)| found != branch));
        if other {
            continue;
        }
        let source = stacked(name, spec).and_then(|name| (format.source)(&name));
        for (name, values) in source.iter().flat_map(|source| source.write(&spec.backbone, values))
        {
            tensors.insert(format.with_head(&name), values);
        }
    }
    tensors
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

/// A parameter's name as if its path from embeddings to head were a model of its own.
pub(crate) fn stacked(name: &str, spec: &ModelSpec) -> Option<String> {
    if let Some(rest) = name.strip_prefix("trunk.") {
        return Some(format!("layers.{rest}"));
    }
    if let Some(rest) = name.strip_prefix("trunk_norm.") {
        return Some(format!("final_norm.{rest}"));
    }
    let Some(rest) = name.strip_prefix("branches.") else { return Some(name.to_owned()) };
    let (_, rest) = rest.split_once('.')?;
    if let Some(rest) = rest.strip_prefix("norm.") {
        return Some(format!("final_norm.{rest}"));
    }
    let Some(rest) = rest.strip_prefix("layers.") else { return Some(rest.to_owned()) };
    let (layer, rest) = rest.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    Some(format!("layers.{}.{rest}", spec.routing.trunk_layers(spec.backbone.layers) + layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_format() {
        let types: BTreeSet<_> = formats().map(|format| format.model_type).collect();
        assert_eq!(types.len(), formats().count());
        for format in formats() {
            // kebab-case names of the enum are the model types, so none can be forgotten
            let family: Family = serde_json::from_value(format.model_type.into()).unwrap();
            assert_eq!(Format::of(family).model_type, format.model_type);
        }
    }
}
