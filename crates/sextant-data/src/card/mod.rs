//! The data card: what a dataset contains, where its rows come from, and how hard it is.

mod files;
mod render;

pub use files::DataFile;

use crate::check::key::texts;
use crate::{CheckReport, DataError, Dataset, ReadOptions, check};
use serde::Serialize;
use sextant_core::{EntityKind, Example, Grade, LabelOrigin, Split, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A description of a dataset. It serializes to JSON, and [`DataCard::to_markdown`] renders it as Markdown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataCard {
    /// The name of the dataset's folder or file.
    pub name: String,
    /// The files that the dataset was read from, with their hashes.
    pub files: Vec<DataFile>,
    /// The number of rows in all splits together.
    pub rows: usize,
    /// The number of distinct groups in all splits together.
    pub groups: usize,
    /// One entry per task and split that has rows.
    pub parts: Vec<PartFacts>,
    /// One entry per side of each task that has rows.
    pub lengths: Vec<LengthFacts>,
    /// The check's report: grades, baselines, repetitions.
    pub check: CheckReport,
}

/// The rows of one task in one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFacts {
    /// The task.
    pub task: Task,
    /// The split.
    pub split: Split,
    /// The number of rows.
    pub rows: usize,
    /// The number of rows of each grade.
    pub grades: [usize; Grade::COUNT],
    /// How many rows were graded by people.
    pub human: usize,
    /// How many rows were graded by a rule.
    pub derived: usize,
    /// How many rows do not say who graded them.
    pub unstated: usize,
    /// The number of distinct groups.
    pub groups: usize,
    /// The number of rows of each source; rows that do not state a source count under the empty name.
    pub sources: BTreeMap<String, usize>,
}

/// The lengths of the texts on one side of one task, in words separated by white space. The words of all
/// fields of a structured product are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LengthFacts {
    /// The task.
    pub task: Task,
    /// `left` or `right`.
    pub side: &'static str,
    /// The kind of entity on this side.
    pub kind: EntityKind,
    /// The median: half of the rows have at most this many words.
    pub median: usize,
    /// The 95th percentile: 95 % of the rows have at most this many words.
    pub p95: usize,
    /// The number of words of the longest text.
    pub max: usize,
}

impl DataCard {
    /// Reads a dataset and describes it.
    ///
    /// # Errors
    /// The errors of [`Dataset::load`], and a file that cannot be read to compute its hash.
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        let dataset = Dataset::load(path, options)?;
        let files = Dataset::files(path)?;
        let files = files.iter().map(|(_, path)| DataFile::read(path)).collect::<Result<_, _>>()?;
        // Paths such as `.` and `..` do not contain the folder's name.
        let whole = path.canonicalize().map_err(|source| DataError::read(path, source))?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::describe(&name, &dataset, files))
    }

    /// Describes a dataset in memory.
    pub fn describe(name: &str, dataset: &Dataset, files: Vec<DataFile>) -> Self {
        let all = || Split::ALL.into_iter().flat_map(|split| dataset.part(split));
        let mut parts = Vec::new();
        let mut lengths = Vec::new();
        for task in Task::ALL {
            for split in Split::ALL {
                let rows = dataset.part(split).iter().filter(|row| row.pair.task == task);
                parts.extend(PartFacts::of(task, split, rows));
            }
            let (left, right) = task.kinds();
            let rows = || all().filter(|row| row.pair.task == task);
            let left_words = rows().map(|row| words(texts(&row.pair.left)));
            lengths.extend(LengthFacts::of(task, "left", left, left_words));
            let right_words = rows().map(|row| words(texts(&row.pair.right)));
            lengths.extend(LengthFacts::of(task, "right", right, right_words));
        }
        let groups: BTreeSet<_> = all().filter_map(|row| row.group.as_deref()).collect();
        Self {
            name: name.to_owned(),
            files,
            rows: dataset.len(),
            groups: groups.len(),
            parts,
            lengths,
            check: check(dataset),
        }
    }
}

impl PartFacts {
    fn of<'a>(task: Task, split: Split, rows: impl Iterator<Item = &'a Example>) -> Option<Self> {
        let mut facts = Self {
            task,
            split,
            rows: 0,
            grades: [0; Grade::COUNT],
            human: 0,
            derived: 0,
            unstated: 0,
            groups: 0,
            sources: BTreeMap::new(),
        };
        let mut groups = BTreeSet::new();
        for row in rows {
            facts.rows += 1;
            facts.grades[row.grade.index()] += 1;
            match row.origin {
                Some(LabelOrigin::Human) => facts.human += 1,
                Some(LabelOrigin::Derived) => facts.derived += 1,
                None => facts.unstated += 1,
            }
            groups.extend(row.group.as_deref());
            *facts.sources.entry(row.source.clone().unwrap_or_default()).or_default() += 1;
        }
        facts.groups = groups.len();
        (facts.rows > 0).then_some(facts)
    }
}

impl LengthFacts {
    fn of(
        task: Task,
        side: &'static str,
        kind: EntityKind,
        lengths: impl Iterator<Item = usize>,
    ) -> Option<Self> {
        let mut lengths: Vec<_> = lengths.collect();
        lengths.sort_unstable();
        let max = *lengths.last()?;
        // The nearest-rank percentile: the smallest length that is not exceeded by `percent` percent of the
        // rows.
        let percentile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100) - 1];
        Some(Self { task, side, kind, median: percentile(50), p95: percentile(95), max })
    }
}

fn words<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.split_whitespace().count()).sum()
}
