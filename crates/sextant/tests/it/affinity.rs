//! Which tasks help which, through `sextant lab affinity`.

use crate::lab::{ledger, results};
use crate::support::{self, WorkFolder};
use serde_json::Value;

const GRID: &str = r#"[grid]
seeds = [1, 2]
routings = [{ prefix = false, heads = "per_task" }]

[report]
replicates = 50
"#;
const TASKS: &str = "base.tasks=[\"query-type\", \"product-type\", \"type-type\"]";

/// For each of two seeds: three tasks alone, three pairs, and the model whose gradients are compared.
const RUNS: usize = 2 * 7;

#[test]
fn pairs_of_tasks_are_trained_compared_and_grouped() {
    let place = WorkFolder::with_market();
    place.write("lab.toml", support::lab("tiny-affinity", 8, 4, GRID));
    let run = |out: &str, more: &[&str]| {
        let command = ["lab", "affinity", "lab.toml", "--out", out, "--set", TASKS];
        place.ok(&[&command[..], &["--set", "affinity.every=2"], more].concat())
    };
    let said = run("whole", &[]);
    assert_eq!(ledger(&place, "whole").len(), RUNS);
    for part in [
        "tiny: gain, percentage points",
        "with product-type",
        "alone, %",
        "tiny: cosine",
        "tiny: lookahead",
        "groups of tasks",
        "The cosine ranks the gains with a correlation of",
        "(4 looks)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // Killed in the middle and started again, it is the same.
    let command = ["lab", "affinity", "lab.toml", "--out", "killed", "--set", TASKS];
    let command = [&command[..], &["--set", "affinity.every=2"]].concat();
    let mut running = place.start(&command);
    running.until("some runs are finished", || place.lines("killed/ledger.jsonl") >= 5);
    running.kill();
    assert_eq!(run("killed", &[]).replace("killed", "whole").lines().last(), said.lines().last());
    assert_eq!(results(&place, "whole"), results(&place, "killed"));
    let summary = |out: &str| {
        let text = place.read(&format!("{out}/runs/tiny-multi-head-gradients-s1/summary.json"));
        serde_json::from_str::<Value>(&text).unwrap()["affinity"].clone()
    };
    assert_eq!(summary("whole"), summary("killed"));
    assert!(summary("whole")["pairs"][0].is_array());

    // The matrices are in the report, in every form, and they fit together.
    place.ok(&["lab", "report", "whole"]);
    let html = place.read("whole/report.html");
    assert!(html.contains("Which tasks help which") && html.contains("with type-type"));
    let report: Value = serde_json::from_str(&place.read("whole/report.json")).unwrap();
    let found = &report["affinities"][0];
    assert_eq!(found["tasks"].as_array().unwrap().len(), 3);
    for (i, j) in [(0, 1), (1, 0), (2, 1)] {
        let gain = found["gain"][i][j]["mean"]["value"].as_f64().unwrap();
        assert!(gain.abs() <= 1.0, "{gain}");
        let cosine = |i: usize, j: usize| found["cosine"][i][j].as_f64().unwrap();
        assert!(cosine(i, j) == cosine(j, i) && cosine(i, j).abs() <= 1.0);
        assert!(found["gain"][i][i].is_null() && found["cosine"][i][i].is_null());
    }
    let counts: Vec<usize> = found["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|grouping| grouping["groups"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [1, 2, 3]);
    for table in ["gain", "cosine", "lookahead", "groups"] {
        assert!(place.lines(&format!("whole/tables/affinity-{table}-tiny.csv")) >= 4, "{table}");
    }

    // Looking at gradients does not change the model: the run without looks has the same answers.
    let plain = ["lab", "run", "lab.toml", "--out", "plain", "--set", TASKS];
    place.ok(&plain);
    let answers = |path: &str| place.read(&format!("{path}/predictions-test.jsonl"));
    assert_eq!(
        answers("plain/runs/tiny-multi-head-s1"),
        answers("whole/runs/tiny-multi-head-gradients-s1")
    );

    // Machines are told the same.
    let events = run("whole", &["--json"]);
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "affinity");
    assert_eq!(last["affinities"][0]["cosine"], found["cosine"]);
}

#[test]
fn mistakes_name_their_keys() {
    let place = WorkFolder::with_market();
    place.write("lab.toml", support::lab("tiny-affinity", 8, 4, GRID));
    for (setting, expected) in [
        ("affinity.every=0", "affinity.every = 0"),
        ("base.batch.mixing=single_task", "`mixed` where `affinity` compares tasks"),
        ("base.tasks=[\"query-type\"]", "no two tasks to compare"),
        ("affinity.backbones=[\"large\"]", "names `large`"),
        ("affinity.step=1", "unknown field `step`"),
    ] {
        let error =
            place.fails(&["lab", "affinity", "lab.toml", "--out", "wrong", "--set", setting]);
        assert!(error.contains(expected), "{setting}: {error}");
    }
}
