//! JSON of requests, read with errors that repeat no text.

use crate::error::ApiError;
use crate::mistake::place_and_expectation;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Reads a value from JSON. An error names the place and what is expected there; it does not repeat what was
/// found, which may be a text of a user's.
///
/// # Errors
/// The bytes are not JSON, or not of the expected form.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Some editors and shells put a byte order mark before what they send; it says nothing of JSON.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Serde reads a list as the fields of an object in their order, which nobody means.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(ApiError::invalid("the body is a list; expected an object, `{…}`"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (place, said) = place_and_expectation(&error);
        let error = error.into_inner();
        let position = format!("(line {}, column {})", error.line(), error.column());
        let message = match error.classify() {
            Category::Data if place.is_empty() => format!("{said} {position}"),
            Category::Data => format!("`{place}`: {said} {position}"),
            _ => format!("the body is not whole, correct JSON {position}"),
        };
        ApiError::invalid(message)
    })?;
    deserializer.end().map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ApiError::invalid(format!("something follows the JSON (line {line}, column {column})"))
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::RelevanceRequest;

    /// What is said of the request, or of its first pair.
    fn said(json: &str) -> String {
        match parse::<RelevanceRequest>(json.as_bytes()) {
            Err(error) => error.message,
            Ok(request) => {
                let unreadable = request.pairs[0].0.as_ref().unwrap_err();
                ApiError::of_part("pairs", 0, unreadable).message
            }
        }
    }

    #[test]
    fn errors_name_the_place_and_repeat_no_text() {
        for (json, place, expected) in [
            (
                r#"{"pairs":[{"left":"a","right":7}]}"#,
                "`pairs[0].right`",
                "a text in quotes, or a product",
            ),
            (r#"{"pairs":[{"left":"secret"}]}"#, "`pairs[0]`", "missing field `right`"),
            (r#"{"pairs":"secret, expected secret"}"#, "`pairs`", "expected a list"),
            (r#"{"pairs":[],"secret":1}"#, "", "expected one of `model`"),
            (r#"{"pairs":[],"task":"secret"}"#, "`task`", "query-product, query-type"),
            (
                r#"{"pairs":[{"left":{"title":["secret"]},"right":"b"}]}"#,
                "`pairs[0].left`",
                "`title` is not a text",
            ),
            (r#"{"pairs":[{"left":{"secret":1},"right":"b"}]}"#, "`pairs[0].left`", "title, brand"),
            (
                r#"{"pairs":[{"left":{"title":"a","title":"secret"},"right":"b"}]}"#,
                "`pairs[0]",
                "stands twice",
            ),
            (
                r#"{"pairs":[{"left":{"title":"a","attributes":{"secret":1,"secret":2}},"right":"b"}]}"#,
                "`pairs[0]",
                "stands twice",
            ),
            (r#"{"pairs":[{"left":"a","right":"secret}"#, "", "not whole, correct JSON"),
            (
                r#"{"pairs":[],"timeout_ms":-1}"#,
                "`timeout_ms`",
                "expected a whole number, 0 or more",
            ),
            (r#"{"pairs":["secret"]}"#, "`pairs[0]`", "expected an object"),
            (r#""secret""#, "", "expected an object"),
            (r#"{"pairs":[]} secret"#, "", "something follows"),
        ] {
            let said = said(json);
            assert!(said.contains(place) && said.contains(expected), "{json}: {said}");
            assert!(!said.contains("secret"), "{json}: {said}");
        }
    }

    #[test]
    fn a_list_is_no_object_and_a_byte_order_mark_is_nothing() {
        assert!(said(r#" ["model", "query-type", []]"#).contains("expected an object"));
        assert!(parse::<RelevanceRequest>(b"\xef\xbb\xbf{\"pairs\":[]}").is_ok());
    }

    #[test]
    fn null_is_absent() {
        let json = r#"{"model":null,"task":null,"votes":null,"timeout_ms":null,
            "pairs":[{"left":"a","right":{"title":"b","brand":null},"id":null,"task":null}]}"#;
        let request: RelevanceRequest = parse(json.as_bytes()).unwrap();
        assert_eq!(request.pairs.len(), 1);
        assert!(request.model.is_none() && request.votes.is_none());
    }
}
