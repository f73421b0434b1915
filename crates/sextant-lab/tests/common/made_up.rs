//! A finished grid whose answers are made up, so that every number of its report is known.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test makes up a grid of its own")]

use sextant_core::{Example, Grade, Prediction, Split, Task};
use sextant_data::{Dataset, Format};
use sextant_files::Existing;
use sextant_lab::findings::Findings;
use sextant_lab::{Cell, Grid, Lab, LabRecipe, LedgerEntry, Predictions, Role};
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

/// What is made up of runs.
pub(crate) struct MadeUp {
    /// Changes of the recipe.
    pub(crate) settings: &'static [&'static str],
    /// The number of rows that a run gets right out of every 20, and by how much the places of these rows
    /// differ from one 20 to the next: systems with other numbers are wrong on other rows.
    pub(crate) right_of_20: fn(&Cell, Task) -> (usize, usize),
    /// The number of parameters of a run.
    pub(crate) parameters: fn(&Cell) -> u64,
}

/// A grid in which nearly everything differs.
const USUAL: MadeUp = MadeUp {
    settings: &[],
    right_of_20: |cell, task| {
        let seed = cell.recipe.seed as usize;
        let right = match (cell.role, cell.routing.as_str(), task) {
            (Role::Single { .. }, _, Task::QueryType) => 14,
            (Role::Single { .. }, _, _) => 16,
            (_, "prefix", _) => 15 + seed, // seeds differ
            (_, "shared", _) => 10,
            (_, "mhp-1+prefix", _) => 18,
            _ => 17,
        };
        (right, 0)
    },
    parameters: |_| 1000,
};

/// Writes the files of a finished run, and its line in the ledger.
fn finish(lab: &mut Lab, cell: &Cell, made_up: &MadeUp) {
    let folder = lab.run_folder(cell.name()).0;
    std::fs::create_dir_all(folder.join("bundle")).unwrap();
    let tasks = &cell.recipe.tasks;
    let mut by_task = BTreeMap::new();
    for split in [Split::Test, Split::Dev] {
        let examples = lab.data.dataset.part(split);
        let mut found = Predictions::default();
        for (row, example) in examples.iter().enumerate() {
            let task = example.pair.task;
            if !tasks.contains(&task) {
                continue;
            }
            let (number, begin) = (made_up.right_of_20)(cell, task);
            let right = (row * 7 + begin * (row / 20)) % 20 < number;
            let mut probs = [0.05; 3];
            let grade = example.grade.index();
            probs[if right { grade } else { (grade + 1) % 3 }] = 0.9;
            found.rows.push(row);
            found.predictions.push(Prediction::new(probs));
            by_task.insert(task, number as f64 / 20.0);
        }
        found.write(&folder, split, examples).unwrap();
    }
    let mut log = String::new();
    for step in 1..=200 {
        let loss = 0.3 + (-f64::from(step) / 40.0).exp();
        let line = serde_json::json!({
            "event": "step", "step": step, "loss": loss, "learning_rate": 1e-3, "gradient_norm": 1.5,
        });
        log.push_str(&line.to_string());
        log.push('\n');
        if step % 20 == 0 {
            let value = 1.0 - loss;
            let line =
                serde_json::json!({"event": "dev", "step": step, "value": value, "best": true});
            log.push_str(&line.to_string());
            log.push('\n');
        }
    }
    std::fs::write(folder.join("log.jsonl"), log).unwrap();
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
        parameters: (made_up.parameters)(cell),
        trainable_parameters: 1000,
        dev: Some(accuracy),
        dev_step: Some(2),
        test_accuracy: Some(accuracy),
        test_accuracy_by_task: by_task,
        test_seconds: 0.5,
        test_rows: 200 * tasks.len(),
    };
    lab.ledger.add(entry).unwrap();
}

fn lab(folder: &Path, made_up: &MadeUp) -> Lab {
    let data = folder.join("data");
    dataset().save(&data, Format::Jsonl, Existing::Refuse).unwrap();
    let text = RECIPE.replace("DATA", data.to_str().unwrap());
    let settings: Vec<String> = made_up.settings.iter().map(|&text| text.to_owned()).collect();
    let recipe = LabRecipe::parse(&text, "lab.toml", &settings).unwrap();
    let mut lab =
        Lab::open(Grid::new(recipe, resolve).unwrap(), &folder.join("lab"), resolve).unwrap();
    for cell in lab.grid.cells.clone() {
        finish(&mut lab, &cell, made_up);
    }
    lab
}

/// The findings of the usual grid.
pub(crate) fn findings() -> Findings {
    findings_of(&USUAL)
}

/// The findings of a grid.
pub(crate) fn findings_of(made_up: &MadeUp) -> Findings {
    let folder = tempfile::tempdir().unwrap();
    let mut findings = Findings::new(&lab(folder.path(), made_up)).unwrap();
    // These differ from machine to machine.
    findings.code = "0.0.0".into();
    let _ = findings.recipe.base.remove("data");
    findings
}
