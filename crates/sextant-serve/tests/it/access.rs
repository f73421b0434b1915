//! Keys and origins.

use crate::support::{bundle, serve};
use serde_json::json;

#[test]
fn without_a_key_only_health_and_the_pages_are_shown() {
    let place = bundle();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "# for the shop\nfirst\n\nsecond\n").unwrap();
    let server = serve(place.path(), &[&format!("api_keys_file={}", keys.display())]);
    for (path, open) in [
        ("/health", true),
        ("/ready", true),
        ("/", true),
        ("/openapi.json", true),
        ("/v1/models", false),
        ("/info", false),
        ("/metrics", false),
    ] {
        let status = server.get(path).status;
        assert_eq!(status, if open { 200 } else { 401 }, "{path}");
        assert_eq!(
            server.get_with(path, &[("authorization", "Bearer second")]).status,
            200,
            "{path}"
        );
    }
    let body = json!({"query": "red sofa", "documents": ["lamp"]}).to_string();
    let ask =
        |key: &str| server.send("/v2/rerank", &[("authorization", key)], body.as_bytes()).status;
    assert_eq!(
        (ask("Bearer first"), ask("second"), ask("Bearer third"), ask("")),
        (200, 200, 401, 401)
    );
}

#[test]
fn other_origins_may_ask_only_if_they_are_listed() {
    let place = bundle();
    let server = serve(place.path(), &["cors_origins=[\"https://shop.example\"]"]);
    let allowed = |origin: &str| {
        let answer = server.get_with("/health", &[("origin", origin)]);
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(allowed("https://shop.example"), "https://shop.example");
    assert_eq!(allowed("https://other.example"), "");
    let closed = serve(place.path(), &[]);
    let answer = closed.get_with("/health", &[("origin", "https://shop.example")]);
    assert_eq!(answer.header("access-control-allow-origin"), "");
}
