//! This version reads what earlier versions wrote.
//!
//! `tests/fixtures/v1` holds what the program wrote when the format of bundles was 1, and so on for each
//! format after it:
//!
//! | in the folder | is |
//! |---|---|
//! | `market/` | the rows |
//! | `run.toml`, `run/` | a training that was stopped on its way, with its checkpoint and its best bundle |
//! | `lora/` | a bundle with LoRA over a base of 8 bits |
//! | `lab/` | a finished lab of two runs, without their checkpoints |
//! | `ensemble/` | both bundles of the lab and the one with LoRA |
//! | `scores.json` | the probabilities of the dev rows, by model and level of instructions |
//!
//! A folder is made once, by the program of its time, and never changes (CONTRIBUTING.md says what to do
//! when a format does).

use crate::support::{WorkFolder, copy};
use serde_json::Value;
use sextant_kernels::simd::Level;
use sextant_model::bundle::FORMAT_VERSION;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The training of `run/`: every key that decides its size is here, the rest has defaults.
const RUN: &str = r#"
name = "run"
tasks = ["query-type", "product-type"]
[data]
path = "market"
[model]
backbone = { vocab_size = 400, hidden_size = 16, layers = 2, attention_heads = 2, intermediate_size = 32 }
routing = { prefix = false, heads = "per_task", private_layers = 1 }
pooling = "mean"
dense = false
[text]
max_tokens = 32
[optimizer]
learning_rate = 2e-3
[schedule]
steps = 300
[batch]
rows = 16
[dev]
every = 5
"#;

/// The lab of `lab/`.
const LAB: &str = r#"
name = "tiny"
[base]
tasks = ["query-type", "product-type"]
[base.data]
path = "market"
[base.model]
pooling = "mean"
dense = false
[base.text]
max_tokens = 32
[base.schedule]
steps = 20
[base.batch]
rows = 16
[base.dev]
every = 5
[grid]
seeds = [1]
routings = [
    { prefix = true, heads = "shared" },
    { prefix = false, heads = "per_task", private_layers = 1 },
]
[[grid.backbones]]
label = "tiny"
backbone = { vocab_size = 400, hidden_size = 16, layers = 2, attention_heads = 2, intermediate_size = 32 }
[ensembles]
rules = ["majority"]
[report]
replicates = 50
"#;

/// The models whose probabilities are stored.
const MODELS: [&str; 5] = [
    "run/bundle",
    "lora",
    "lab/runs/tiny-prefix-s1/bundle",
    "lab/runs/tiny-mhp-1-s1/bundle",
    "ensemble",
];

/// How far probabilities may be from the stored ones where another level of instructions made them.
const TOLERANCE: f32 = 1e-5;

/// Three probabilities for each row.
type Probabilities = Vec<[f32; 3]>;

/// The content of `scores.json`: probabilities by model and by level of instructions.
type Scores = BTreeMap<String, BTreeMap<String, Probabilities>>;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The stored folders, one for each format.
fn stored() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures()).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// A work folder with a copy of a stored folder, so that tests can write there.
fn opened(folder: &Path) -> WorkFolder {
    let place = WorkFolder::empty();
    copy(folder, &place.path("."));
    place
}

/// The probabilities of the rows of two tasks of the dev set.
fn score(place: &WorkFolder, model: &str, level: &str) -> Probabilities {
    let args = ["score", model, "rows.jsonl", "scored.jsonl", "--overwrite"];
    place.command(&args).env("SEXTANT_SIMD", level).assert().success();
    let scored = crate::pipeline::lines(&place.read("scored.jsonl"));
    scored.iter().map(|row| serde_json::from_value(row["probs"].clone()).unwrap()).collect()
}

/// The answers of all models at all levels that this machine has.
fn score_all(place: &WorkFolder) -> Scores {
    let dev = place.read("market/dev.jsonl");
    let known = |line: &&str| line.contains("\"query-type\"") || line.contains("\"product-type\"");
    place.write("rows.jsonl", dev.split_inclusive('\n').filter(known).collect::<String>());
    let answers = |model: &str| {
        let levels = Level::supported().into_iter().map(Level::as_str);
        levels.map(|level| (level.to_owned(), score(place, model, level))).collect()
    };
    MODELS.iter().map(|model| ((*model).to_owned(), answers(model))).collect()
}

fn read_scores(folder: &Path) -> Scores {
    serde_json::from_slice(&std::fs::read(folder.join("scores.json")).unwrap()).unwrap()
}

fn write_scores(folder: &Path, scores: &Scores) {
    let json = serde_json::to_string(scores).unwrap().replace("\"avx", "\n\"avx") + "\n";
    std::fs::write(folder.join("scores.json"), json).unwrap();
}

#[test]
fn the_format_of_today_has_a_stored_folder() {
    let newest = fixtures().join(format!("v{FORMAT_VERSION}"));
    assert!(newest.is_dir(), "make {} (CONTRIBUTING.md says how)", newest.display());
}

/// Stored bundles open and answer as they did, with the same bits at the same level of instructions.
#[test]
fn stored_bundles_and_ensembles_answer_as_they_did() {
    for folder in stored() {
        let (expected, found) = (read_scores(&folder), score_all(&opened(&folder)));
        let mut same_bits = true;
        for (model, levels) in &found {
            for (level, rows) in levels {
                let stored = expected[model].get(level);
                same_bits &= stored == Some(rows);
                // A level that is not among the stored ones is compared with the one that every machine
                // has.
                let stored = stored.unwrap_or(&expected[model]["portable"]);
                assert!(rows.len() > 3 && rows.len() == stored.len(), "{model}, {level}");
                for (row, stored) in rows.iter().zip(stored) {
                    let far = row.iter().zip(stored).any(|(a, b)| (a - b).abs() > TOLERANCE);
                    assert!(!far, "{}: {model}, {level}: {row:?}, {stored:?}", folder.display());
                }
            }
        }
        if !same_bits && std::env::var_os("SEXTANT_UPDATE_GOLDENS").is_some() {
            write_scores(&folder, &found);
            continue;
        }
        for (model, levels) in &found {
            for (level, rows) in levels {
                let stored = expected[model].get(level);
                assert!(
                    stored.is_none_or(|stored| stored == rows),
                    "{}: {model}, {level}: other bits than before; if a kernel sums in another order on \
                     purpose, CONTRIBUTING.md says what to do",
                    folder.display()
                );
            }
        }
    }
}

#[test]
fn a_stored_checkpoint_goes_on_to_the_end() {
    for folder in stored() {
        let place = opened(&folder);
        let state: Value = serde_json::from_str(&place.read("run/checkpoint/state.json")).unwrap();
        let before = state["step"].as_u64().unwrap();
        place.ok(&["train", "run.toml", "--out", "run", "--resume"]);
        let steps: Vec<u64> = crate::pipeline::lines(&place.read("run/log.jsonl"))
            .iter()
            .filter(|line| line["event"] == "step")
            .map(|line| line["step"].as_u64().unwrap())
            .collect();
        let last = *steps.last().unwrap();
        assert!(0 < before && before < last, "{before} of {last} steps were done");
        assert_eq!(steps, (1..=last).collect::<Vec<_>>(), "it went on, and did not begin again");
        let summary: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
        assert_eq!(summary["steps"].as_u64(), Some(last));
        assert!(place.ok(&["eval", "run/bundle", "market"]).contains("product-type"));
    }
}

#[test]
fn a_stored_lab_is_finished_and_reports() {
    for folder in stored() {
        let place = opened(&folder);
        let entries = crate::lab::ledger(&place, "lab");
        assert!(entries.len() > 1);
        let finished = format!("{0} of {0} runs finished", entries.len());
        let said = place.ok(&["lab", "status", "lab"]);
        assert!(said.contains(&finished), "{said}");
        // Nothing is trained again, because recipes and rows still have the same fingerprints.
        let events = place.ok(&["lab", "run", "lab/lab.toml", "--out", "lab", "--json"]);
        assert!(events.contains("\"opened\"") && !events.contains("\"started\""), "{events}");
        place.ok(&["lab", "report", "lab"]);
        let report = place.read("lab/tables/runs.csv");
        for entry in &entries {
            let name = entry["name"].as_str().unwrap();
            assert!(report.contains(name), "{name}: {report}");
        }
    }
}

/// Stops a training before its end, so that it leaves a checkpoint.
fn stopped_run(place: &WorkFolder) {
    let mut running = place.start(&["train", "run.toml", "--out", "run"]);
    running.until("the training gets on", || place.lines("run/log.jsonl") > 10);
    running.signal("TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "it was not stopped on its way: {said}");
}

/// Makes the folder of a format that has no folder yet.
#[test]
#[ignore = "makes tests/fixtures of a new format: run it once, when FORMAT_VERSION was raised"]
fn make_the_stored_folder_of_a_new_format() {
    let folder = fixtures().join(format!("v{FORMAT_VERSION}"));
    assert!(!folder.exists(), "{} is there, and must stay as it is", folder.display());
    let place = WorkFolder::empty();
    let rows = ["--rows", "30", "--task-rows", "query-type=40", "--task-rows", "product-type=40"];
    place.ok(&[&["data", "market", "market"], &rows[..]].concat());
    place.write("run.toml", RUN);
    stopped_run(&place);
    let lora = ["--set", "schedule.steps=20", "--set"];
    let lora = [&lora[..], &["model.lora={ rank = 4, alpha = 8, base = \"int8\" }"]].concat();
    place.ok(&[&["train", "run.toml", "--out", "lora-run"], &lora[..]].concat());
    copy(&place.path("lora-run/bundle"), &place.path("lora"));
    place.write("lab.toml", LAB);
    place.ok(&["lab", "run", "lab.toml", "--out", "lab"]);
    let [prefix, own] = ["prefix", "mhp-1"].map(|name| format!("lab/runs/tiny-{name}-s1"));
    place.ok(&["ensemble", &prefix, &own, "lora", "--rule", "soft", "--out", "ensemble"]);
    for run in [prefix, own] {
        std::fs::remove_dir_all(place.path(&format!("{run}/checkpoint"))).unwrap();
    }
    let scores = score_all(&place);
    for kept in ["market", "run", "lora", "lab", "ensemble"] {
        copy(&place.path(kept), &folder.join(kept));
    }
    std::fs::write(folder.join("run.toml"), RUN).unwrap();
    write_scores(&folder, &scores);
}
