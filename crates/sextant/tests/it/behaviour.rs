//! Counts of behaviour, from other programs' tables to a model.

use crate::support::{WorkFolder, pairs_of_their_own};
use serde_json::{Value, json};

const LOG: &str = "query,title,stars,shown,clicks,orders,looked_at\n\
    drill,Drill 18V,2,400,90,12,0.5\n\
    drill,Hammer,0,400,10,,1.0\n\
    hammer,Hammer,1,,,,\n";

const MAP: &str = r#"
name = "shop"
task = "query-product"
[ratings]
path = "log.csv"
[left]
text = "query"
[right]
title = "title"
[label]
column = "stars"
[row.behaviour]
impressions = "shown"
clicks = "clicks"
purchases = "orders"
propensity = "looked_at"
"#;

#[test]
fn counts_are_imported_to_every_format_and_stay_what_they_are() {
    let place = WorkFolder::empty();
    place.write("log.csv", LOG);
    place.write("map.toml", MAP);
    place.ok(&["data", "import", "map.toml", "--out", "rows.jsonl"]);
    let rows = crate::pipeline::lines(&place.read("rows.jsonl"));
    assert_eq!(
        (&rows[0]["impressions"], &rows[0]["clicks"], &rows[0]["purchases"]),
        (&json!(400.0), &json!(90.0), &json!(12.0))
    );
    assert_eq!(rows[0]["propensity"], json!(0.5));
    assert!(rows[1].get("purchases").is_none() && rows[2].get("impressions").is_none());
    assert!(rows[0].get("add_to_carts").is_none());
    // Through a table and Parquet and back, the counts are the same.
    for format in ["csv", "parquet"] {
        let rows = format!("rows.{format}");
        place.ok(&["data", "import", "map.toml", "--out", &rows]);
        let split = format!("split-{format}");
        let shares = ["--train", "1", "--dev", "0", "--test", "0"];
        place.ok(&[&["data", "split", &rows, &split][..], &shares].concat());
    }
    for (cell, expected) in [
        ("500", "log.csv line 2, column `clicks`: `clicks` is 500, but `impressions` only 400"),
        ("-1", "column `clicks`"),
        ("many", "`many` is not a number"),
    ] {
        place.write("log.csv", LOG.replace(",90,", &format!(",{cell},")));
        let error = place.fails(&["data", "import", "map.toml", "--out", "wrong.jsonl"]);
        assert!(error.contains(expected), "{cell}: {error}");
    }
    place.write("map.toml", MAP.replace("impressions = \"shown\"\n", ""));
    let error = place.fails(&["data", "import", "map.toml", "--out", "wrong.jsonl"]);
    assert!(error.contains("missing field `impressions`"), "{error}");
}

/// Gives rows counts by their grades, and takes the grades away if `graded` is not set.
fn with_counts(text: &str, graded: bool) -> String {
    let row = |(number, line): (usize, &str)| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let clicks = [1, 10, 40][row["grade"].as_u64().unwrap() as usize] + number % 3;
        row["impressions"] = json!(100);
        row["clicks"] = json!(clicks);
        row["propensity"] = json!(0.5);
        if !graded {
            row.as_object_mut().unwrap().remove("grade");
        }
        row.to_string()
    };
    text.lines().enumerate().map(row).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn a_recipe_learns_from_counts_beside_grades_and_without_them() {
    let place = WorkFolder::with_market();
    let weights = |run: &str| {
        let text = place.read(&format!("{run}/bundle/bundle.json"));
        let manifest: Value = serde_json::from_str(&text).unwrap();
        (manifest["files"]["model.safetensors"].clone(), manifest["provenance"].clone())
    };
    let train = |out: &str, setting: &str| {
        place.ok(&["train", "tiny.toml", "--out", out, "--set", setting]);
        weights(out)
    };
    let plain = train("runs/plain", "seed=1").0;
    let error = place.fails(&["train", "tiny.toml", "--set", "behaviour={}", "--out", "runs/none"]);
    assert!(error.contains("no graded training row has `impressions`"), "{error}");

    let train_rows = place.read("market/train.jsonl");
    place.write("market/train.jsonl", with_counts(&train_rows, true));
    // A run that does not ask for behaviour is the run that it was.
    assert_eq!(train("runs/ignored", "seed=1").0, plain);
    let (beside, provenance) = train("runs/beside", "behaviour={}");
    assert_ne!(beside, plain);
    let rates = &provenance["event_rates"]["query-product"]["clicks"];
    for (grade, expected) in [0.04, 0.22, 0.82].into_iter().enumerate() {
        let found = rates[grade].as_f64().unwrap();
        assert!((found - expected).abs() < 0.04, "{rates}");
    }
    // Pairs without grades join them.
    let further = pairs_of_their_own(&place.read("market/test.jsonl"));
    place.write("more.jsonl", with_counts(&further, false));
    assert_ne!(train("runs/more", "behaviour={ rows = \"more.jsonl\" }").0, beside);
    let summary: Value = serde_json::from_str(&place.read("runs/more/summary.json")).unwrap();
    assert_eq!(
        summary["train_rows"],
        place.lines("market/train.jsonl") + place.lines("more.jsonl")
    );
    // Also with a teacher, whose answers they do not need.
    place.ok(&["score", "runs/plain/bundle", "market/train.jsonl", "said.jsonl"]);
    let both = "behaviour={ rows = \"more.jsonl\" }";
    let teacher = "teacher={ sources = [\"said.jsonl\"] }";
    place.ok(&["train", "tiny.toml", "--out", "runs/both", "--set", both, "--set", teacher]);

    let counted = place.read("more.jsonl");
    place.write("more.jsonl", counted.replacen("\"impressions\":100", "\"impressions\":0", 1));
    let error = place.fails(&["train", "tiny.toml", "--out", "runs/wrong", "--set", both]);
    assert!(error.contains("`clicks` is") && error.contains("more.jsonl line 1"), "{error}");
    let mut lines: Vec<&str> = counted.lines().collect();
    let bare = pairs_of_their_own(&place.read("market/dev.jsonl"));
    lines[2] = bare.lines().next().unwrap();
    place.write("more.jsonl", lines.join("\n"));
    let error = place.fails(&["train", "tiny.toml", "--out", "runs/wrong", "--set", both]);
    assert!(error.contains("line 3") && error.contains("leave it out"), "{error}");

    // The columns pass through evaluation, to its predictions and to slices of the error page.
    place.write("market/test.jsonl", with_counts(&place.read("market/test.jsonl"), true));
    place.ok(&["eval", "runs/plain/bundle", "market", "--predictions", "answers.jsonl"]);
    let first = &crate::pipeline::lines(&place.read("answers.jsonl"))[0];
    assert!(first["clicks"].is_number() && first["predicted_grade"].is_number(), "{first}");
}
