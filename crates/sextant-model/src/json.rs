//! Reading JSON files that other programs or people wrote. Errors name the file, the line and the key.

use crate::ModelError;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The byte order mark that some editors put at the start of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text without its byte order mark, if it begins with one.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// Reads a JSON file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let bytes = std::fs::read(path).map_err(ModelError::io("read", path))?;
    parse(&bytes, path)
}

/// Parses the contents of a JSON file; errors name `path`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T, ModelError> {
    let mut reader = serde_json::Deserializer::from_slice(without_mark(bytes));
    let failed =
        |reason: String| ModelError::Json { path: path.to_owned(), reason: hint(bytes, reason) };
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| failed(told(&error)))?;
    reader.end().map_err(|error| failed(error.to_string()))?;
    Ok(value)
}

/// Converts a value that was parsed before. Errors name the key but no line, because the text is gone.
pub(crate) fn from_value<T: DeserializeOwned>(
    value: &serde_json::Value,
    path: &Path,
) -> Result<T, ModelError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| ModelError::Json { path: path.to_owned(), reason: told(&error) })
}

/// The error's message, after the key that it is about if there is one.
fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let key = error.path().to_string();
    let inner = error.inner();
    if key == "." || inner.is_syntax() || inner.is_eof() {
        return inner.to_string();
    }
    format!("`{key}`: {inner}")
}

/// Extends an error's message if the file is recognisably something other than JSON: empty, UTF-16 or a
/// pointer of Git LFS.
fn hint(bytes: &[u8], reason: String) -> String {
    match bytes {
        [] => "is empty; fetch or copy it again".to_owned(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            format!("{reason}: it is written in UTF-16; save it as UTF-8")
        }
        _ if bytes.starts_with(b"version https://git-lfs") => {
            format!("{reason}: it is a pointer of Git LFS, not the file; run `git lfs pull`")
        }
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sizes {
        #[allow(dead_code, reason = "only its reading is looked at")]
        hidden_size: usize,
    }

    #[test]
    fn errors_name_file_line_and_key() {
        let path = Path::new("some/config.json");
        let message = |text: &str| parse::<Sizes>(text.as_bytes(), path).unwrap_err().to_string();
        let error = message("{\n  \"hidden_size\": \"wide\"\n}");
        for part in ["some/config.json", "`hidden_size`", "\"wide\"", "line 2"] {
            assert!(error.contains(part), "{error}");
        }
        let error = message("{\n  \"hidden_size\": 3,\n");
        assert!(error.contains("line 3"), "{error}");
        assert!(message("{}").contains("`hidden_size`"));
        assert!(message("").contains("is empty"));
        assert!(message("{\"hidden_size\": 3} x").contains("trailing"));
        assert!(parse::<Sizes>(b"\xff\xfe{\0", path).unwrap_err().to_string().contains("UTF-16"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        let text = "\u{feff}{\"hidden_size\": 3}";
        assert_eq!(parse::<Sizes>(text.as_bytes(), Path::new("x")).unwrap().hidden_size, 3);
    }
}
