//! What the dialects promise beside their forms (see `recorded.rs` for those).

use crate::support::{Running, bundle, serve};
use serde_json::{Value, json};

const DOCUMENTS: [&str; 4] = ["blue lamp", "red sofa", "cordless drill", "garden hose"];

/// The scores of the documents by the native API.
fn scores(server: &Running, task: &str, query: &str) -> Vec<f64> {
    let pair = |right: &&str| json!({"left": query, "right": right});
    let body = json!({"task": task, "pairs": DOCUMENTS.iter().map(pair).collect::<Vec<_>>()});
    let answer = server.post("/v1/relevance", &body).good();
    answer["results"].as_array().unwrap().iter().map(|row| row["score"].as_f64().unwrap()).collect()
}

/// Checks that results are the native ones from the best to the worst, and returns their number.
fn check(results: &Value, score: &str, expected: &[f64]) -> usize {
    let results = results.as_array().unwrap();
    let found: Vec<f64> = results.iter().map(|result| result[score].as_f64().unwrap()).collect();
    assert!(found.is_sorted_by(|a, b| a >= b), "{found:?}");
    for (result, found) in results.iter().zip(&found) {
        assert_eq!(expected[result["index"].as_u64().unwrap() as usize], *found);
    }
    results.len()
}

#[test]
fn every_reranker_ranks_as_the_native_api_scores() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let expected = scores(&server, "query-product", "red sofa");
    let of_type = scores(&server, "query-type", "red sofa");
    assert_ne!(expected, of_type);
    for (path, documents, top, results, score) in [
        ("/v1/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/v2/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/rerank", "documents", "top_k", "data", "relevance_score"),
        ("/rerank", "texts", "", "", "score"),
        ("/v1/reranking", "input", "top_k", "data", "score"),
        ("/cohere/v1/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/jina/v1/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/voyage/v1/rerank", "documents", "top_k", "data", "relevance_score"),
        ("/vllm/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/infinity/rerank", "documents", "top_n", "results", "relevance_score"),
        ("/tei/rerank", "texts", "", "", "score"),
        ("/elasticsearch/rerank", "documents", "top_n", "", "score"),
        ("/elasticsearch/rerank", "texts", "top_n", "", "score"),
    ] {
        let mut body =
            json!({"query": "red sofa", "model": "of-another-server", "unknown": {"key": [1]}});
        body[documents] = json!(DOCUMENTS);
        if !top.is_empty() {
            body[top] = json!(null);
        }
        let list =
            |answer: Value| if results.is_empty() { answer } else { answer[results].clone() };
        let answer = list(server.post(path, &body).good());
        assert_eq!(check(&answer, score, &expected), 4, "{path}");
        body["task"] = json!("query-type");
        assert_eq!(check(&list(server.post(path, &body).good()), score, &of_type), 4, "{path}");
        if !top.is_empty() {
            for (most, kept) in [(2, 2), (9, 4)] {
                body[top] = json!(most);
                let answer = list(server.post(path, &body).good());
                assert_eq!(check(&answer, score, &of_type), kept, "{path}");
            }
        }
        body["task"] = json!("secret");
        let refused = server.post(path, &body);
        assert!([400, 422].contains(&refused.status), "{path}: {}", refused.text);
        assert!(
            refused.text.contains("query-product, query-type") && !refused.text.contains("secret")
        );
    }
}

#[test]
fn documents_may_be_objects_and_come_back_as_each_api_has_them() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let drill = json!({"title": "cordless drill", "brand": "blue", "sku": 7});
    let documents = json!(["red sofa", drill, {"text": "blue lamp"}]);
    let ask = |path: &str, extra: Value| {
        let mut body = json!({"query": "red sofa", "documents": documents, "texts": documents});
        body.as_object_mut().unwrap().remove(if path.starts_with("/tei") {
            "documents"
        } else {
            "texts"
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        server.post(path, &body).good()
    };
    let of = |results: &Value, index: u64| {
        let found = results.as_array().unwrap().iter().find(|result| result["index"] == index);
        found.unwrap().clone()
    };
    let answer = ask("/v1/rerank", json!({}));
    assert_eq!(of(&answer["results"], 0)["document"], json!({"text": "red sofa"}));
    assert_eq!(of(&answer["results"], 1)["document"], drill);
    assert!(
        of(&ask("/v1/rerank", json!({"return_documents": false}))["results"], 0)
            .get("document")
            .is_none()
    );
    assert!(
        of(&ask("/v2/rerank", json!({"return_documents": true}))["results"], 0)
            .get("document")
            .is_none()
    );
    let answer = ask("/infinity/rerank", json!({"return_documents": true}));
    assert_eq!(of(&answer["results"], 1)["document"], "cordless drill");
    assert_eq!(of(&ask("/tei/rerank", json!({"return_text": true})), 2)["text"], "blue lamp");
    // The product's fields are read: without its brand it scores otherwise.
    let score = |answer: &Value| of(&answer["results"], 1)["relevance_score"].as_f64().unwrap();
    assert_ne!(
        score(&ask("/v1/rerank", json!({}))),
        score(&ask("/v1/rerank", json!({"rank_fields": ["title", "text"]})))
    );
}

#[test]
fn blank_documents_come_last_and_blank_queries_are_refused() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let answer = server
        .post("/v2/rerank", &json!({"query": "red sofa", "documents": [" ", "red sofa", ""]}))
        .good();
    let order: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["index"].as_u64().unwrap())
        .collect();
    assert_eq!(order, [1, 0, 2]);
    assert_eq!(answer["results"][1]["relevance_score"], 0.0);
    assert!(answer["meta"]["warnings"][0].as_str().unwrap().contains("2 documents have no text"));
    let all = server.post("/v2/rerank", &json!({"query": "red sofa", "documents": [" ", ""]}));
    let all = &all.good()["results"];
    assert_eq!((&all[0]["relevance_score"], &all[1]["index"]), (&json!(0.0), &json!(1)));
    // The first is blank; the second has nothing that the tokenizer can read.
    for query in [" ", "\u{ad}"] {
        for documents in [json!(["a"]), json!([" "])] {
            let refused =
                server.post("/v2/rerank", &json!({"query": query, "documents": documents}));
            assert_eq!(refused.status, 422, "{query:?}: {}", refused.text);
            assert!(refused.text.contains("the query"), "{}", refused.text);
        }
    }
    assert_eq!(
        server.post("/v2/rerank", &json!({"query": "a", "documents": []})).good()["results"],
        json!([])
    );
}

#[test]
fn names_of_models_that_are_not_there_are_refused_where_that_is_wanted() {
    let place = bundle();
    let server = serve(place.path(), &["unknown_models=refuse", "default_task=query-type"]);
    let body = json!({"model": "rerank-v3.5", "query": "red sofa", "documents": DOCUMENTS});
    assert_eq!(server.post("/v2/rerank", &body).status, 404);
    let body = json!({"model": "main", "query": "red sofa", "documents": DOCUMENTS});
    let expected = scores(&server, "query-type", "red sofa");
    check(&server.post("/v2/rerank", &body).good()["results"], "relevance_score", &expected);
}

#[test]
fn classifiers_answer_pairs_and_refuse_texts_alone() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let expected = scores(&server, "query-product", "red sofa");
    let pair = json!(["red sofa", "blue lamp"]);
    let flat = server.post("/predict", &json!({"inputs": pair})).good();
    assert_eq!(flat.as_array().unwrap().len(), 3);
    let sum: f64 =
        flat.as_array().unwrap().iter().map(|class| class["score"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    let hosted = server.post("/predict", &json!({"inputs": pair, "parameters": {}})).good();
    assert_eq!(hosted, json!([flat]));
    let named = json!({"text": "red sofa", "text_pair": "blue lamp"});
    assert_eq!(server.post("/predict", &json!({"inputs": named})).good(), flat);
    let several =
        server.post("/predict", &json!({"inputs": [pair, ["red sofa", "red sofa"]]})).good();
    assert_eq!((several[0].clone(), several.as_array().unwrap().len()), (flat, 2));
    for alone in [json!("red sofa"), json!([["red sofa"]])] {
        let refused = server.post("/predict", &json!({"inputs": alone}));
        assert_eq!(
            (refused.status, &refused.json()["error_type"]),
            (422, &json!("Validation")),
            "{}",
            refused.text
        );
        assert!(refused.json()["error"].is_string());
    }
    let refused = server.post("/predict", &json!({"inputs": [pair, ["red sofa"], pair]}));
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("pair 1 of `inputs` (counted from 0)"), "{}", refused.text);
    let answer = server
        .post("/v1/score", &json!({"model": "x", "text_1": "red sofa", "text_2": DOCUMENTS}))
        .good();
    for (index, score) in answer["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!(score["score"], expected[index]);
    }
    let answer = server.post("/classify", &json!({"model": "x", "input": [pair]})).good();
    assert_eq!(
        (&answer["data"][0]["num_classes"], answer["data"][0]["probs"].as_array().unwrap().len()),
        (&json!(3), 3)
    );
    let uneven = server.post("/score", &json!({"text_1": ["a", "b"], "text_2": ["a", "b", "c"]}));
    assert_eq!(uneven.status, 400);
}

#[test]
fn decisions_are_grades_and_other_questions_are_refused() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let levels = json!([{"label": "none"}, {"label": "some"}, {"label": "exact", "description": "all of it"}]);
    let score =
        json!({"type": "score", "name": "fit", "instructions": "How well?", "levels": levels});
    let predicate =
        json!({"type": "predicate", "instructions": "The product is relevant to the query."});
    let ask = |input: Value, questions: Value| {
        server.post("/v1/decisions", &json!({"model": "x", "input": input, "questions": questions}))
    };
    let pair = json!({"query": "red sofa", "product": "blue lamp"});
    let answer = ask(json!(pair.to_string()), json!([score, predicate])).good();
    let native = server.post(
        "/v1/relevance",
        &json!({"task": "query-product", "pairs": [{"left": "red sofa", "right": "blue lamp"}]}),
    );
    let native = &native.good()["results"][0];
    let fit = &answer["answers"][0];
    assert_eq!((&fit["name"], &fit["type"]), (&json!("fit"), &json!("score")));
    for (level, grade) in ["irrelevant", "partial", "relevant"].into_iter().enumerate() {
        assert_eq!(fit["probabilities"][level]["probability"], native["probabilities"][grade]);
        assert_eq!(fit["probabilities"][level]["label"], levels[level]["label"]);
        assert_eq!(fit["probabilities"][level]["value"], level);
    }
    assert!(
        (fit["score"].as_f64().unwrap() - 2.0 * native["score"].as_f64().unwrap()).abs() < 1e-6
    );
    assert_eq!(answer["answers"][1]["probability"], native["probabilities"]["relevant"]);
    let message = json!([{"type": "message", "role": "user", "content": pair.to_string()}]);
    assert_eq!(ask(message, json!([score])).good()["answers"][0], *fit);

    let state = json!({"state": pair, "model": "x", "questions": {
        "fit": {"type": "score", "instructions": "How well?", "criteria": ["none", "some", "exact"]},
        "relevant": {"type": "noul", "instructions": null, "criteria": null}}});
    let answer = server.post("/v1/systemone", &state).good();
    assert_eq!(answer["answers"]["fit"]["probabilities"]["2"], native["probabilities"]["relevant"]);
    assert_eq!(answer["answers"]["fit"]["legend"]["1"], "some");
    assert_eq!(answer["answers"]["relevant"]["noul"], native["probabilities"]["relevant"]);

    for (question, why) in [
        (
            json!({"type": "score", "instructions": "How?", "levels": levels.as_array().unwrap()[..2]}),
            "three levels",
        ),
        (
            json!({"type": "predicate", "instructions": "The query is polite."}),
            "read no instructions",
        ),
        (
            json!({"type": "predicate", "instructions": "The product is not relevant to the query."}),
            "does not plainly ask for relevance",
        ),
        (json!({"type": "predicate", "name": "irrelevant"}), "its opposite"),
        (
            json!({"type": "score", "instructions": "How polite is the query?", "levels": levels}),
            "does not plainly ask for relevance",
        ),
        (
            json!({"type": "score", "levels": [{"label": "rude"}, {"label": "neutral"}, {"label": "polite"}]}),
            "are others than those",
        ),
        (
            json!({"type": "score", "levels": [{"label": "relevant"}, {"label": "partial"}, {"label": "irrelevant"}]}),
            "do not rise",
        ),
        (
            json!({"type": "score", "levels": [
                {"label": "0", "description": "rude"}, {"label": "1", "description": "neutral"}, {"label": "2", "description": "polite"}]}),
            "are others than those",
        ),
        (json!({"type": "choice", "instructions": "Which?", "choices": []}), "cannot answer"),
    ] {
        let refused = ask(pair.clone(), json!([question]));
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.text.contains(why), "{}", refused.text);
    }
    for (question, why) in [
        (json!({"irrelevant": {"type": "noul"}}), "its opposite"),
        (
            json!({"q": {"type": "score", "criteria": ["rude", "neutral", "polite"]}}),
            "are others than those",
        ),
        (
            json!({"relevant": {"type": "noul", "criteria": {"true": "the text is polite"}}}),
            "`criteria`",
        ),
    ] {
        let refused = server
            .post("/v1/systemone", &json!({"state": pair, "model": "x", "questions": question}));
        assert!(refused.status == 400 && refused.text.contains(why), "{}", refused.text);
    }
    let refused = ask(json!("red sofa"), json!([score]));
    assert!(refused.status == 400 && refused.text.contains("is no pair"), "{}", refused.text);
}

#[test]
fn tei_tells_of_itself() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let info = server.get("/info").good();
    assert_eq!(info["model_type"]["reranker"]["id2label"]["2"], "relevant");
    assert_eq!((&info["server"], &info["default_model"]), (&json!("sextant"), &json!("main")));
    let answer = server.post("/rerank", &json!({"query": "red sofa", "texts": ["lamp"]}));
    assert!(answer.header("x-compute-tokens").parse::<u64>().unwrap() > 0);
    let raw = server
        .post("/rerank", &json!({"query": "red sofa", "texts": ["lamp"], "raw_scores": true}))
        .good();
    let score = answer.good()[0]["score"].as_f64().unwrap();
    assert!((raw[0]["score"].as_f64().unwrap() - (score / (1.0 - score)).ln()).abs() < 1e-4);
}

#[test]
fn tei_tokenizes_and_decodes() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let text = "red  sofá, red";
    let tokens = |body: serde_json::Value| server.post("/tokenize", &body).good();
    let with = tokens(json!({"inputs": text}));
    let row = with[0].as_array().unwrap();
    let (first, last) = (row.first().unwrap(), row.last().unwrap());
    for special in [first, last] {
        assert_eq!(special["special"], true);
        assert!(special["start"].is_null() && special["stop"].is_null());
    }
    // Every other token is the piece of the text between its characters.
    let characters: Vec<char> = text.chars().collect();
    let place_of = |token: &serde_json::Value, key: &str| token[key].as_u64().unwrap() as usize;
    for token in &row[1..row.len() - 1] {
        let piece = &characters[place_of(token, "start")..place_of(token, "stop")];
        assert_eq!(token["text"], piece.iter().collect::<String>());
        assert_eq!(token["special"], false);
    }
    let without = tokens(json!({"inputs": [text, "lamp"], "add_special_tokens": false}));
    assert_eq!(without[0].as_array().unwrap(), &row[1..row.len() - 1]);
    assert_eq!(without.as_array().unwrap().len(), 2);

    let ids: Vec<_> = row.iter().map(|token| token["id"].clone()).collect();
    let decoded = |body: serde_json::Value| server.post("/decode", &body).good();
    let plain = decoded(json!({"ids": ids}));
    assert_eq!(plain, decoded(json!({"ids": [ids], "skip_special_tokens": true})));
    let whole = decoded(json!({"ids": [ids], "skip_special_tokens": false}));
    let (whole, name) = (whole[0].as_str().unwrap(), first["text"].as_str().unwrap());
    assert!(whole.contains(name) && !plain[0].as_str().unwrap().contains(name), "{whole}");
    assert_eq!(decoded(json!({"ids": [[], []]})), json!(["", ""]));
    let refused = server.post("/decode", &json!({"ids": "one"}));
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[test]
fn requests_are_counted_by_dialect() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    server.post("/rerank", &json!({"query": "a sofa", "texts": ["lamp"]})).good();
    server.post("/v2/rerank", &json!({"query": "a sofa", "documents": ["lamp"]})).good();
    server.post("/v2/rerank", &json!({"query": 7}));
    let metrics = server.get("/metrics").text;
    for line in [
        "sextant_requests_total{dialect=\"tei\",status=\"200\"} 1",
        "sextant_requests_total{dialect=\"cohere_v2\",status=\"200\"} 1",
        "sextant_requests_total{dialect=\"cohere_v2\",status=\"400\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} of\n{metrics}");
    }
}
