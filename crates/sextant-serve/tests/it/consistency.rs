//! `POST /v1/consistency`.

use crate::support::{bundle, serve};
use serde_json::{Value, json};

#[test]
fn the_pairs_of_a_triple_are_those_of_its_tasks() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let drill = json!({"title": "cordless drill"});
    let answer = server.post(
        "/v1/consistency",
        &json!({"triples": [
            {"query": "red sofa", "product": drill, "type": "sofas and lamps", "id": "t"},
        ]}),
    );
    let answer = answer.good();
    let triple = &answer["results"][0];
    let direct = server.post(
        "/v1/relevance",
        &json!({"pairs": [
            {"task": "query-product", "left": "red sofa", "right": drill},
            {"task": "query-type", "left": "red sofa", "right": "sofas and lamps"},
            {"task": "product-type", "left": drill, "right": "sofas and lamps"},
        ]}),
    );
    let direct = direct.good();
    assert_eq!((&triple["id"], &triple["kind"]), (&json!("t"), &json!("query-product-type")));
    let grade = |row: &Value| row["grade"].as_u64().unwrap();
    let mut grades = Vec::new();
    for row in 0..3 {
        let (pair, expected) = (&triple["pairs"][row], &direct["results"][row]);
        assert_eq!(pair["task"], expected["task"]);
        assert_eq!(pair["probabilities"], expected["probabilities"]);
        grades.push(grade(pair));
    }
    let contradictory =
        grades.iter().filter(|&&grade| grade == 2).count() == 2 && grades.contains(&0);
    assert_eq!(triple["contradictory"], contradictory);
    assert_eq!(answer["contradictory"], usize::from(contradictory));
}

#[test]
fn a_triple_that_has_no_answer_says_why() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    // The model of these tests knows no query-query.
    let answer = server.post(
        "/v1/consistency",
        &json!({"triples": [
            {"query": "red sofa", "other_query": "sofa", "product": "cordless drill"},
            {"query": "red sofa", "product": "lamp", "type": " "},
        ]}),
    );
    let answer = answer.good();
    assert_eq!(answer["results"][0]["error"]["code"], "unknown_task");
    assert_eq!(answer["results"][1]["error"]["code"], "empty_text");
    for (bad, expected) in [
        (json!({"query": "red sofa", "product": "lamp"}), "`triples[0]`: give either"),
        (
            json!({"query": "red sofa", "product": "lamp", "type": "a", "other_query": "b"}),
            "`triples[0]`: give either",
        ),
        (json!({"query": "red sofa", "type": "a"}), "`triples[0]`: missing field `product`"),
    ] {
        let good = json!({"query": "red sofa", "product": "lamp", "type": "sofas"});
        let answer = server.post("/v1/consistency", &json!({"triples": [bad, good]})).good();
        let error = &answer["results"][0]["error"];
        assert!(error["message"].as_str().unwrap().starts_with(expected), "{error}");
        assert_eq!(answer["results"][1]["pairs"].as_array().unwrap().len(), 3);
        assert_eq!(answer["usage"]["errors"], 3);
    }
}
