//! Replacing models under a running server.

use crate::bundles;
use crate::support::{Running, TASKS, bundle, serve};
use serde_json::{Value, json};
use sextant_eval::Vote;

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

fn problem(server: &Running) -> Option<String> {
    server.get("/v1/models/main").good().get("problem").map(Value::to_string)
}

#[test]
fn a_watched_rollback_takes_the_problem_away_and_failures_are_counted() {
    let place = tempfile::tempdir().unwrap();
    let [live, good, broken] = ["live", "good", "broken"].map(|name| place.path().join(name));
    bundles::saved(&live, &TASKS, 1, false, None);
    bundles::saved(&broken, &TASKS, 2, false, None);
    std::fs::write(broken.join("bundle.json"), b"{").unwrap();
    let server = serve(&live, &["watch_seconds=1"]);
    let old = asked(&server);
    std::fs::rename(&live, &good).unwrap();
    std::fs::rename(&broken, &live).unwrap();
    server.until("the broken one is a problem", |server| problem(server).is_some());
    assert_eq!(asked(&server), old);
    assert_eq!(server.metric("sextant_model_reload_failures_total"), 1.0);
    std::fs::rename(&live, &broken).unwrap();
    std::fs::rename(&good, &live).unwrap();
    server.until("the problem is gone", |server| problem(server).is_none());
    assert_eq!(asked(&server), old);
    assert_eq!(server.metric("sextant_model_reloads_total"), 0.0);
}

#[test]
fn weights_that_changed_beside_their_manifest_are_not_taken_for_the_open_model() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let old = asked(&server);
    let weights = place.path().join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    server.reload();
    assert!(problem(&server).is_some());
    assert_eq!(asked(&server), old);
    std::fs::write(&weights, &whole).unwrap();
    server.reload();
    assert!(problem(&server).is_none());
    assert_eq!(asked(&server), old);
}

#[test]
fn a_member_of_an_ensemble_that_was_replaced_is_a_problem_until_the_manifest_names_it() {
    let place = tempfile::tempdir().unwrap();
    let folders = ["a", "b"].map(|name| place.path().join(name));
    bundles::saved(&folders[0], &TASKS, 1, false, None);
    bundles::saved(&folders[1], &TASKS, 2, false, None);
    let vote = bundles::ensemble(&place, &folders, Vote::Soft);
    let server = serve(&vote, &["watch_seconds=1"]);
    let old = asked(&server);
    bundles::saved(&folders[1], &TASKS, 3, false, None);
    server.until("the other member is a problem", |server| problem(server).is_some());
    assert_eq!(asked(&server), old);
    bundles::saved(&folders[1], &TASKS, 2, false, None);
    server.until("the problem is gone", |server| problem(server).is_none());
    assert_eq!(asked(&server), old);
}
