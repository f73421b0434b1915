//! Grids of runs: killed and resumed, reported, combined into ensembles.

use crate::support::{self, WorkFolder};
use serde_json::Value;

/// Two tasks, three routings, two single-task models, two points of a curve, three trials.
const GRID: &str = r#"[grid]
seeds = [1, 2]
single_task = true
single_task_steps = "equal"
routings = [
    { prefix = true, heads = "shared" },
    { prefix = false, heads = "shared" },
    { prefix = false, heads = "per_task", private_layers = 1 },
]

[learning_curves]
tasks = ["product-type"]
shares = [0.25, 1.0]

[ensembles]
rules = ["majority", "weighted"]
mixed = [["tiny-prefix", "tiny-mhp-1"]]

[search]
trials = 3
rounds = 2
eta = 3
keys = { "optimizer.learning_rate" = { log_uniform = [1e-4, 1e-2] }, "batch.rows" = { choice = [8, 16] } }

[report]
reference = "tiny-prefix"
replicates = 50
"#;

fn recipe() -> String {
    support::lab("tiny-lab", 20, 5, GRID)
}

/// Runs of the grid and the search: 2 seeds of 3 routings, 2 of 2 single-task models, 2 of 2 with equal
/// steps, 2 of the curve, and 3 + 1 trials.
const RUNS: usize = 6 + 4 + 4 + 2 + 4;

pub(crate) fn ledger(place: &WorkFolder, out: &str) -> Vec<Value> {
    crate::pipeline::lines(&place.read(&format!("{out}/ledger.jsonl")))
}

/// The results that must not depend on how often a grid was interrupted.
pub(crate) fn results(place: &WorkFolder, out: &str) -> Vec<String> {
    let mut found: Vec<String> = ledger(place, out)
        .iter()
        .map(|entry| {
            let keys = ["name", "fingerprint", "dev", "test_accuracy", "steps", "rows", "flops"];
            let facts: Vec<String> = keys.iter().map(|key| entry[key].to_string()).collect();
            let name = entry["name"].as_str().unwrap();
            // Trials of the search answer neither split.
            let is_trial = !entry["role"]["trial"].is_null();
            let kept = ["test", "dev"].map(|split| {
                let file = format!("{out}/runs/{name}/predictions-{split}.jsonl");
                assert_eq!(place.path(&file).exists(), !is_trial, "{file}");
                if is_trial { String::new() } else { place.read(&file) }
            });
            format!("{} {}", facts.join(" "), kept.concat())
        })
        .collect();
    found.sort();
    found
}

/// Starts the grid and kills it when so many runs are finished and the next one has begun.
fn kill_after(place: &WorkFolder, finished: usize) {
    let mut running = place.start(&["lab", "run", "lab.toml", "--out", "killed"]);
    let folders = || std::fs::read_dir(place.path("killed/runs")).map_or(0, Iterator::count);
    running.until("the grid gets on", || {
        place.lines("killed/ledger.jsonl") >= finished && folders() > finished
    });
    running.kill();
}

/// One test, because the grid that it makes serves several purposes.
#[test]
fn a_grid_is_run_killed_reported_and_put_together() {
    let place = WorkFolder::with_market();
    place.write("lab.toml", recipe());
    place.ok(&["lab", "run", "lab.toml", "--out", "whole"]);
    assert_eq!(ledger(&place, "whole").len(), RUNS);

    for finished in [1, 5, 11] {
        kill_after(&place, finished);
    }
    // A kill may leave an incomplete last line in a ledger.
    let half = place.read("killed/ledger.jsonl") + "{\"name\": \"tiny-pre";
    place.write("killed/ledger.jsonl", half);
    place.ok(&["lab", "run", "lab.toml", "--out", "killed"]);
    assert_eq!(results(&place, "whole"), results(&place, "killed"));

    // Finished runs are left alone.
    let before = place.read("whole/ledger.jsonl");
    let events = place.ok(&["lab", "run", "lab.toml", "--out", "whole", "--json"]);
    assert!(events.contains(r#""event":"opened""#) && !events.contains("started"), "{events}");
    assert_eq!(place.read("whole/ledger.jsonl"), before);

    // How often checkpoints are saved does not matter either.
    let often = ["lab", "run", "lab.toml", "--out", "whole", "--json"];
    let often = [&often[..], &["--set", "base.checkpoint.minutes=0"]].concat();
    let events = place.ok(&often);
    assert!(events.contains(r#""event":"opened""#) && !events.contains("started"), "{events}");
    assert_eq!(place.read("whole/ledger.jsonl"), before);

    // Order: the first seed of every routing, then its baselines.
    let entries = ledger(&place, "whole");
    let names: Vec<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(
        names[..6],
        [
            "tiny-prefix-s1",
            "tiny-shared-s1",
            "tiny-mhp-1-s1",
            "tiny-single-query-type-s1",
            "tiny-single-product-type-s1",
            "tiny-prefix-s2"
        ]
    );
    for entry in &entries {
        for key in ["flops", "tokens", "seconds", "trainable_parameters"] {
            assert!(entry[key].as_f64().unwrap() > 0.0, "{key}: {entry}");
        }
        assert_eq!(entry["data_sha256"].as_str().unwrap().len(), 64);
        // Two blocks, all trained: 6 operations per token for each weight of a matrix product, and the
        // same per row for the head.
        let blocks = 2.0 * (4.0 * 16.0 * 16.0 + 2.0 * 16.0 * 32.0);
        let [flops, tokens, rows] =
            ["flops", "tokens", "rows"].map(|key| entry[key].as_f64().unwrap());
        assert_eq!(flops, 6.0 * (blocks * tokens + 16.0 * 3.0 * rows), "{entry}");
    }

    let said = place.ok(&["lab", "status", "whole"]);
    assert!(said.contains("16 of 16 runs finished"), "{said}");
    let said = place.ok(&["lab", "report", "whole"]);
    assert!(said.contains("report.html"), "{said}");
    report(&place);

    // A report is refused if the predictions of a run are incomplete.
    let answers = "whole/runs/tiny-prefix-s1/predictions-test.jsonl";
    let whole = place.read(answers);
    place.write(answers, whole.split_inclusive('\n').take(10).collect::<String>());
    let error = place.fails(&["lab", "report", "whole"]);
    assert!(error.contains("predictions-test.jsonl: 10 rows of "), "{error}");
    place.write(answers, whole);

    // An ensemble of the report can be used as a model, with the accuracy that the report states.
    let report: Value = serde_json::from_str(&place.read("whole/report.json")).unwrap();
    for row in report["ensembles"]["rows"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        if !["tiny-prefix-majority", "tiny-single-task-weighted"].contains(&name) {
            continue;
        }
        let folder = format!("whole/ensembles/{name}");
        place.ok(&["eval", &folder, "market", "--out", "eval.json", "--overwrite"]);
        let eval: Value = serde_json::from_str(&place.read("eval.json")).unwrap();
        let accuracy = eval["pooled"]["metrics"]["accuracy"]["value"].as_f64().unwrap();
        let stated = row["scores"][2]["accuracy"]["value"].as_f64().unwrap();
        assert!((accuracy - stated).abs() < 1e-9, "{name}: {accuracy}, {stated}");
        assert!(place.ok(&["inspect", &folder]).contains("\"rule\""));
    }
    ensembles(&place);
    mistakes(&place);
}

/// What a report must contain.
fn report(place: &WorkFolder) {
    let html = place.read("whole/report.html");
    for id in [
        "accuracy",
        "ensembles",
        "prefix",
        "gains",
        "curves",
        "confusions",
        "calibration",
        "abstention",
        "cost",
        "search",
        "data",
        "runs",
        "recipe",
    ] {
        assert!(html.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    let markdown = place.read("whole/report.md");
    assert!(markdown.contains("| tiny-mhp-1 | 1 2 |"), "{markdown}");
    for table in ["accuracy", "scores", "gains", "ensembles", "cost", "runs", "search"] {
        assert!(place.read(&format!("whole/tables/{table}.csv")).lines().count() > 1, "{table}");
    }
}

/// `sextant ensemble`, and the commands that use the ensembles it makes.
fn ensembles(place: &WorkFolder) {
    let run = |name: &str| format!("whole/runs/{name}");
    let [first, second] = ["tiny-prefix-s1", "tiny-mhp-1-s1"].map(run);
    place.ok(&["ensemble", &first, &second, "--rule", "soft", "--out", "soft"]);
    place.ok(&["score", "soft", "market/test.jsonl", "scored.jsonl", "--skip-bad"]);
    let scored = crate::pipeline::lines(&place.read("scored.jsonl"));
    assert!(!scored.is_empty() && scored.iter().all(|row| row["probs"].is_array()));

    // Soft voting is the mean of the members' probabilities.
    place.ok(&["score", &format!("{first}/bundle"), "market/test.jsonl", "a.jsonl", "--skip-bad"]);
    place.ok(&["score", &format!("{second}/bundle"), "market/test.jsonl", "b.jsonl", "--skip-bad"]);
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| crate::pipeline::lines(&place.read(name)));
    let p = |row: &Value, k: usize| row["probs"][k].as_f64().unwrap();
    for ((soft, a), b) in scored.iter().zip(&a).zip(&b) {
        for k in 0..3 {
            assert!((p(soft, k) - f64::midpoint(p(a, k), p(b, k))).abs() < 1e-6);
        }
    }

    // Two models of one task each become one model of both tasks.
    let singles = ["query-type", "product-type"].map(|task| run(&format!("tiny-single-{task}-s1")));
    place.ok(&["ensemble", &singles[0], &singles[1], "--out", "both"]);
    let said = place.ok(&["eval", "both", "market"]);
    assert!(said.contains("query-type") && said.contains("product-type"), "{said}");
    let refused = place.fails(&["ensemble", &first, "--rule", "weighted", "--out", "w"]);
    assert!(refused.contains("--data"), "{refused}");
    let refused = place.fails(&["ensemble", &first, &second, "--out", "whole/runs"]);
    assert!(refused.contains("whole/runs: it is there already"), "{refused}");

    // A member that changed is noticed.
    let manifest = place.read("whole/runs/tiny-mhp-1-s1/bundle/bundle.json");
    place.write("whole/runs/tiny-mhp-1-s1/bundle/bundle.json", manifest.clone() + " ");
    let refused = place.fails(&["eval", "soft", "market"]);
    assert!(refused.contains("SHA-256 differs"), "{refused}");
    place.write("whole/runs/tiny-mhp-1-s1/bundle/bundle.json", manifest);
}

/// All mistakes are reported at once, before anything runs.
fn mistakes(place: &WorkFolder) {
    let bad = recipe()
        .replace("private_layers = 1", "private_layers = 9")
        .replace("learning_rate = 2e-3", "learning_rate = -1.0")
        .replace("reference = \"tiny-prefix\"", "reference = \"nobody\"");
    place.write("bad.toml", bad);
    let error = place.fails(&["lab", "run", "bad.toml", "--out", "bad"]);
    for part in ["tiny-mhp-9-s1", "private_layers", "optimizer.learning_rate = -1", "nobody"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!place.path("bad").exists());
    let error = place.fails(&["lab", "run", "lab.toml", "--set", "grid.sseds=[1]"]);
    assert!(error.contains("sseds"), "{error}");
    let other = recipe().replace("learning_rate = 2e-3", "learning_rate = 3e-3");
    place.write("other.toml", other);
    let error = place.fails(&["lab", "run", "other.toml", "--out", "whole"]);
    assert!(error.contains("another recipe"), "{error}");
    assert!(place.fails(&["lab", "run", "lab.toml", "--budget", "soon"]).contains("is no time"));
    assert!(place.fails(&["lab", "report", "market"]).contains("is no lab's folder"));
}
