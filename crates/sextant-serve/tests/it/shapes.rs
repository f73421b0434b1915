//! Requests of programs that are too large to run here, in the forms that their sources write, and what their sources
//! read of the answers: Open WebUI (`retrieval/models/external.py`), Dify (`openai_api_compatible`), OpenSearch (the
//! blueprint of a connector to Cohere) and Elasticsearch (the inference service `hugging_face`).

use crate::support::{Answer, Running, bundle, serve};
use serde_json::{Value, json};

const DOCUMENTS: [&str; 3] = ["Red sofa, two seats", "Garden hose", "Lamp"];

/// The scores by the places of documents, as the native API has them.
fn expected(server: &Running) -> Vec<f64> {
    let pairs = DOCUMENTS.map(|text| json!({"left": "red sofa", "right": text}));
    let answer = server.post("/v1/relevance", &json!({"task": "query-product", "pairs": pairs}));
    let results = answer.good()["results"].clone();
    results.as_array().unwrap().iter().map(|row| row["score"].as_f64().unwrap()).collect()
}

fn ask(server: &Running, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers: Vec<_> =
        headers.iter().copied().chain([("content-type", "application/json")]).collect();
    server.send(path, &headers, body.to_string().as_bytes())
}

/// Checks places with a key for the score, and returns the index of each.
fn places(list: &Value, score: &str, expected: &[f64]) -> Vec<usize> {
    let place = |place: &Value| {
        let index = place["index"].as_u64().unwrap() as usize;
        assert!((place[score].as_f64().unwrap() - expected[index]).abs() < 1e-6, "{place}");
        index
    };
    list.as_array().unwrap().iter().map(place).collect()
}

/// Open WebUI wants a score for every document, in any order.
#[test]
fn open_webui() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let expected = expected(&server);
    let body = json!({
        "model": "", "query": "red sofa", "documents": DOCUMENTS, "top_n": DOCUMENTS.len(),
    });
    let headers = [
        ("authorization", "Bearer "),
        ("x-openwebui-user-name", "A%20User"),
        ("x-openwebui-user-role", "admin"),
    ];
    let answer = ask(&server, "/v1/rerank", &headers, &body).good();
    let mut found = places(&answer["results"], "relevance_score", &expected);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2]);
}

/// Dify takes a document as an object with its text or as a text, and sends an empty header where there is no key. The
/// key of the documents may be chosen.
#[test]
fn dify() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let expected = expected(&server);
    for key in ["documents", "texts"] {
        let mut body = json!({
            "model": "rerank", "query": "red sofa", "top_n": 2, "return_documents": true,
        });
        body[key] = json!(DOCUMENTS);
        for path in ["/v1/rerank", "/rerank"] {
            let answer = ask(&server, path, &[("authorization", "")], &body).good();
            if key == "texts" {
                // That key names TEI's API, whose answer is a bare list.
                assert_eq!(places(&answer, "score", &expected).len(), 2, "{path}");
                continue;
            }
            let results = &answer["results"];
            for (index, result) in places(results, "relevance_score", &expected)
                .into_iter()
                .zip(results.as_array().unwrap())
            {
                let document = &result["document"];
                let text = document.as_str().or_else(|| document["text"].as_str());
                assert_eq!(text, Some(DOCUMENTS[index]), "{path}");
            }
            assert_eq!(results.as_array().unwrap().len(), 2);
        }
    }
}

/// The connector's post-processing reads the index and the score of each result.
#[test]
fn opensearch() {
    let place = bundle();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "cohere-key name=opensearch\n").unwrap();
    let server = serve(place.path(), &[]);
    let expected = expected(&server);
    let server = serve(place.path(), &[&format!("api_keys_file={}", keys.display())]);
    let body = json!({
        "documents": DOCUMENTS, "query": "red sofa", "model": "rerank-english-v3.0", "top_n": 3,
        "return_documents": true,
    });
    let headers =
        [("authorization", "Bearer cohere-key"), ("request-source", "unspecified:opensearch")];
    for path in ["/v1/rerank", "/cohere/v1/rerank"] {
        let answer = ask(&server, path, &headers, &body).good();
        assert_eq!(places(&answer["results"], "relevance_score", &expected).len(), 3, "{path}");
    }
    assert_eq!(ask(&server, "/v1/rerank", &[], &body).status, 401);
}

/// Elasticsearch's parser reads a bare list, and fails at a key that it does not know.
#[test]
fn elasticsearch() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let expected = expected(&server);
    for (return_text, keys) in
        [(false, &["index", "score"][..]), (true, &["index", "score", "text"])]
    {
        let body = json!({
            "query": "red sofa", "texts": DOCUMENTS, "return_text": return_text, "top_n": 3,
        });
        let headers = [("authorization", "Bearer token")];
        let answer = ask(&server, "/elasticsearch/rerank", &headers, &body).good();
        assert_eq!(places(&answer, "score", &expected).len(), 3);
        for result in answer.as_array().unwrap() {
            let mut found: Vec<_> = result.as_object().unwrap().keys().collect();
            found.sort_unstable();
            assert_eq!(found, keys);
        }
    }
}
