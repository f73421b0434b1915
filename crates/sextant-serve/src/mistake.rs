//! Where JSON is wrong and what is expected there, in words that repeat no text.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value from a part of a request. An error is the place in the part and what is wrong there.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, (String, String)> {
    if !value.is_object() {
        return Err((String::new(), "expected an object".to_owned()));
    }
    serde_path_to_error::deserialize(value).map_err(|error| place_and_expectation(&error))
}

/// The place of a mistake and what is expected there.
pub(crate) fn place_and_expectation(
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> (String, String) {
    let mut place: Vec<String> = error.path().iter().map(ToString::to_string).collect();
    let said = error.inner().to_string();
    if said.starts_with("unknown field") {
        // The last part is the key that is not known.
        place.pop();
    }
    (joined(&place), expectation(&said))
}

/// The parts of a place as one text: `pairs[3].left`.
fn joined(parts: &[String]) -> String {
    parts.iter().fold(String::new(), |mut joined, part| {
        // Positions in lists are in brackets.
        if !joined.is_empty() && !part.starts_with('[') {
            joined.push('.');
        }
        joined + part
    })
}

/// What is expected, of a message of serde that may repeat what was found.
fn expectation(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let repeats =
        ["invalid type", "invalid value", "invalid length", "unknown field", "unknown variant"];
    if !repeats.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    // What is expected is a text of this program, so that the last match is not in what was found.
    let expected = message.rfind(", expected ").map(|at| &message[at + ", expected ".len()..]);
    expected.map_or("something else is expected here".to_owned(), |expected| {
        format!("expected {}", in_words_of_json(expected))
    })
}

/// What is expected, without names of Rust's types.
fn in_words_of_json(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        _ if expected.starts_with("struct ") => "an object",
        other => other,
    }
}
