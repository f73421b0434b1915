//! The family and the sizes that a folder states for its model.

use crate::families::{ConfigFile, Format, formats};
use crate::gguf;
use crate::{BackboneConfig, ModelError};
use serde_json::Value;

/// Reads the family and the sizes that a configuration states.
pub(super) fn read_config(
    file: &ConfigFile,
) -> Result<(&'static Format, BackboneConfig), ModelError> {
    let found = file.get("model_type").and_then(Value::as_str);
    let Some(format) = formats().find(|format| Some(format.model_type) == found) else {
        return Err(ModelError::UnknownFamily {
            path: file.path().to_owned(),
            found: found.unwrap_or("absent").to_owned(),
            supported: formats().map(|format| format.model_type).collect::<Vec<_>>().join(", "),
        });
    };
    let config = (format.config)(file)?;
    config.validate().map_err(|error| file.wrong(error.to_string()))?;
    Ok((format, config))
}

/// Checks that a `config.json` beside a GGUF file agrees with the metadata of that file.
pub(super) fn check_metadata(
    file: &ConfigFile,
    format: &Format,
    config: &BackboneConfig,
    gguf: &gguf::Gguf,
) -> Result<(), ModelError> {
    let (of_file, dialect) = Format::of_gguf(gguf)?;
    let metadata = gguf::config(gguf, of_file.model_type, dialect)?;
    for (key, value) in metadata.as_object().into_iter().flatten() {
        let changed = file.with(|json| match json.get_mut("rope_parameters") {
            Some(rotary) if key == "rope_theta" && rotary.is_object() => {
                let full = if rotary.get("full_attention").is_some() {
                    &mut rotary["full_attention"]
                } else {
                    rotary
                };
                full["rope_theta"] = value.clone();
            }
            _ => json[key] = value.clone(),
        });
        let same = read_config(&changed).is_ok_and(|(found, other)| {
            found.model_type == format.model_type && other.is_close_to(config)
        });
        if !same {
            let rotary = file.get("rope_parameters").filter(|_| key == "rope_theta");
            let stated = file.get(key).or(rotary).map_or("absent".to_owned(), Value::to_string);
            return Err(file.wrong(format!(
                "`{key}` is {stated}, but the metadata of {} say {value}; is it of the same model? Correct it, or remove config.json: the file is enough",
                gguf.path().display()
            )));
        }
    }
    Ok(())
}
