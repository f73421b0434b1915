//! `rope_parameters` and `rope_scaling` in `config.json`: how rotary positions are scaled.

use crate::families::ConfigFile;
use crate::{ModelError, RotaryConfig, RotaryScaling};
use serde_json::{Value, json};

/// Reads the scaling of rotary frequencies.
pub(super) fn read_scaling(json: &Value, file: &ConfigFile) -> Result<RotaryScaling, ModelError> {
    let kind = json.get("rope_type").or_else(|| json.get("type")).and_then(Value::as_str);
    let number = |key: &str| {
        let found = json.get(key);
        let number = found.and_then(Value::as_f64).filter(|&number| number > 0.0);
        number.ok_or_else(|| {
            let found = found.map_or("absent".to_owned(), Value::to_string);
            file.wrong(format!("`rope_scaling.{key}` is {found}; it must be a number above 0"))
        })
    };
    match kind.unwrap_or("default") {
        "default" => Ok(RotaryScaling::None),
        "linear" => Ok(RotaryScaling::Linear { factor: number("factor")? }),
        "llama3" => {
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if low >= high {
                return Err(file.wrong(format!(
                    "`rope_scaling.low_freq_factor` {low} must be less than `rope_scaling.high_freq_factor` {high}"
                )));
            }
            let original = number("original_max_position_embeddings")? as usize;
            Ok(RotaryScaling::Llama3 { factor: number("factor")?, low, high, original })
        }
        other => Err(file.unsupported("rope_scaling.rope_type", other, "default, linear, llama3")),
    }
}

/// Writes `rope_parameters` for export.
pub(super) fn write(rotary: RotaryConfig) -> Value {
    let mut full = match rotary.scaling {
        RotaryScaling::None => json!({ "rope_type": "default" }),
        RotaryScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RotaryScaling::Llama3 { factor, low, high, original } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": original,
        }),
    };
    full["rope_theta"] = rotary.base.into();
    match rotary.local_base {
        None => full,
        Some(local) => json!({
            "full_attention": full,
            "sliding_attention": { "rope_type": "default", "rope_theta": local },
        }),
    }
}
