//! The OpenAPI document, its page, and the page at `/`.

use crate::support::{bundle, serve};

#[test]
fn the_document_describes_every_native_route() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let document = server.get("/openapi.json").good();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for path in [
        "/v1/relevance",
        "/v1/consistency",
        "/v1/models",
        "/v1/models/{model}",
        "/health",
        "/ready",
        "/metrics",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    for path in ["/v2/rerank", "/rerank", "/predict", "/infinity/rerank", "/v1/decisions"] {
        assert_eq!(document["paths"][path]["post"]["tags"][0], "dialects", "{path}");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in
        ["RelevanceRequest", "RelevanceResponse", "PairOutcome", "Entity", "ErrorBody", "Triple"]
    {
        assert!(schemas.contains_key(name), "{name} of {:?}", schemas.keys());
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn pages_need_no_other_server() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let index = server.get("/");
    assert_eq!(index.status, 200);
    assert!(index.header("content-type").starts_with("text/html"));
    let policy = index.header("content-security-policy");
    assert!(policy.starts_with("default-src '") && !policy.contains("http"), "{policy}");
    let docs = server.get("/docs/");
    assert_eq!(docs.status, 200);
    for page in [&index, &docs] {
        assert!(
            !page.text.contains("src=\"http") && !page.text.contains("href=\"http"),
            "{}",
            page.text
        );
    }
    for asset in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert_eq!(server.get(&format!("/docs/{asset}")).status, 200, "{asset}");
    }
    assert_eq!(server.get("/assets/none.js").status, 404);
}
