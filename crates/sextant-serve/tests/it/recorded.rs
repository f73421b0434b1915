//! Requests that the real clients sent, and the forms of the answers that they were content with.
//!
//! `scripts/clients/` records them against a server with another model; so the answers here have other numbers, but
//! they must have the same form.

use crate::support::{bundle, serve};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

/// A request of a client, and the answer that it got.
#[derive(Debug, Deserialize)]
struct Recorded {
    client: String,
    path: String,
    request: Value,
    answer: Value,
}

/// What two answers of one form have in common: keys, and kinds of values. A list has the form of its first item.
fn form(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(items) => json!([items.len(), items.first().map(form)]),
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.iter().map(|(key, value)| json!([key, form(value)])).collect();
            fields.sort_by_key(ToString::to_string);
            Value::Array(fields)
        }
    }
}

#[test]
fn recorded_requests_get_answers_of_the_recorded_form() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut clients = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let Recorded { client, path, request, answer } = serde_json::from_str(line).unwrap();
            let found = server.post(&path, &request);
            assert_eq!(found.status, 200, "{client}: {}", found.text);
            assert_eq!(form(&found.json()), form(&answer), "{client}: {}", found.text);
            clients += 1;
        }
    }
    assert!(clients >= 15, "only {clients} requests are recorded in {}", folder.display());
}
