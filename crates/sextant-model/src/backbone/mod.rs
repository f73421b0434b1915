//! Pretrained backbones: a Hugging Face folder with `config.json`, `model.safetensors` and
//! `tokenizer.json`.
//!
//! Each family has a file here with two things: how its `config.json` says the sizes, and a table
//! from our parameter names to the checkpoint's. Adding a family is adding such a file.

mod bert;

use crate::{Archive, BackboneConfig, Family, ModelError, ModelSpec, PrivateInit, RelevanceModel};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A folder with a pretrained backbone.
#[derive(Debug, Clone)]
pub struct Backbone {
    folder: PathBuf,
    config: BackboneConfig,
}

/// Where a parameter's values are in a checkpoint.
pub(crate) enum Source {
    /// As they are.
    Plain(String),
    /// A matrix in PyTorch's layout, `[outputs, inputs]`.
    Transposed(String),
    /// Vectors that we keep as one.
    Concat(Vec<String>),
    /// Matrices in PyTorch's layout whose outputs we keep side by side.
    ConcatTransposed(Vec<String>),
}

impl Source {
    fn names(&self) -> &[String] {
        match self {
            Self::Plain(name) | Self::Transposed(name) => std::slice::from_ref(name),
            Self::Concat(names) | Self::ConcatTransposed(names) => names,
        }
    }

    /// Reads the values of a parameter of this shape.
    fn read(
        &self,
        archive: &Archive,
        prefix: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, ModelError> {
        let get = |name: &str, shape: &[usize]| archive.get(&format!("{prefix}{name}"), shape);
        match (self, shape) {
            (Self::Plain(name), _) => Ok(get(name, shape)?.to_vec()),
            (Self::Concat(names), &[length]) => {
                let mut values = Vec::with_capacity(length);
                for name in names {
                    values.extend_from_slice(get(name, &[length / names.len()])?);
                }
                Ok(values)
            }
            (Self::Transposed(_) | Self::ConcatTransposed(_), &[inputs, outputs]) => {
                let names = self.names();
                let part = outputs / names.len();
                let mut values = vec![0.0; inputs * outputs];
                for (i, name) in names.iter().enumerate() {
                    for (column, weights) in
                        get(name, &[part, inputs])?.chunks_exact(inputs).enumerate()
                    {
                        for (row, weight) in weights.iter().enumerate() {
                            values[row * outputs + i * part + column] = *weight;
                        }
                    }
                }
                Ok(values)
            }
            _ => Err(archive.problem(format!("no rule reads {:?} as {shape:?}", self.names()))),
        }
    }
}

impl Backbone {
    /// Opens a folder and reads its `config.json`.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(ModelError::io("read", &path))?;
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| ModelError::Json { path: path.clone(), reason: error.to_string() })?;
        let config = match json.get("model_type").and_then(serde_json::Value::as_str) {
            Some("bert") => bert::config(json, &path)?,
            other => {
                return Err(ModelError::UnknownFamily {
                    path,
                    found: other.unwrap_or("absent").to_owned(),
                    supported: "bert".to_owned(),
                });
            }
        };
        config.validate()?;
        Ok(Self { folder: folder.to_owned(), config })
    }

    /// The backbone's sizes.
    pub fn config(&self) -> &BackboneConfig {
        &self.config
    }

    /// Where its tokenizer is.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.folder.join("tokenizer.json")
    }

    /// Where its weights are.
    pub fn weights_path(&self) -> PathBuf {
        self.folder.join("model.safetensors")
    }

    /// Gives a model this backbone's weights: embeddings, trunk, private blocks that are copies of
    /// its top blocks, and the dense layer where the checkpoint has a pooler. Heads and fresh private
    /// blocks keep what they have.
    ///
    /// Strict: a tensor that is missing, misshapen or not understood is an error that names it.
    pub fn load_into(&self, model: RelevanceModel) -> Result<RelevanceModel, ModelError> {
        let archive = Archive::read(&self.weights_path(), |name| name.ends_with("position_ids"))?;
        let prefix = self.prefix(&archive);
        let spec = model.spec().clone();
        let has_pooler = archive.names().any(|name| name == format!("{prefix}pooler.dense.weight"));
        let mut used = BTreeSet::new();
        let model = crate::load(model, |name, shape| {
            let Some(canonical) = canonical(name, &spec, has_pooler) else { return Ok(None) };
            let Some(source) = self.source(&canonical) else { return Ok(None) };
            used.extend(source.names().iter().map(|name| format!("{prefix}{name}")));
            source.read(&archive, prefix, shape).map(Some)
        })?;
        let unknown: Vec<&str> = archive
            .names()
            .filter(|name| !used.contains(*name))
            .filter(|name| !self.ignores(name.strip_prefix(prefix).unwrap_or(name)))
            .collect();
        if let Some(first) = unknown.first() {
            return Err(archive.problem(format!(
                "tensor `{first}` is not part of this architecture ({} such tensors); is `config.json` of the same model?",
                unknown.len()
            )));
        }
        Ok(model)
    }

    fn prefix(&self, archive: &Archive) -> &'static str {
        match self.config.family {
            Family::Bert => bert::prefix(archive),
        }
    }

    fn source(&self, canonical: &str) -> Option<Source> {
        match self.config.family {
            Family::Bert => bert::source(canonical),
        }
    }

    fn ignores(&self, name: &str) -> bool {
        match self.config.family {
            Family::Bert => bert::ignores(name),
        }
    }
}

/// A parameter's name as if the model were the plain backbone: `embeddings.word`,
/// `layers.5.qkv.weight`, `dense.bias`. None for what a backbone does not have.
fn canonical(name: &str, spec: &ModelSpec, has_pooler: bool) -> Option<String> {
    if let Some(rest) = name.strip_prefix("trunk.") {
        return Some(format!("layers.{rest}"));
    }
    let Some(rest) = name.strip_prefix("branches.") else { return Some(name.to_owned()) };
    let (_, rest) = rest.split_once('.')?;
    if rest.starts_with("dense.") {
        return has_pooler.then(|| rest.to_owned());
    }
    let (layer, rest) = rest.strip_prefix("layers.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    match spec.routing.private_init {
        PrivateInit::Copy => {
            let layer = spec.routing.trunk_layers(spec.backbone.layers) + layer;
            Some(format!("layers.{layer}.{rest}"))
        }
        PrivateInit::Fresh => None,
    }
}
