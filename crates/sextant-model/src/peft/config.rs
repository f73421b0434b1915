//! `adapter_config.json`, and `sextant.json` beside it, which holds what the former has no key for.

use crate::{BackboneConfig, LoraConfig, ModelError, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sextant_core::Task;
use sextant_text::TextConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// The keys of `adapter_config.json` that say what an adapter computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AdapterConfig {
    pub(crate) peft_type: String,
    pub(crate) task_type: Option<String>,
    pub(crate) base_model_name_or_path: Option<String>,
    pub(crate) r: usize,
    pub(crate) lora_alpha: f64,
    #[serde(default)]
    pub(crate) lora_dropout: f32,
    #[serde(default)]
    pub(crate) use_rslora: bool,
    /// A list of the last parts of names, or a regular expression.
    pub(crate) target_modules: Option<Value>,
    pub(crate) modules_to_save: Option<Vec<String>>,
    /// All other keys.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, Value>,
}

/// Keys that do not change what a loaded adapter computes, or whose effect can be seen from its tensors.
const HARMLESS: [&str; 14] = [
    "auto_mapping",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_ga_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
];

/// The values of `init_lora_weights` that initialise an adapter without changing the base's weights.
const INITS: [&str; 4] = ["gaussian", "eva", "orthogonal", "true"];

impl AdapterConfig {
    /// Reads the file, and refuses options that are more than plain LoRA.
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::Json { path: path.to_owned(), reason };
        let config: Self = json::read(path)?;
        if config.r == 0 {
            return Err(wrong("`r` is 0; it must be at least 1".into()));
        }
        if !(config.lora_alpha.is_finite() && config.lora_alpha > 0.0) {
            return Err(wrong(format!(
                "`lora_alpha` is {}; it must be above 0",
                config.lora_alpha
            )));
        }
        if !(0.0..1.0).contains(&config.lora_dropout) {
            return Err(wrong(format!(
                "`lora_dropout` is {}; it must be at least 0 and below 1",
                config.lora_dropout
            )));
        }
        if config.peft_type != "LORA" {
            return Err(wrong(format!(
                "`peft_type` is `{}`; only LORA is supported",
                config.peft_type
            )));
        }
        for (key, value) in &config.rest {
            let plain = match (key.as_str(), value) {
                ("bias", Value::String(which)) => which == "none",
                ("init_lora_weights", Value::String(way)) => INITS.contains(&way.as_str()),
                ("init_lora_weights", Value::Bool(_)) => true,
                (key, _) if HARMLESS.contains(&key) => true,
                (_, Value::Null | Value::Bool(false)) => true,
                (_, Value::Array(list)) => list.is_empty(),
                (_, Value::Object(map)) => map.is_empty(),
                _ => key == "megatron_config",
            };
            if !plain {
                return Err(wrong(format!(
                    "`{key}` is {value}, which Sextant's LoRA does not compute; merge the adapter with PEFT (`merge_and_unload`) and import the merged model"
                )));
            }
        }
        Ok(config)
    }

    /// The configuration that PEFT writes for an adapter of a sequence classifier.
    pub(crate) fn new(
        lora: &LoraConfig,
        base: &str,
        targets: Vec<String>,
        saved: Vec<String>,
    ) -> Self {
        let rest = [
            ("bias", Value::from("none")),
            ("fan_in_fan_out", false.into()),
            ("inference_mode", true.into()),
            ("init_lora_weights", true.into()),
            ("use_dora", false.into()),
        ];
        Self {
            peft_type: "LORA".to_owned(),
            task_type: Some("SEQ_CLS".to_owned()),
            base_model_name_or_path: Some(base.to_owned()),
            r: lora.rank,
            lora_alpha: lora.alpha,
            lora_dropout: lora.dropout,
            use_rslora: lora.rslora,
            target_modules: Some(targets.into()),
            modules_to_save: Some(saved),
            rest: rest.map(|(key, value)| (key.to_owned(), value)).into(),
        }
    }

    /// The last parts of the names of the adapted layers. `None` if the file states them in another way, or
    /// has other keys that restrict which layers are adapted.
    pub(super) fn target_list(&self) -> Option<Vec<&str>> {
        let narrowed = ["layers_to_transform", "exclude_modules"]
            .iter()
            .any(|&key| self.rest.get(key).is_some_and(|value| !value.is_null()));
        match &self.target_modules {
            Some(Value::Array(list)) if !narrowed => {
                Some(list.iter().filter_map(Value::as_str).collect())
            }
            _ => None,
        }
    }
}

/// The contents of `sextant.json`: what `adapter_config.json` has no key for, in an adapter that Sextant
/// wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    pub(crate) sextant_version: String,
    pub(crate) task: Task,
    /// How pairs become text.
    pub(crate) text: TextConfig,
    /// The shape of the base that the adapter belongs to.
    pub(crate) backbone: BackboneConfig,
}

impl Origin {
    /// Reads the file, if it is there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ModelError> {
        if path.exists() { json::read(path).map(Some) } else { Ok(None) }
    }

    /// Whether a backbone has the shape of the adapter's base. Dropout and the range of initial weights are
    /// not compared.
    pub(super) fn fits(&self, backbone: &BackboneConfig) -> bool {
        let shape = |config: &BackboneConfig| BackboneConfig {
            hidden_dropout: 0.0,
            attention_dropout: 0.0,
            initializer_range: None,
            ..config.clone()
        };
        shape(&self.backbone) == shape(backbone)
    }
}
