//! Documents of rerank requests that are refused.

use crate::support::{bundle, serve};
use serde_json::{Value, json};

#[test]
fn a_document_with_a_key_twice_is_refused() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    for (path, documents) in
        [("/v2/rerank", "documents"), ("/tei/rerank", "texts"), ("/rerank", "documents")]
    {
        let body = format!(
            r#"{{"query": "red sofa", "{documents}": [{{"title": "sofa", "title": "lamp"}}]}}"#
        );
        let refused = server.send(path, &[("content-type", "application/json")], body.as_bytes());
        assert!([400, 422].contains(&refused.status), "{path}: {}", refused.text);
        assert!(refused.text.contains("a key stands twice"), "{path}: {}", refused.text);
    }
}

#[test]
fn a_client_may_forbid_that_texts_are_cut() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let long = "red sofa ".repeat(400);
    for (path, documents, top, key) in [
        ("/voyage/v1/rerank", "documents", "top_k", "truncation"),
        ("/tei/rerank", "texts", "top_n", "truncate"),
    ] {
        let ask = |documents_asked: Value, cutting: bool| {
            let body =
                json!({"query": "red sofa", documents: documents_asked, top: 1, key: cutting});
            server.post(path, &body)
        };
        ask(json!(["blue", long]), true).good();
        ask(json!(["blue", "sofa"]), false).good();
        let refused = ask(json!(["blue", long]), false);
        assert_eq!(refused.status, 413, "{path}: {}", refused.text);
        assert!(refused.text.contains("document 1 (counted from 0)"), "{}", refused.text);
    }
}
