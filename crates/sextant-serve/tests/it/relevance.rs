//! `POST /v1/relevance`.

use crate::bundles;
use crate::support::{Running, TASKS, bundle, serve};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sextant_core::{Pair, Prediction, Product, Task};
use sextant_eval::Vote;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::path::Path;

fn scorer(folder: &Path) -> Scorer {
    Scorer::open(folder, &Device::cpu(), ScorePrecision::F32).unwrap()
}

fn probabilities(answer: &Value) -> [f32; 3] {
    let of = |name: &str| answer["probabilities"][name].as_f64().unwrap() as f32;
    [of("irrelevant"), of("partial"), of("relevant")]
}

fn asked(pairs: &[Pair]) -> Value {
    let pair =
        |pair: &Pair| json!({"task": pair.task.as_str(), "left": pair.left, "right": pair.right});
    json!({"pairs": pairs.iter().map(pair).collect::<Vec<_>>()})
}

#[test]
fn answers_are_those_of_the_scorer_bit_for_bit() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let product = Product {
        title: "cordless drill".into(),
        brand: Some("blue".into()),
        attributes: vec![("hose".into(), "red".into())],
        ..Product::default()
    };
    let pairs = [
        Pair { task: Task::QueryProduct, left: "red sofa".into(), right: product.into() },
        Pair { task: Task::QueryType, left: "blue lamp".into(), right: "sofas and lamps".into() },
        Pair {
            task: Task::QueryProduct,
            left: "garden".into(),
            right: "garden hose ".repeat(200).into(),
        },
    ];
    let answer = server.post("/v1/relevance", &asked(&pairs)).good();
    let expected = scorer(place.path()).predict(&pairs).unwrap();
    for (index, prediction) in expected.iter().enumerate() {
        let found = &answer["results"][index];
        assert_eq!(found["index"], index);
        assert_eq!(probabilities(found), prediction.probs, "{found}");
        assert_eq!(found["grade"], prediction.grade() as u8);
        assert_eq!(found["label"], prediction.grade().as_str());
        assert_eq!(found["score"].as_f64().unwrap() as f32, prediction.score());
        assert_eq!(found["task"], pairs[index].task.as_str());
    }
    assert!(answer["results"][2]["cut"]["right"].as_u64().unwrap() > 0);
    assert!(answer["results"][0].get("cut").is_none());
    assert_eq!(answer["model"], "main");
    assert_eq!(answer["sha256"], server.get("/v1/models").good()["data"][0]["sha256"]);
    let tokens =
        answer["results"].as_array().unwrap().iter().map(|row| row["tokens"].as_u64().unwrap());
    assert_eq!(answer["usage"]["tokens"].as_u64().unwrap(), tokens.sum::<u64>());
}

#[test]
fn one_bad_pair_does_not_spoil_the_others() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let answer = server.post(
        "/v1/relevance",
        &json!({"task": "query-type", "pairs": [
            {"left": "red sofa", "right": "sofas", "id": "a"},
            {"left": "red sofa", "right": " "},
            {"left": "blue", "right": "lamp", "task": "type-type", "id": "c"},
            {"left": "secret", "id": "d"},
            {"left": "blue", "right": {"title": "secret"}},
            {"left": "blue", "right": {"brand": "secret"}, "task": "query-product"},
            {"left": "blue", "right": "lamp", "secret": 1},
            "secret",
            {"left": "red sofa", "right": "sofas", "id": "last"},
        ]}),
    );
    assert!(!answer.text.contains("secret"), "{}", answer.text);
    let answer = answer.good();
    let results = answer["results"].as_array().unwrap();
    assert_eq!((&results[0]["id"], results[0].get("error")), (&json!("a"), None));
    assert_eq!(results[1]["error"]["code"], "empty_text");
    assert_eq!(results[2]["error"]["code"], "unknown_task");
    assert_eq!(results[2]["id"], "c");
    assert!(results[1].get("grade").is_none());
    assert_eq!(results[3]["id"], "d");
    for (row, expected) in [
        (3, "`pairs[3]`: missing field `right`"),
        (4, "`pairs[4]`: the right side of query-type is a"),
        (5, "`pairs[5].right`: a product needs a `title`"),
        (6, "`pairs[6]`: expected one of `task`"),
        (7, "`pairs[7]`: expected an object"),
    ] {
        let error = &results[row]["error"];
        assert_eq!(error["code"], "invalid_request");
        assert!(error["message"].as_str().unwrap().starts_with(expected), "{error}");
    }
    assert_eq!(results[8]["id"], "last");
    assert_eq!(results[8]["probabilities"], results[0]["probabilities"]);
    assert_eq!((&answer["usage"]["errors"], &answer["usage"]["pairs"]), (&json!(7), &json!(9)));
}

#[test]
fn members_of_an_ensemble_show_their_votes() {
    let place = tempfile::tempdir().unwrap();
    let folders = ["a", "b"].map(|name| place.path().join(name));
    bundles::saved(&folders[0], &TASKS, 1, false, None);
    bundles::saved(&folders[1], &TASKS[..1], 2, false, None);
    let vote = bundles::ensemble(&place, &folders, Vote::Soft);
    let server = serve(&vote, &[]);
    let pair = Pair { task: Task::QueryProduct, left: "red sofa".into(), right: "lamp".into() };
    let alone = Pair { task: Task::QueryType, ..pair.clone() };
    let mut body = asked(&[pair.clone(), alone]);
    assert!(server.post("/v1/relevance", &body).good()["results"][0].get("votes").is_none());
    body["votes"] = json!(true);
    let answer = server.post("/v1/relevance", &body).good();
    let votes = answer["results"][0]["votes"].as_array().unwrap();
    for (number, (folder, found)) in folders.iter().zip(votes).enumerate() {
        let [expected] = scorer(folder).predict(std::slice::from_ref(&pair)).unwrap()[..] else {
            panic!()
        };
        assert_eq!(found["member"], format!("member-{}", number + 1));
        assert_eq!(probabilities(found), expected.probs);
    }
    assert_eq!(answer["results"][1]["votes"].as_array().unwrap().len(), 1);
    let single = serve(&folders[0], &[]);
    assert!(single.post("/v1/relevance", &body).good()["results"][0].get("votes").is_none());
    let info = &server.get("/v1/models/main").good();
    assert_eq!((&info["rule"], info["members"].as_array().unwrap().len()), (&json!("soft"), 2));
}

/// Several requests of any sizes at the same time, over small packs, so that their rows meet in packs in ever new
/// ways. The answers of each are those of its pairs alone.
#[test]
fn answers_do_not_depend_on_the_company_in_a_pack() {
    let place = bundle();
    let alone = scorer(place.path());
    let server = serve(place.path(), &["pack_tokens=300"]);
    let word =
        prop::sample::select(vec!["red", "sofa", "lamp", "cordless drill", "zinnia", "hose"]);
    let text = prop::collection::vec(word, 1..30).prop_map(|words| words.join(" "));
    let pair = (prop::sample::select(TASKS.to_vec()), text.clone(), text)
        .prop_map(|(task, left, right)| Pair { task, left: left.into(), right: right.into() });
    let requests = prop::collection::vec(prop::collection::vec(pair, 1..40), 2..6);
    let mut runner =
        TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&requests, |requests| {
            let ask = |pairs: &Vec<Pair>| server.post("/v1/relevance", &asked(pairs)).good();
            let answers: Vec<Value> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    requests.iter().map(|pairs| scope.spawn(|| ask(pairs))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for (pairs, answer) in requests.iter().zip(&answers) {
                for (pair, found) in pairs.iter().zip(answer["results"].as_array().unwrap()) {
                    let [Prediction { probs, .. }] =
                        alone.predict(std::slice::from_ref(pair)).unwrap()[..]
                    else {
                        panic!()
                    };
                    prop_assert_eq!(probabilities(found), probs);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_cache_gives_the_same_bits_and_says_so() {
    let place = bundle();
    let server = serve(place.path(), &["cache_entries=100"]);
    let pairs: Vec<_> = TASKS
        .map(|task| Pair { task, left: "red sofa".into(), right: "blue lamp".into() })
        .to_vec();
    let first = server.post("/v1/relevance", &asked(&pairs)).good();
    let second = server.post("/v1/relevance", &asked(&pairs)).good();
    assert_eq!((&first["usage"]["cached"], &second["usage"]["cached"]), (&json!(0), &json!(3)));
    assert_eq!(second["usage"]["tokens"], 0);
    for row in 0..3 {
        let (first, second) = (&first["results"][row], &second["results"][row]);
        assert_eq!(first["probabilities"], second["probabilities"]);
        assert_eq!((first.get("cached"), &second["cached"]), (None, &json!(true)));
        assert_eq!(first["tokens"], second["tokens"]);
    }
    assert_eq!(server.metric("sextant_cache_hits_total"), 3.0);
    assert_eq!(server.metric("sextant_cache_misses_total"), 3.0);
}

#[test]
fn models_are_asked_for_by_name() {
    let place = tempfile::tempdir().unwrap();
    let folders = ["a", "b"].map(|name| place.path().join(name));
    bundles::saved(&folders[0], &TASKS, 1, false, None);
    bundles::saved(&folders[1], &TASKS, 2, false, None);
    let models = format!("models=[\"a={}\", \"b={}\"]", folders[0].display(), folders[1].display());
    let server = Running::start(&[&models]);
    let pair = Pair { task: Task::QueryType, left: "red sofa".into(), right: "lamp".into() };
    for (name, folder) in
        [(json!("a"), &folders[0]), (json!("b"), &folders[1]), (json!(null), &folders[0])]
    {
        let mut body = asked(std::slice::from_ref(&pair));
        body["model"] = name;
        let found = server.post("/v1/relevance", &body).good();
        let [expected] = scorer(folder).predict(std::slice::from_ref(&pair)).unwrap()[..] else {
            panic!()
        };
        assert_eq!(probabilities(&found["results"][0]), expected.probs);
    }
    let mut body = asked(&[pair]);
    body["model"] = json!("secret");
    let refused = server.post("/v1/relevance", &body);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (404, &json!("unknown_model")));
    assert!(!refused.text.contains("secret") && refused.text.contains("a, b"), "{}", refused.text);
}

#[test]
fn lazy_models_open_at_their_first_request() {
    let place = bundle();
    let server = serve(place.path(), &["lazy=true"]);
    let closed = server.get("/v1/models/main").good();
    assert_eq!(closed["state"], "closed");
    // The manifest says them, so that nobody asks a closed model for others.
    assert_eq!(closed["tasks"], json!(TASKS.map(Task::as_str)));
    let pair = Pair { task: Task::QueryType, left: "red sofa".into(), right: "lamp".into() };
    server.post("/v1/relevance", &asked(&[pair])).good();
    assert_eq!(server.get("/v1/models/main").good()["state"], "ready");
}
