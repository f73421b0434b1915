//! From files to scores, one command after the other.

use crate::support::WorkFolder;
use serde_json::Value;

#[test]
fn a_market_is_made_the_same_twice_and_passes_its_check() {
    let place = WorkFolder::empty();
    for out in ["one", "two"] {
        place.ok(&["data", "market", out, "--rows", "300", "--seed", "5"]);
    }
    for file in ["train.jsonl", "dev.jsonl", "test.jsonl"] {
        assert_eq!(place.read(&format!("one/{file}")), place.read(&format!("two/{file}")));
    }
    let report: Value =
        serde_json::from_str(&place.ok(&["data", "check", "one", "--json"])).unwrap();
    assert_eq!(report["tasks"].as_array().unwrap().len(), 6);
    let card = place.ok(&["data", "stats", "one"]);
    assert!(card.contains("query-product") && card.contains("SHA-256"), "{card}");
    place.ok(&["data", "stats", "one", "--out", "card.md"]);
    assert_eq!(place.read("card.md").trim_end(), card.trim_end());
    assert_eq!(place.ok(&["inspect", "one"]).trim_end(), card.trim_end());
}

#[test]
fn a_trained_bundle_evaluates_scores_and_explains_itself() {
    let place = WorkFolder::with_bundle();
    assert_eq!(
        place.names("runs/tiny"),
        [".sextant-files", "bundle", "checkpoint", "curves.html", "log.jsonl", "summary.json"]
    );
    let curves = place.read("runs/tiny/curves.html");
    assert!(curves.contains("Training of tiny") && curves.matches("<svg").count() == 4);
    assert_eq!(
        place.names("runs/tiny/bundle"),
        ["bundle.json", "model.safetensors", "tokenizer.json"]
    );
    let manifest: Value =
        serde_json::from_str(&place.ok(&["inspect", "runs/tiny/bundle"])).unwrap();
    assert_eq!(manifest["spec"]["routing"]["private_layers"], 1);
    assert_eq!(manifest["provenance"]["recipe"]["name"], "tiny");
    // How the scores of the sixty dev rows that the recipe takes are spread.
    let scores = manifest["provenance"]["dev"]["scores"].as_object().unwrap();
    assert_eq!(scores.len(), 6);
    let counts = scores.values().flat_map(|bins| bins.as_array().unwrap());
    assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 60);

    let text = place.ok(&["eval", "runs/tiny/bundle", "market", "--out", "report.json"]);
    for part in ["query-product", "type-type", "accuracy"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let report: Value = serde_json::from_str(&place.read("report.json")).unwrap();
    assert_eq!(report["tasks"].as_object().unwrap().len(), 6);

    // The same rows in one file with splits give the same report but for its name.
    let parts = ["train", "dev", "test"].map(|part| place.read(&format!("market/{part}.jsonl")));
    place.write("market.jsonl", parts.concat());
    place.ok(&["eval", "runs/tiny/bundle", "market.jsonl", "--out", "one-file.json"]);
    let one_file: Value = serde_json::from_str(&place.read("one-file.json")).unwrap();
    assert_eq!(one_file["pooled"], report["pooled"]);
}

#[test]
fn runs_are_compared_on_the_same_rows() {
    let place = WorkFolder::with_bundle();
    for task in ["query-type", "type-type"] {
        let (name, tasks) = (format!("name=\"{task}\""), format!("tasks=[\"{task}\"]"));
        place.ok(&["train", "tiny.toml", "--set", &name, "--set", &tasks]);
    }
    let test = place.read("market/test.jsonl");
    let kept = |line: &&str| line.contains("query-type") || line.contains("type-type");
    let two: String = test.split_inclusive('\n').filter(kept).collect();
    place.write("two.jsonl", two);
    let single = "single=runs/query-type,runs/type-type";
    let args = ["compare", "runs/tiny", "int8=runs/tiny@int8", single, "--data", "two.jsonl"];
    let said = place.ok(&[&args[..], &["--out", "compared.md"]].concat());
    let report = place.read("compared.md");
    for part in ["tiny", "int8", "single", "majority grade", "query-type"] {
        assert!(said.contains(part) && report.contains(part), "{part}");
    }
    assert!(report.contains("Differences from tiny"), "{report}");
    assert!(said.contains("Differences from tiny"), "{said}");
    for part in ["Cohen's h", "odds ratio", "p (McNemar, exact)"] {
        assert!(said.contains(part) && report.contains(part), "{part}");
    }
    assert!(place.read("compared.csv").starts_with("run,kind,metric"));
    let error = place.fails(&["compare", "runs/query-type", "--data", "two.jsonl"]);
    assert!(error.contains("no model for task `type-type`"), "{error}");
    let error = place.fails(&[&args[..], &["--out", "compared.csv"]].concat());
    assert!(error.contains(".md"), "{error}");
}

#[test]
fn latin_1_files_are_trained_on_as_they_are_read() {
    let place = WorkFolder::with_market();
    let train = place.read("market/train.jsonl");
    let first = train.lines().next().unwrap();
    let accented: Vec<u8> = train
        .replacen(first, &first.replacen("\"left\":\"", "\"left\":\"caf\u{e9} ", 1), 1)
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    place.write("market/train.jsonl", accented);
    assert!(place.fails(&["train", "tiny.toml"]).contains("UTF-8"));
    place.ok(&["train", "tiny.toml", "--set", "data.encoding=latin-1"]);
}

#[test]
fn scores_are_the_same_in_every_format_and_keep_the_rows() {
    let place = WorkFolder::with_bundle();
    let bundle = "runs/tiny/bundle";
    let input: Vec<Value> = lines(&place.read("market/test.jsonl"));
    let said = place.ok(&["score", bundle, "market/test.jsonl", "scores.jsonl"]);
    assert!(said.contains(&format!("{} rows scored, 0 skipped", input.len())), "{said}");
    let scored = lines(&place.read("scores.jsonl"));
    assert_eq!(scored.len(), input.len());
    for (row, scored) in input.iter().zip(&scored) {
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(scored[key], *value, "{key}");
        }
        let probs: Vec<f64> =
            scored["probs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        let best = (0..3).max_by(|&a, &b| probs[a].total_cmp(&probs[b])).unwrap();
        assert_eq!(scored["predicted_grade"], best);
        let expected = 0.5 * probs[1] + probs[2];
        assert!((scored["score"].as_f64().unwrap() - expected).abs() < 1e-5);
    }
    // Through CSV and Parquet and back.
    place.ok(&["score", bundle, "market/test.jsonl", "scores.csv"]);
    place.ok(&["score", bundle, "scores.csv", "scores.parquet"]);
    place.ok(&["score", bundle, "scores.parquet", "again.jsonl"]);
    let again = lines(&place.read("again.jsonl"));
    for (a, b) in scored.iter().zip(&again) {
        assert_eq!((&a["id"], &a["predicted_grade"]), (&b["id"], &b["predicted_grade"]));
        assert!((a["score"].as_f64().unwrap() - b["score"].as_f64().unwrap()).abs() < 1e-6);
    }
    assert_eq!(scored.len(), again.len());
}

#[test]
fn training_says_the_same_twice() {
    let place = WorkFolder::with_market();
    for out in ["one", "two"] {
        place.ok(&["train", "tiny.toml", "--out", out]);
    }
    for file in ["bundle/model.safetensors", "checkpoint/optimizer.safetensors"] {
        let [one, two] =
            ["one", "two"].map(|out| std::fs::read(place.path(&format!("{out}/{file}"))).unwrap());
        assert!(one == two, "{file} differs");
    }
}

#[test]
fn one_task_makes_a_single_task_baseline() {
    let place = WorkFolder::with_market();
    place.ok(&[
        "train",
        "tiny.toml",
        "--set",
        "tasks=[\"query-type\"]",
        "--set",
        "name=\"single\"",
    ]);
    let manifest: Value =
        serde_json::from_str(&place.ok(&["inspect", "runs/single/bundle"])).unwrap();
    assert_eq!(manifest["spec"]["tasks"], serde_json::json!(["query-type"]));
    let text = place.ok(&["eval", "runs/single/bundle", "market"]);
    assert!(text.contains("query-type") && !text.contains("type-type"), "{text}");
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn adapters_are_trained_counted_and_merged() {
    let place = WorkFolder::with_market();
    let set = ["--set", "model.lora={ rank = 2 }", "--set", "model.routing.private=\"adapter\""];
    let output = place.command(&[&["train", "tiny.toml"], &set[..]].concat()).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let summary: Value = serde_json::from_str(&place.read("runs/tiny/summary.json")).unwrap();
    let (trained, all) = (&summary["trainable_parameters"], &summary["parameters"]);
    assert!(log.contains(&format!("tiny: {trained} of {all} parameters are trained")), "{log}");
    assert_eq!(summary["routing"], "mhp-1 (adapter)");
    let files = ["base.safetensors", "bundle.json", "model.safetensors", "tokenizer.json"];
    assert_eq!(place.names("runs/tiny/bundle"), files);

    place.ok(&["merge", "runs/tiny/bundle", "--out", "merged"]);
    assert_eq!(place.names("merged"), ["bundle.json", "model.safetensors", "tokenizer.json"]);
    let scores = |bundle: &str| -> Vec<f64> {
        place.ok(&["score", bundle, "market/test.jsonl", "scored.jsonl", "--overwrite"]);
        let lines = place.read("scored.jsonl");
        let score = |line: &str| serde_json::from_str::<Value>(line).unwrap()["score"].as_f64();
        lines.lines().map(|line| score(line).unwrap()).collect()
    };
    let (own, merged) = (scores("runs/tiny/bundle"), scores("merged"));
    assert_eq!(own.len(), merged.len());
    for (one, other) in own.iter().zip(&merged) {
        assert!((one - other).abs() < 1e-5, "{one} {other}");
    }
}
