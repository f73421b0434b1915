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

#[test]
fn every_operation_has_its_parameters_keys_and_errors() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let document = server.get("/openapi.json").good();
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["bearer"]["type"], &schemes["bearer"]["scheme"]),
        (&"http".into(), &"bearer".into())
    );
    assert_eq!(
        (&schemes["x-api-key"]["in"], &schemes["x-api-key"]["name"]),
        (&"header".into(), &"x-api-key".into())
    );
    for (path, item) in document["paths"].as_object().unwrap() {
        let of_path: Vec<&str> =
            path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
        for (method, operation) in item.as_object().unwrap() {
            let none = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&none);
            let named: Vec<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(named, of_path, "{method} {path}");
            for parameter in parameters {
                assert!(
                    ["path", "query"].contains(&parameter["in"].as_str().unwrap()),
                    "{parameter}"
                );
                assert_eq!(parameter["required"] == true, parameter["in"] == "path", "{parameter}");
            }
            let answers = operation["responses"].as_object().unwrap();
            let errors: Vec<_> =
                answers.iter().filter(|(status, _)| status.starts_with('4')).collect();
            assert!(!errors.is_empty(), "{method} {path}");
            for (status, answer) in errors {
                let schema = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorBody", "{method} {path} {status}");
            }
            let open = ["/health", "/ready"].contains(&path.as_str());
            assert_eq!(operation["security"].is_array(), !open, "{method} {path}");
            assert_eq!(answers.contains_key("401"), !open, "{method} {path}");
        }
    }
    let stream = document["paths"]["/v1/relevance"]["post"]["parameters"].as_array().unwrap();
    let names: Vec<_> =
        stream.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["model", "task", "votes"]);
}
