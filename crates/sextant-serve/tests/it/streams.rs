//! Streams of pairs.

use crate::support::{bundle, serve};
use serde_json::{Value, json};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

#[test]
fn a_stream_answers_each_line_in_its_place() {
    let place = bundle();
    // A queue that is far smaller than the stream: it slows the sender down, and refuses nothing.
    let server = serve(place.path(), &["queue_tokens=500", "max_pairs=3"]);
    let mut body = String::new();
    for number in 0..500 {
        match number {
            100 => body.push_str("{\"left\": 7}\n"),
            200 => body.push_str("secret\n"),
            300 => body.push_str("{\"left\": \"red sofa\", \"right\": \" \"}\n"),
            _ => {
                let pair = json!({"left": "red sofa", "right": "lamp ".repeat(number % 7 + 1), "id": number.to_string()});
                body.push_str(&pair.to_string());
                body.push('\n');
            }
        }
    }
    let answer = server.send("/v1/relevance?task=query-type", &[NDJSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), NDJSON.1);
    assert!(!answer.text.contains("secret"));
    let lines: Vec<Value> =
        answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 500);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["index"], number);
        match number {
            100 | 200 => assert_eq!(line["error"]["code"], "invalid_request"),
            300 => assert_eq!(line["error"]["code"], "empty_text"),
            _ => assert_eq!(
                (&line["id"], line["grade"].is_u64()),
                (&json!(number.to_string()), true)
            ),
        }
    }
    let again = server.post(
        "/v1/relevance",
        &json!({"task": "query-type", "pairs": [
        {"left": "red sofa", "right": "lamp ".repeat(499 % 7 + 1)}]}),
    );
    assert_eq!(again.good()["results"][0]["probabilities"], lines[499]["probabilities"]);
}

#[test]
fn a_stream_for_nobody_is_refused_as_a_whole() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    assert_eq!(server.send("/v1/relevance?model=none", &[NDJSON], b"").status, 404);
    assert_eq!(server.send("/v1/relevance?task=none", &[NDJSON], b"").status, 400);
    let empty = server.send("/v1/relevance", &[NDJSON], b"\n\n");
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
}
