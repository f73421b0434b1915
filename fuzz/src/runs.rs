//! Readers of the recipes of runs, and of the files that runs leave behind.

use crate::{Scratch, is_read};
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
pub(crate) fn recipe(_: &Scratch, bytes: &[u8]) -> bool {
    let Some((text, settings)) = recipe_and_setting(bytes) else { return false };
    let recipe = parse_recipe(text, "recipe.toml", &settings);
    is_read(recipe.and_then(|recipe| Plan::new(recipe, no_backbone)))
}

/// A lab recipe, which becomes a grid.
pub(crate) fn lab(_: &Scratch, bytes: &[u8]) -> bool {
    let Some((text, settings)) = recipe_and_setting(bytes) else { return false };
    let recipe = LabRecipe::parse(text, "lab.toml", &settings);
    is_read(recipe.and_then(|recipe| Grid::new(recipe, no_backbone)).map(|_| ()))
}

/// A lab's ledger.
pub(crate) fn ledger(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("ledger.jsonl", bytes);
    is_read(Ledger::open(scratch.path()))
}

/// A checkpoint's state, from which a sampler goes on.
pub(crate) fn checkpoint(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("state.json", bytes);
    let state = checkpoints::read_state(scratch.path());
    if let Ok(Some(state)) = &state {
        let tasks = [Task::QueryProduct, Task::QueryType, Task::QueryProduct];
        let mut sampler = Sampler::new(&tasks, 2, Sampling::Proportional, Mixing::Mixed, 1);
        sampler.restore(state.sampler.clone());
        for _ in 0..3 {
            let _ = sampler.next_batch();
        }
    }
    is_read(state)
}

/// An evaluation report, or the predictions that a lab keeps.
pub(crate) fn report(scratch: &Scratch, bytes: &[u8]) -> bool {
    let read = std::str::from_utf8(bytes)
        .is_ok_and(|text| is_read(EvalReport::from_json(text).map(|report| report.to_json())));
    let example = |task, grade| Example::new(task, "a", "b", grade);
    let examples =
        [example(Task::QueryType, Grade::Partial), example(Task::QueryQuery, Grade::Relevant)];
    let path = scratch.file("predictions-test.jsonl", bytes);
    is_read(Predictions::read(&path, &examples)) || read
}
