//! A report over answers that are made up, so that every number in it is known.
#![allow(clippy::unwrap_used, reason = "tests")]

use sextant_core::{Example, Grade, Prediction, Split, Task};
use sextant_data::{Dataset, Format};
use sextant_lab::findings::Findings;
use sextant_lab::{Cell, Document, Grid, Lab, LabRecipe, LedgerEntry, Predictions, Role};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const RECIPE: &str = r#"
name = "made up <&>"

[base]
tasks = ["query-type", "product-type"]
data = { path = "DATA" }
text = { max_tokens = 64 }

[grid]
seeds = [1, 2]
single_task = true
routings = [
    { prefix = true, heads = "shared" },
    { prefix = false, heads = "shared" },
    { prefix = true, heads = "per_task", private_layers = 1 },
    { prefix = false, heads = "per_task", private_layers = 1 },
]
[[grid.backbones]]
label = "tiny"
backbone = { vocab_size = 50, hidden_size = 8, layers = 2, attention_heads = 2, intermediate_size = 8 }

[ensembles]
rules = ["majority"]

[report]
introduction = "First paragraph.\n\nSecond <b>paragraph</b>."
replicates = 200
"#;

fn resolve(name: &str) -> Result<PathBuf, String> {
    Err(format!("no backbone `{name}` here"))
}

/// 200 test rows of each task in groups of 4, and 40 dev rows.
fn dataset() -> Dataset {
    let mut dataset = Dataset::default();
    for (split, rows) in [(Split::Train, 20), (Split::Dev, 40), (Split::Test, 200)] {
        for task in [Task::QueryType, Task::ProductType] {
            for row in 0..rows {
                let grade = Grade::ALL[row % 3];
                let (left, right) = (format!("left {split} {row}"), format!("right {split} {row}"));
                let left = if task == Task::QueryType { left } else { format!("product {row}") };
                dataset.part_mut(split).push(Example {
                    group: Some(format!("{split}-{task}-{}", row / 4)),
                    split: Some(split),
                    ..Example::new(task, left.as_str(), right.as_str(), grade)
                });
            }
        }
    }
    dataset
}

/// Of 20 rows in turn, how many a run gets right.
fn right_of_20(cell: &Cell, task: Task) -> usize {
    let seed = cell.recipe.seed as usize;
    match (cell.role, cell.routing.as_str(), task) {
        (Role::Single { .. }, _, Task::QueryType) => 14,
        (Role::Single { .. }, _, _) => 16,
        (_, "prefix", _) => 15 + seed, // seeds differ
        (_, "shared", _) => 10,
        (_, "mhp-1+prefix", _) => 18,
        _ => 17,
    }
}

/// Writes what a finished run leaves.
fn finish(lab: &mut Lab, cell: &Cell) {
    let folder = lab.run_folder(cell.name()).0;
    std::fs::create_dir_all(folder.join("bundle")).unwrap();
    let tasks = &cell.recipe.tasks;
    let mut by_task = BTreeMap::new();
    for split in [Split::Test, Split::Dev] {
        let examples = lab.dataset.part(split);
        let mut found = Predictions::default();
        for (row, example) in examples.iter().enumerate() {
            let task = example.pair.task;
            if !tasks.contains(&task) {
                continue;
            }
            let right = row * 7 % 20 < right_of_20(cell, task);
            let mut probs = [0.05; 3];
            let grade = example.grade.index();
            probs[if right { grade } else { (grade + 1) % 3 }] = 0.9;
            found.rows.push(row);
            found.predictions.push(Prediction { probs });
            by_task.insert(task, right_of_20(cell, task) as f64 / 20.0);
        }
        found.write(&folder.join(format!("predictions-{split}.jsonl")), examples).unwrap();
    }
    let accuracy = by_task.values().sum::<f64>() / by_task.len() as f64;
    let entry = LedgerEntry {
        name: cell.name().into(),
        backbone: cell.backbone.clone(),
        routing: cell.routing.clone(),
        role: cell.role,
        recipe_sha256: sextant_lab::recipe_hash(&cell.recipe),
        fingerprint: "f".repeat(64),
        data_sha256: lab.data_sha256.clone(),
        code: "0.0.0".into(),
        seed: cell.recipe.seed,
        train_rows: 20 * tasks.len(),
        rows: 60,
        steps: 2,
        tokens: 1000,
        flops: 1e9 * tasks.len() as f64,
        seconds: 2.5,
        peak_memory_bytes: Some(200 << 20),
        parameters: 1000,
        trainable_parameters: 1000,
        dev: Some(accuracy),
        dev_step: Some(2),
        test_accuracy: accuracy,
        test_accuracy_by_task: by_task,
        test_seconds: 0.5,
        test_rows: 200 * tasks.len(),
    };
    lab.ledger.add(entry).unwrap();
}

fn lab(folder: &Path) -> Lab {
    let data = folder.join("data");
    dataset().save(&data, Format::Jsonl).unwrap();
    let text = RECIPE.replace("DATA", data.to_str().unwrap());
    let grid = Grid::new(LabRecipe::parse(&text, "lab.toml", &[]).unwrap(), resolve).unwrap();
    let mut lab = Lab::open(grid, &folder.join("lab"), resolve).unwrap();
    for cell in lab.grid.cells.clone() {
        finish(&mut lab, &cell);
    }
    lab
}

fn findings() -> Findings {
    let folder = tempfile::tempdir().unwrap();
    let mut findings = Findings::new(&lab(folder.path())).unwrap();
    // What differs from machine to machine.
    findings.code = "0.0.0".into();
    let _ = findings.recipe.base.remove("data");
    findings
}

#[test]
fn numbers_are_those_that_were_made_up() {
    let found = findings();
    let overall = |system: &str| {
        let row = found.headline.rows.iter().find(|row| row.system == system).unwrap();
        row.scores[2].clone().unwrap()
    };
    // Seeds get 16 and 17 of 20.
    let prefix = overall("tiny-prefix");
    assert!((prefix.accuracy.value - 0.825).abs() < 1e-12);
    assert!((prefix.seed_deviation.unwrap() - 0.05 / 2_f64.sqrt()).abs() < 1e-12);
    assert_eq!((prefix.best, prefix.p_value), (false, None));
    assert!(overall("tiny-mhp-1+prefix").best);
    let shared = overall("tiny-shared");
    assert!((shared.difference.unwrap().value + 0.325).abs() < 1e-12);
    assert!(shared.significant && shared.p_holm > shared.p_value);
    let effect = shared.cohens_h.unwrap();
    assert!((effect.value - sextant_eval::cohens_h(0.825, 0.5)).abs() < 1e-12);
    let interval = effect.interval.unwrap();
    assert!(interval.low < effect.value && effect.value < interval.high && interval.high < 0.0);
    assert_eq!(prefix.cohens_h, None);

    let [first, second] = found.ablation.drops.as_slice() else { panic!("{:?}", found.ablation) };
    assert_eq!((first.routing.as_str(), second.routing.as_str()), ("shared", "mhp-1"));
    assert!((first.values[0].1.mean.value - 0.325).abs() < 1e-12);
    assert!((second.values[0].1.mean.value - 0.05).abs() < 1e-12);
    let difference = found.ablation.asymmetries[0].difference.mean;
    assert!((difference.value - 0.275).abs() < 1e-12);
    assert!(difference.interval.unwrap().low > 0.0);

    let gain = |system: &str, task| {
        let gains = found.gains.iter().find(|gain| gain.system == system && gain.task == task);
        gains.unwrap().equal_data.mean.value
    };
    assert!((gain("tiny-prefix", Some(Task::QueryType)) - 0.125).abs() < 1e-12);
    assert!((gain("tiny-prefix", Some(Task::ProductType)) - 0.025).abs() < 1e-12);
    assert!((gain("tiny-prefix", None) - 0.075).abs() < 1e-12);

    // The seeds of `shared` answer alike; those of `prefix` differ in one row of 20.
    let ensemble =
        |system: &str| found.ensembles.rows.iter().find(|row| row.systems == [system]).unwrap();
    assert_eq!(ensemble("tiny-shared").diversity.unwrap().disagreement, 0.0);
    assert!((ensemble("tiny-prefix").diversity.unwrap().disagreement - 0.05).abs() < 1e-12);

    // Wherever it is right 0.9 is too sure or not sure enough; the temperature tells which.
    let calibration =
        |system: &str| found.calibration.iter().find(|found| found.system == system).unwrap();
    assert!(calibration("tiny-shared").temperatures.iter().all(|&t| t > 1.5));
    assert!(calibration("tiny-shared").ece_scaled < 0.06);
    assert!((calibration("tiny-shared").ece - 0.4).abs() < 1e-6);
    // All answers are equally sure, so every threshold answers all: the area is the error rate.
    let areas = calibration("tiny-shared").risk_coverage;
    assert!((areas.aurc - 0.5).abs() < 1e-12 && areas.excess_aurc > 0.1, "{areas:?}");
    assert_eq!(found.costs.iter().filter(|cost| cost.efficient).count(), 1);
}

#[test]
fn markdown() {
    let document = Document::new(&findings()).unwrap();
    insta::with_settings!({filters => vec![
        (r"`data`, \d+ rows", "`data`, N rows"),
    ]}, {
        insta::assert_snapshot!(document.to_markdown());
    });
}

#[test]
fn html_is_valid_whole_and_needs_nothing_else() {
    let findings = findings();
    let html = Document::new(&findings).unwrap().to_html().unwrap();
    // The template is XML too, so that a strict parser can judge it.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
    let all = |name: &str| -> Vec<roxmltree::Node<'_, '_>> {
        page.descendants().filter(|node| node.has_tag_name(name)).collect()
    };
    let within = |node: roxmltree::Node<'_, '_>, name: &str, inner: &str| {
        let outer = node.descendants().filter(|node| node.has_tag_name(name));
        outer.flat_map(|node| node.descendants()).filter(|n| n.has_tag_name(inner)).count()
    };
    // What users wrote is text, not markup.
    assert_eq!(all("h1")[0].text(), Some("made up <&>"));
    assert!(all("b").is_empty());
    // Every link leads to a section that is there.
    let ids: Vec<_> = all("section").iter().filter_map(|node| node.attribute("id")).collect();
    let links = all("a");
    assert!(links.len() > 8);
    for link in links {
        let target = link.attribute("href").unwrap().trim_start_matches('#');
        assert!(ids.contains(&target), "{target}");
    }
    // No id is there twice.
    let mut found: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    found.sort_unstable();
    let count = found.len();
    found.dedup();
    assert_eq!(found.len(), count);
    // No table is empty, and each row has a cell for every heading.
    for table in all("table") {
        let (heads, rows) = (within(table, "thead", "th"), within(table, "tbody", "tr"));
        assert!(rows > 0, "{:?}", table.attribute("id"));
        assert_eq!(within(table, "tbody", "td"), heads * rows, "{:?}", table.attribute("id"));
    }
    assert!(all("svg").len() >= 6);
    for outside in ["<script", "src=", "@import", "url(", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(!html.replace("http://www.w3.org/", "").contains("http"));
    assert!(html.contains("prefers-color-scheme: dark"));
    // Every colour that is used is defined.
    for part in html.split("var(--").skip(1) {
        let name = part.split(')').next().unwrap();
        assert!(html.contains(&format!("--{name}:")), "{name}");
    }
}
