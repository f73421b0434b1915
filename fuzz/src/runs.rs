//! Readers of the recipes of runs, and of the files that runs leave behind.

use crate::Scratch;
use sextant_core::{Example, Grade, Task};
use sextant_eval::EvalReport;
use sextant_lab::{Grid, LabRecipe, Ledger, Predictions};
use sextant_train::{Mixing, Plan, Sampler, Sampling, checkpoint as checkpoints, parse_recipe};

/// A recipe and one `--set`: what stands before the first zero byte, and what stands after it.
fn recipe_and_setting(bytes: &[u8]) -> Option<(&str, Vec<String>)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(match text.split_once('\0') {
        Some((recipe, setting)) => (recipe, vec![setting.to_owned()]),
        None => (text, Vec::new()),
    })
}

fn no_backbone(name: &str) -> Result<std::path::PathBuf, String> {
    Err(format!("no backbone `{name}` here"))
}

/// A training recipe, which becomes a plan.
pub(crate) fn recipe(_: &Scratch, bytes: &[u8]) {
    let Some((text, settings)) = recipe_and_setting(bytes) else { return };
    let plan = parse_recipe(text, "recipe.toml", &settings)
        .and_then(|recipe| Plan::new(recipe, no_backbone));
    match plan {
        Ok(plan) => drop(format!("{plan:?}")),
        Err(error) => drop(error.to_string()),
    }
}

/// A lab recipe, which becomes a grid.
pub(crate) fn lab(_: &Scratch, bytes: &[u8]) {
    let Some((text, settings)) = recipe_and_setting(bytes) else { return };
    let grid = LabRecipe::parse(text, "lab.toml", &settings)
        .and_then(|recipe| Grid::new(recipe, no_backbone));
    if let Err(error) = grid {
        drop(error.to_string());
    }
}

/// A lab's ledger.
pub(crate) fn ledger(scratch: &Scratch, bytes: &[u8]) {
    scratch.file("ledger.jsonl", bytes);
    match Ledger::open(scratch.path()) {
        Ok(ledger) => drop(format!("{ledger:?}")),
        Err(error) => drop(error.to_string()),
    }
}

/// A checkpoint's state, from which a sampler goes on.
pub(crate) fn checkpoint(scratch: &Scratch, bytes: &[u8]) {
    scratch.file("state.json", bytes);
    match checkpoints::read_state(scratch.path()) {
        Ok(Some(state)) => {
            let tasks = [Task::QueryProduct, Task::QueryType, Task::QueryProduct];
            let mut sampler = Sampler::new(&tasks, 2, Sampling::Proportional, Mixing::Mixed, 1);
            sampler.restore(state.sampler);
            for _ in 0..3 {
                let _ = sampler.next_batch();
            }
        }
        Ok(None) => {}
        Err(error) => drop(error.to_string()),
    }
}

/// An evaluation report, or the predictions that a lab keeps.
pub(crate) fn report(scratch: &Scratch, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        match EvalReport::from_json(text) {
            Ok(report) => drop(report.to_json()),
            Err(error) => drop(error.to_string()),
        }
    }
    let example = |task, grade| Example::new(task, "a", "b", grade);
    let examples =
        [example(Task::QueryType, Grade::Partial), example(Task::QueryQuery, Grade::Relevant)];
    let path = scratch.file("predictions-test.jsonl", bytes);
    if let Err(error) = Predictions::read(&path, &examples) {
        drop(error.to_string());
    }
}
