//! Replacing models under a running server.

use crate::bundles;
use crate::support::{Running, TASKS, bundle, serve};
use serde_json::{Value, json};

fn asked(server: &Running) -> (Value, Value) {
    let body = json!({"task": "query-type", "pairs": [{"left": "red sofa", "right": "lamp"}]});
    let answer = server.post("/v1/relevance", &body).good();
    (answer["sha256"].clone(), answer["results"][0]["probabilities"].clone())
}

#[test]
fn a_replaced_model_answers_after_a_reload_and_a_broken_one_never() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let old = asked(&server);
    bundles::saved(place.path(), &TASKS, 2, false, None);
    assert_eq!(asked(&server), old);
    server.reload();
    let new = asked(&server);
    assert!(new.0 != old.0 && new.1 != old.1);
    assert!(server.get("/v1/models/main").good().get("problem").is_none());

    bundles::saved(place.path(), &TASKS, 3, false, None);
    std::fs::write(place.path().join("model.safetensors"), b"cut off").unwrap();
    server.reload();
    assert_eq!(asked(&server), new);
    let info = server.get("/v1/models/main").good();
    assert_eq!(info["state"], "ready");
    let problem = info["problem"].as_str().unwrap();
    assert!(problem.contains("the one before it answers"), "{problem}");
    assert!(!problem.contains(place.path().to_str().unwrap()));

    bundles::saved(place.path(), &TASKS, 1, false, None);
    server.reload();
    assert_eq!(asked(&server), old);
    assert!(server.get("/v1/models/main").good().get("problem").is_none());
}

#[test]
fn no_request_fails_while_models_are_replaced() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| (0..60).map(|_| asked(&server)).collect::<Vec<_>>());
        for seed in [2, 3, 1] {
            bundles::saved(place.path(), &TASKS, seed, false, None);
            server.reload();
        }
        let answers = asking.join().unwrap();
        // The same bundle gives the same answers, however often it was opened.
        for (sha256, probabilities) in &answers {
            let same = answers.iter().filter(|(other, _)| other == sha256);
            assert!(same.into_iter().all(|(_, other)| other == probabilities));
        }
    });
}

#[test]
fn a_watched_folder_is_reloaded_without_being_asked() {
    let place = bundle();
    let server = serve(place.path(), &["watch_seconds=1"]);
    let old = asked(&server);
    bundles::saved(place.path(), &TASKS, 2, false, None);
    server.until("the new model answers", |server| asked(server).0 != old.0);
}

#[test]
fn a_shadow_model_is_compared_off_the_critical_path() {
    let place = bundle();
    let shadow = tempfile::tempdir().unwrap();
    bundles::saved(shadow.path(), &TASKS, 2, false, None);
    let server = serve(place.path(), &[&format!("shadow={}", shadow.path().display())]);
    (0..5).for_each(|_| drop(asked(&server)));
    server.until("five pairs are compared", |server| {
        server.metric("sextant_shadow_rows_total") == 5.0
    });
    let disagreements = server.metric("sextant_shadow_disagreements_total");
    assert!(disagreements == 0.0 || disagreements == 5.0, "{disagreements}");
    assert_eq!(server.get("/v1/models").good()["data"].as_array().unwrap().len(), 1);
}
