//! Scores that are unlike those of the dev rows.

use crate::support::{Running, bundle, serve};
use serde_json::{Value, json};

/// Answers 600 pairs and returns how their scores are spread, and the alarm.
fn asked(server: &Running) -> ([u64; 10], Option<String>) {
    let pair =
        |number: usize| json!({"left": "red sofa", "right": format!("lamp {}", number % 100)});
    let pairs: Vec<_> = (0..600).map(pair).collect();
    let body = json!({"task": "query-type", "pairs": pairs});
    let answer = server.post("/v1/relevance", &body).good();
    let mut spread = [0; 10];
    for row in answer["results"].as_array().unwrap() {
        spread[(row["score"].as_f64().unwrap() * 10.0) as usize] += 1;
    }
    let alarm = "sextant_score_drift_alarm{model=\"main\",task=\"query-type\",reference=\"dev\"} ";
    let metrics = server.get("/metrics").text;
    (spread, metrics.lines().find_map(|line| line.strip_prefix(alarm).map(str::to_owned)))
}

#[test]
fn scores_that_part_from_those_of_the_dev_rows_raise_an_alarm() {
    let place = bundle();
    let manifest = place.path().join("bundle.json");
    let with = |scores: Value| {
        let mut bundle: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
        bundle["provenance"] = json!({"dev": {"scores": {"query-type": scores}}});
        std::fs::write(&manifest, bundle.to_string()).unwrap();
        asked(&serve(place.path(), &["cache_entries=1000"]))
    };
    let (spread, alarm) = with(json!(null));
    assert_eq!(alarm, None);
    assert_eq!(with(json!(spread)).1.as_deref(), Some("0"));
    let mut elsewhere = spread;
    elsewhere.rotate_right(4);
    assert_eq!(with(json!(elsewhere)).1.as_deref(), Some("1"));
}
