//! Keys and origins.

use crate::support::{bundle, serve};
use serde_json::{Value, json};

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
        let answer = server.get(path);
        assert_eq!(answer.status, if open { 200 } else { 401 }, "{path}");
        assert_eq!(answer.header("www-authenticate"), if open { "" } else { "Bearer" }, "{path}");
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

fn pairs(count: usize) -> Value {
    let pair = json!({"left": "red sofa", "right": "lamp"});
    json!({"task": "query-type", "pairs": vec![pair; count]})
}

#[test]
fn a_key_beyond_its_allowance_is_refused_with_a_time_and_others_are_not() {
    let place = bundle();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "small name=shop pairs_per_second=0.5\nlarge\n").unwrap();
    let server = serve(place.path(), &[&format!("api_keys_file={}", keys.display())]);
    let ask = |key: &str, path: &str, body: Value| {
        server.send(path, &[("x-api-key", key)], body.to_string().as_bytes())
    };
    // A request may be larger than what a second brings; the next one waits for that to be paid.
    ask("small", "/v1/relevance", pairs(10)).good();
    let triple = json!({"query": "red sofa", "product": "lamp", "type": "lamps"});
    for (path, body) in [
        ("/v1/relevance", pairs(1)),
        ("/v2/rerank", json!({"query": "red sofa", "documents": ["lamp"]})),
        ("/v1/consistency", json!({"triples": [triple]})),
    ] {
        let refused = ask("small", path, body.clone());
        assert_eq!(refused.status, 429, "{path}: {}", refused.text);
        assert_eq!(refused.json()["error"]["code"], "rate_limited");
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((13..=19).contains(&seconds), "{seconds}");
        ask("large", path, body).good();
    }
    let metrics = server.get_with("/metrics", &[("x-api-key", "large")]).text;
    assert!(metrics.contains("sextant_key_pairs_total{key=\"shop\"} 10"), "{metrics}");
    assert!(metrics.contains("sextant_key_refused_total{key=\"shop\"} 3"), "{metrics}");
    assert!(!metrics.contains("small"));
}

#[test]
fn keys_are_read_again_and_a_file_without_keys_changes_nothing() {
    let place = bundle();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "old\n").unwrap();
    let server = serve(place.path(), &[&format!("api_keys_file={}", keys.display())]);
    let status = |key: &str| server.get_with("/v1/models", &[("x-api-key", key)]).status;
    assert_eq!((status("old"), status("new")), (200, 401));
    std::fs::write(&keys, "new\n").unwrap();
    server.reload();
    assert_eq!((status("old"), status("new")), (401, 200));
    for broken in ["", "new and more\n"] {
        std::fs::write(&keys, broken).unwrap();
        server.reload();
        assert_eq!((status("old"), status("new"), status("")), (401, 200, 401));
    }
}
