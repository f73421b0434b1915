//! Builds the public six-task benchmark from its source data sets.
//!
//! [`build`] reads the data sets ([`crate::sources`]), gives every entity its split
//! ([`crate::split`]), derives the candidates of each task and selects among them
//! (module `derive`), and writes `train.jsonl`, `dev.jsonl`, `test.jsonl` and `build.json`. The
//! same recipe and sources give the same bytes.

pub use crate::derive::{
    NegativeRule, ProductProductRule, QueryProductRule, QueryQueryRule, QueryTypeRule, Recipe,
    RecipeError, Selection, SplitRule, TypeText,
};

use crate::derive::{self, Context};
use crate::sources::{LeftOut, SourceError, Sources};
use crate::{DataError, DataFolder, Dataset, Format};
use serde::Serialize;
use sextant_core::{Example, Grade, Split, Task};
use sextant_files::Existing;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file with the [`BuildReport`], beside the files of rows.
const REPORT: &str = "build.json";

/// Why a benchmark could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A source file is missing or broken.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The result cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A task that the recipe asks for got no rows in a split.
    #[error(
        "{task} has no {split} rows; raise rows.{task} in the recipe, or check that the source files are whole"
    )]
    NoRows {
        /// The task.
        task: Task,
        /// The empty split.
        split: Split,
    },
}

/// A description of the benchmark that was built.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildReport {
    /// The recipe's name.
    pub name: String,
    /// The recipe's seed.
    pub seed: u64,
    /// How many groups of entities were given a split.
    pub groups: usize,
    /// The largest share of one data set that a group holds.
    pub largest_group_share: f64,
    /// What was left out of damaged source files, by the name of the file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, LeftOut>,
    /// A description of each task.
    pub tasks: BTreeMap<Task, TaskReport>,
}

/// A description of one task of the benchmark.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskReport {
    /// How many rows each step of the selection left, from candidates to rows.
    pub selection: Selection,
    /// Rows of each grade, for each split.
    pub grades: BTreeMap<Split, [usize; Grade::COUNT]>,
    /// Rows of each grade, for each source.
    pub sources: BTreeMap<String, [usize; Grade::COUNT]>,
}

/// Builds the benchmark of `recipe` from the files below `source_folder`, and writes it into
/// `out_folder`; `existing` says whether another data set in that folder may be replaced.
///
/// # Errors
/// See [`BuildError`]. Nothing is written unless the whole benchmark could be built.
pub fn build(
    recipe: &Recipe,
    source_folder: &Path,
    out_folder: &Path,
    existing: Existing,
) -> Result<BuildReport, BuildError> {
    let mut folder = DataFolder::open(out_folder, existing)?;
    let sources = Sources::load(source_folder)?;
    let (dataset, report) = derive_dataset(recipe, &sources)?;
    folder.save(&dataset, Format::Jsonl)?;
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| DataError::write(&out_folder.join(REPORT), error))?;
    folder.add(REPORT, &format!("{json}\n"))?;
    Ok(report)
}

/// Builds the benchmark in memory.
///
/// # Errors
/// [`BuildError::NoRows`] if a task that the recipe asks for gets no rows in some split.
pub fn derive_dataset(
    recipe: &Recipe,
    sources: &Sources,
) -> Result<(Dataset, BuildReport), BuildError> {
    let splits = derive::assign(sources, recipe);
    let context = Context { sources, recipe, splits: &splits };
    let mut dataset = Dataset::default();
    let mut tasks = BTreeMap::new();
    for task in Task::ALL {
        let rows = recipe.rows_of(task);
        if rows == 0 {
            continue;
        }
        let grades = recipe.grades.get(&task).copied();
        let pool = derive::candidates(task, context);
        let (kept, selection) =
            derive::select(pool, recipe.seed, rows, recipe.split.shares(), grades);
        let report = describe(&kept, selection);
        for split in Split::ALL {
            if !report.grades.contains_key(&split) {
                return Err(BuildError::NoRows { task, split });
            }
        }
        tracing::info!(%task, rows = kept.len(), candidates = selection.candidates, "derived");
        tasks.insert(task, report);
        for row in kept {
            dataset.part_mut(row.split.unwrap_or(Split::Train)).push(row);
        }
    }
    let report = BuildReport {
        name: recipe.name.clone(),
        seed: recipe.seed,
        groups: splits.groups,
        largest_group_share: splits.largest_group_share,
        left_out: sources.left_out.clone(),
        tasks,
    };
    Ok((dataset, report))
}

fn describe(rows: &[Example], selection: Selection) -> TaskReport {
    let mut report = TaskReport { selection, ..TaskReport::default() };
    for row in rows {
        let grade = row.grade.index();
        report.grades.entry(row.split.unwrap_or(Split::Train)).or_default()[grade] += 1;
        let source = row.source.clone().unwrap_or_default();
        report.sources.entry(source).or_default()[grade] += 1;
    }
    report
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, check};

    fn recipe() -> Recipe {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/public-six.toml");
        let mut recipe = Recipe::read(Path::new(file)).unwrap();
        recipe.rows = Task::ALL.into_iter().map(|task| (task, 120)).collect();
        recipe.split.max_group_share = 0.05;
        recipe
    }

    #[test]
    fn two_builds_give_the_same_bytes_and_no_leak() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fixture::write_sources(&source);
        let outs = ["first", "second"].map(|name| folder.path().join(name));
        for out in &outs {
            build(&recipe(), &source, out, Existing::Refuse).unwrap();
        }
        for file in ["train.jsonl", "dev.jsonl", "test.jsonl", "build.json"] {
            let [first, second] = outs.each_ref().map(|out| std::fs::read(out.join(file)).unwrap());
            assert!(!first.is_empty() && first == second, "{file}");
        }
        let dataset = Dataset::load(&outs[0], &ReadOptions::default()).unwrap();
        let report = check(&dataset);
        assert!(report.is_ok(), "{report}");
        assert!(report.repetitions.contradictions.is_empty(), "{report}");
        for task in &report.tasks {
            let [left, right] = task.seen_in_train.unwrap();
            let (_, right_kind) = task.task.kinds();
            let types_only = task.task == Task::TypeType;
            assert!(types_only || left == 0.0, "{}: known left sides", task.task);
            if matches!(task.task, Task::QueryQuery | Task::ProductProduct) {
                assert_eq!(right, 0.0, "{}: known {right_kind} sides", task.task);
            }
        }
        for task in Task::ALL {
            let rows = Split::ALL.into_iter().flat_map(|split| dataset.part(split));
            let grades: std::collections::BTreeSet<Grade> =
                rows.filter(|row| row.pair.task == task).map(|row| row.grade).collect();
            assert_eq!(grades.len(), Grade::COUNT, "{task}");
        }
    }

    #[test]
    fn another_seed_gives_another_benchmark() {
        let folder = tempfile::tempdir().unwrap();
        fixture::write_sources(folder.path());
        let sources = Sources::load(folder.path()).unwrap();
        let (first, _) = derive_dataset(&recipe(), &sources).unwrap();
        let other = Recipe { seed: 1, ..recipe() };
        let (second, _) = derive_dataset(&other, &sources).unwrap();
        assert_ne!(first.part(Split::Test), second.part(Split::Test));
    }

    #[test]
    fn a_task_without_rows_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fixture::write_sources(folder.path());
        let mut sources = Sources::load(folder.path()).unwrap();
        sources.queries.clear();
        let error = derive_dataset(&recipe(), &sources).unwrap_err().to_string();
        assert!(error.contains("query-type") && error.contains("rows.query-type"), "{error}");
        let without = Recipe { rows: [(Task::QueryProduct, 50)].into(), ..recipe() };
        let (dataset, report) = derive_dataset(&without, &sources).unwrap();
        assert_eq!(report.tasks.len(), 1);
        assert!(dataset.len() <= 50);
    }

    #[test]
    fn a_missing_source_leaves_no_output() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let error =
            build(&recipe(), folder.path(), &out, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains("fold-10.csv"), "{error}");
        assert!(!out.exists());
    }
}
