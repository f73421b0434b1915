//! Bodies in their packings, and bodies that are wrong.

use crate::support::{bundle, serve};
use serde_json::json;
use std::io::Write;

#[test]
fn packed_bodies_are_unpacked_within_the_limit() {
    let place = bundle();
    let server = serve(place.path(), &["max_body_bytes=10000"]);
    let gzip = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let small =
        json!({"task": "query-type", "pairs": [{"left": "red sofa", "right": "lamp"}]}).to_string();
    let bomb = vec![b' '; 50_000_000];
    for (name, pack) in [("gzip", &gzip as &dyn Fn(&[u8]) -> Vec<u8>), ("zstd", &zstd)] {
        let send =
            |body: &[u8]| server.send("/v1/relevance", &[("content-encoding", name)], &pack(body));
        send(small.as_bytes()).good();
        assert!(pack(&bomb).len() < 60_000);
        let refused = send(&bomb);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &json!("too_large")));
        let broken = server.send("/v1/relevance", &[("content-encoding", name)], b"not packed");
        assert_eq!(broken.status, 400, "{}", broken.text);
    }
    let unknown = server.send("/v1/relevance", &[("content-encoding", "br")], small.as_bytes());
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["code"]),
        (415, &json!("invalid_request"))
    );
}

#[test]
fn every_error_has_the_message_where_clients_look_for_it_and_no_text_of_the_request() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    for (path, body, status) in [
        ("/v1/relevance", r#"{"pairs":[{"left":"secret","right":3}]}"#, 400),
        ("/v1/relevance", r#"{"pairs":[{"left":"secret","right":"secret"}]}"#, 400),
        ("/v1/relevance", r#"{"secret":1}"#, 400),
        ("/v1/relevance", "secret", 400),
        ("/v1/relevance", "", 400),
        (
            "/v1/relevance",
            r#"{"task":"query-type","pairs":[{"left":{"title":"secret"},"right":"b"}]}"#,
            400,
        ),
        ("/v2/rerank", r#"{"query":"secret"}"#, 400),
        ("/v1/rerank", r#"{"query":" ","documents":["secret"]}"#, 422),
        ("/v1/rerank", r#"{"query":"a","documents":[{"secret":"secret"}]}"#, 400),
        ("/v1/secret", "{}", 404),
    ] {
        let refused = server.send(path, &[], body.as_bytes());
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text);
        let json = refused.json();
        let message = json["message"].as_str().unwrap();
        assert!(
            !message.is_empty() && json["detail"] == message && json["error"]["message"] == message
        );
        assert!(!refused.text.contains("secret"), "{path} {body}: {}", refused.text);
        assert!(!refused.text.contains(place.path().to_str().unwrap()));
    }
    assert_eq!(server.get("/v1/relevance").status, 405);
}

#[test]
fn request_ids_come_back_unless_they_could_spoil_a_log() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let id = |given: &str| {
        server.get_with("/health", &[("x-request-id", given)]).header("x-request-id").to_owned()
    };
    assert_eq!(id("abc-1.2_3"), "abc-1.2_3");
    let long = "a".repeat(65);
    for bad in ["a b", "", long.as_str()] {
        let new = id(bad);
        assert!(new != bad && new.len() > 10, "{new}");
    }
    assert_ne!(
        server.get("/health").header("x-request-id"),
        server.get("/health").header("x-request-id")
    );
}
