//! Decision rules and cascades: fitted on dev rows, and used as any other model.

use crate::support::WorkFolder;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The accuracy, macro-F1 and rows of a report.
fn pooled(place: &WorkFolder, model: &str, split: &str) -> (f64, f64, Value) {
    let out = format!("report-{}.json", model.replace('/', "-"));
    place.ok(&["eval", model, "market", "--split", split, "--out", &out, "--overwrite"]);
    let report = json(&place.read(&out));
    let value = |metric: &str| report["pooled"]["metrics"][metric]["value"].as_f64().unwrap();
    (value("accuracy"), value("macro_f1"), report)
}

#[test]
fn rules_are_fitted_kept_and_applied_everywhere() {
    let place = WorkFolder::with_bundle();
    let said =
        place.ok(&["decide", "runs/tiny", "market", "--objective", "macro_f1", "--out", "decided"]);
    assert!(
        said.contains("decided: macro_f1 on dev rows") && said.contains("cross-fitted"),
        "{said}"
    );
    let manifest = json(&place.read("decided/bundle.json"));
    let rules = manifest["decisions"].as_object().unwrap();
    assert!(!rules.is_empty(), "a model of 20 steps never finds every grade: {said}");
    let fitted = &manifest["provenance"]["decisions"]["fitted"];
    let (before, after) =
        (pooled(&place, "runs/tiny/bundle", "dev"), pooled(&place, "decided", "dev"));
    for (task, metrics) in after.2["tasks"].as_object().unwrap() {
        // What the fit says is what the evaluation says.
        let stated = if rules.contains_key(task) { "fitted" } else { "before" };
        let found = metrics["metrics"]["macro_f1"]["value"].as_f64().unwrap();
        assert!((found - fitted[task][stated].as_f64().unwrap()).abs() < 1e-9, "{task}");
        // Probabilities are untouched.
        assert_eq!(metrics["metrics"]["log_loss"], before.2["tasks"][task]["metrics"]["log_loss"]);
    }
    assert!(after.1 > before.1, "{before:?}");

    // Scoring and ensembles of the bundle take the rule's grade.
    place.write("pair.jsonl", place.read("market/dev.jsonl"));
    place.ok(&["score", "decided", "pair.jsonl", "scored.jsonl"]);
    let right = place
        .read("scored.jsonl")
        .lines()
        .filter(|line| {
            let row = json(line);
            row["grade"] == row["predicted_grade"]
        })
        .count();
    let rows = place.read("scored.jsonl").lines().count();
    assert!((right as f64 / rows as f64 - after.0).abs() < 1e-9);
    place.ok(&["ensemble", "decided", "--out", "alone"]);
    assert_eq!(pooled(&place, "alone", "dev").1, after.1);

    // An ensemble has rules of its own, which its folder keeps.
    place.ok(&["ensemble", "runs/tiny", "decided", "--out", "both"]);
    place.ok(&[
        "decide",
        "both",
        "market",
        "--objective",
        "quadratic_kappa",
        "--out",
        "deep/both-decided",
    ]);
    let manifest = json(&place.read("deep/both-decided/ensemble.json"));
    assert!(
        manifest["decisions"].is_object() && manifest["members"].as_array().unwrap().len() == 2
    );
    pooled(&place, "deep/both-decided", "test");

    let error = place.fails(&[
        "decide",
        "runs/tiny",
        "market",
        "--objective",
        "macro_f1",
        "--out",
        "decided",
    ]);
    assert!(error.contains("--overwrite"), "{error}");
    let error = place.fails(&["decide", "runs/tiny", "market", "--objective", "f1", "--out", "x"]);
    assert!(error.contains("quadratic_kappa"), "{error}");
    let error = place.fails(&[
        "decide",
        "runs/tiny",
        "market",
        "--objective",
        "cost=1,1,1/1,0,1/1,1,0",
        "--out",
        "x",
    ]);
    assert!(error.contains("diagonal"), "{error}");
}

#[test]
fn a_recipe_may_ask_for_rules_and_for_balanced_grades() {
    let place = WorkFolder::with_market();
    let settings = ["dev.decide=macro_f1", "loss.class_balance=0.999", "loss.focal_gamma=2.0"];
    let mut args = vec!["train", "tiny.toml", "--out", "runs/asked"];
    for setting in &settings {
        args.extend(["--set", setting]);
    }
    place.ok(&args);
    let manifest = json(&place.read("runs/asked/bundle/bundle.json"));
    assert!(!manifest["decisions"].as_object().unwrap().is_empty());
    let about = &manifest["provenance"];
    assert_eq!(about["decisions"]["objective"], "macro_f1");
    assert!((about["recipe"]["loss"]["class_balance"].as_f64().unwrap() - 0.999).abs() < 1e-6);
    // Adding up to no other run: the weights differ from those of the plain recipe.
    let plain = WorkFolder::with_bundle();
    let weights = |manifest: &Value| manifest["files"]["model.safetensors"].clone();
    assert_ne!(weights(&manifest), weights(&json(&plain.read("runs/tiny/bundle/bundle.json"))));
    for (setting, expected) in [
        ("loss.class_balance=2.0", "`class_balance` 2"),
        ("loss.focal_gamma=-1.0", "`focal_gamma` -1"),
        ("dev.decide={cost=[[0,1,1],[1,0,1],[1,1,1]]}", "dev.decide"),
        ("dev.decide=f1", "dev"),
    ] {
        let error = place.fails(&["train", "tiny.toml", "--set", setting, "--out", "runs/wrong"]);
        assert!(error.contains(expected), "{setting}: {error}");
    }
}

#[test]
fn a_cascade_asks_the_large_model_where_the_small_one_is_not_sure() {
    let place = WorkFolder::with_bundle();
    place.ok(&[
        "train",
        "tiny.toml",
        "--set",
        "schedule.steps=150",
        "--set",
        "dev.every=50",
        "--out",
        "runs/large",
    ]);
    let cascade = |out: &str, target: &[&str]| {
        let mut args = vec!["cascade", "runs/tiny", "runs/large", "--data", "market", "--out", out];
        args.extend(target);
        place.ok(&args)
    };
    let said = cascade("cascade", &["--share", "0.5"]);
    assert!(said.contains("asks the large model"), "{said}");
    let manifest = json(&place.read("cascade/ensemble.json"));
    let chosen = &manifest["provenance"]["chosen"];
    let share = chosen["passed_on"].as_f64().unwrap();
    assert!(share > 0.0 && share <= 0.5, "{manifest}");
    // What the curve states is what the cascade does.
    let [small, large, both] =
        ["runs/tiny/bundle", "runs/large/bundle", "cascade"].map(|m| pooled(&place, m, "dev").0);
    assert!((both - chosen["accuracy"].as_f64().unwrap()).abs() < 1e-9);
    assert!(small < both, "{small} {both} {large}");
    let curve = manifest["provenance"]["curve"].as_array().unwrap();
    assert_eq!(curve[0]["accuracy"].as_f64().unwrap(), small);

    // The extremes: every question that helps, and none.
    cascade("all", &["--gain", "1"]);
    assert!(pooled(&place, "all", "dev").0 >= both);
    cascade("none", &["--share", "0"]);
    assert_eq!(pooled(&place, "none", "dev").0, small);
    cascade("aim", &["--accuracy", &format!("{:.4}", f64::midpoint(small, both))]);
    let aimed = pooled(&place, "aim", "dev").0;
    assert!(aimed >= f64::midpoint(small, both) - 1e-4 && aimed <= both);

    // A model like any other.
    place.ok(&["score", "cascade", "market/test.jsonl", "scored.jsonl"]);
    assert!(place.ok(&["inspect", "cascade"]).contains("\"first_stage\": 1"));
    place.ok(&["decide", "cascade", "market", "--objective", "macro_f1", "--out", "decided"]);
    assert!(json(&place.read("decided/ensemble.json"))["cascade"].is_object());
    for (args, expected) in [
        (&["cascade", "cascade", "runs/large"][..], "is a cascade already"),
        (&["cascade", "runs/tiny", "runs/tiny"], "only cost time"),
        (&["cascade", "runs/tiny", "runs/large", "--accuracy", "1"], "the best accuracy is"),
        (&["cascade", "runs/tiny", "runs/large", "--cost", "0"], "the small model alone takes"),
        (
            &["cascade", "runs/tiny", "runs/large", "--gain", "1", "--share", "1"],
            "cannot be used with",
        ),
    ] {
        let error = place.fails(&[args, &["--data", "market", "--out", "wrong"]].concat());
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    assert!(!place.path("wrong").exists());
}
