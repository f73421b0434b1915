//! `config.json`, or the equivalent keys made from the metadata of a GGUF file.

use crate::config::MOST_LAYERS;
use crate::{ModelError, json};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The keys of a checkpoint's configuration, and the file that they came from.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    /// The text of the file; `None` if the keys were made or changed in memory.
    text: Option<Vec<u8>>,
    json: Value,
}

/// The supported kinds of layers in a list of layers.
const LAYER_TYPES: [&str; 2] = ["full_attention", "sliding_attention"];

impl ConfigFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read(path).map_err(ModelError::io("read", path))?;
        let json = json::parse(&text, path)?;
        Ok(Self { path: path.to_owned(), text: Some(text), json })
    }

    /// Keys that were made from the metadata of the file at `path`.
    pub(crate) fn made(path: &Path, json: Value) -> Self {
        Self { path: path.to_owned(), text: None, json }
    }

    /// The same configuration with changed keys.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Value)) -> Self {
        let mut json = self.json.clone();
        change(&mut json);
        Self::made(&self.path, json)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key)
    }

    /// Reads the keys of a family.
    pub(crate) fn keys<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        match &self.text {
            Some(text) => json::parse(text, &self.path),
            None => json::from_value(&self.json, &self.path),
        }
    }

    /// An error about the configuration, which names its file.
    pub(crate) fn wrong(&self, reason: String) -> ModelError {
        ModelError::Json { path: self.path.clone(), reason }
    }

    /// The error about a value that Sextant's implementation of the family does not support.
    pub(crate) fn unsupported(&self, key: &str, found: &str, supported: &str) -> ModelError {
        self.wrong(format!("`{key}` is `{found}`; supported: `{supported}`"))
    }

    /// Refuses a value other than the one supported.
    pub(crate) fn require(
        &self,
        key: &str,
        found: &str,
        supported: &str,
    ) -> Result<(), ModelError> {
        if found == supported { Ok(()) } else { Err(self.unsupported(key, found, supported)) }
    }

    /// Refuses an encoder whose tokens see only those before them, or read another model's output.
    pub(crate) fn require_encoder(&self) -> Result<(), ModelError> {
        for key in ["is_decoder", "add_cross_attention"] {
            if self.json.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(self.unsupported(key, "true", "false"));
            }
        }
        Ok(())
    }

    /// Refuses sizes of 0.
    pub(crate) fn require_sizes(&self, sizes: &[(&str, usize)]) -> Result<(), ModelError> {
        match sizes.iter().find(|(_, size)| *size == 0) {
            Some((key, _)) => Err(self.wrong(format!("`{key}` is 0; it must be at least 1"))),
            None => Ok(()),
        }
    }

    /// Refuses a number of layers that no model has. This is checked first, because some families build a
    /// list of their layers while the configuration is read.
    pub(crate) fn require_depth(&self, (key, layers): (&str, usize)) -> Result<(), ModelError> {
        if layers <= MOST_LAYERS {
            return Ok(());
        }
        Err(self.wrong(format!("`{key}` is {layers}; no model has more than {MOST_LAYERS}")))
    }

    /// Refuses a size that is not a multiple of its number of parts.
    pub(crate) fn require_divides(
        &self,
        (part, parts): (&str, usize),
        (key, whole): (&str, usize),
    ) -> Result<(), ModelError> {
        if parts > 0 && whole.is_multiple_of(parts) {
            return Ok(());
        }
        Err(self.wrong(format!("`{key}` {whole} is not a multiple of `{part}` {parts}")))
    }

    /// Refuses a number that is not above 0.
    pub(crate) fn require_positive(&self, key: &str, value: Option<f64>) -> Result<(), ModelError> {
        match value {
            Some(value) if !(value.is_finite() && value > 0.0) => {
                Err(self.wrong(format!("`{key}` is {value}; it must be above 0")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a dropout probability outside `[0, 1)`.
    pub(crate) fn require_shares(&self, shares: &[(&str, f32)]) -> Result<(), ModelError> {
        match shares.iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            Some((key, share)) => {
                Err(self.wrong(format!("`{key}` is {share}; it must be at least 0 and below 1")))
            }
            None => Ok(()),
        }
    }

    /// Refuses a list of layer kinds whose length is not the number of layers, or that has an unknown kind.
    pub(crate) fn require_kinds(
        &self,
        key: &str,
        kinds: &[String],
        layers: (&str, usize),
    ) -> Result<(), ModelError> {
        if kinds.len() != layers.1 {
            return Err(self.wrong(format!(
                "`{key}` lists {} layers where `{}` is {}",
                kinds.len(),
                layers.0,
                layers.1
            )));
        }
        match kinds.iter().find(|kind| !LAYER_TYPES.contains(&kind.as_str())) {
            Some(kind) => Err(self.unsupported(key, kind, &LAYER_TYPES.join("`, `"))),
            None => Ok(()),
        }
    }
}
