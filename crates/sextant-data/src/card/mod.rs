//! The data card: what is in a dataset, where it comes from, and how hard it is.

mod files;
mod render;

pub use files::DataFile;

use crate::check::key::texts;
use crate::{CheckReport, DataError, Dataset, ReadOptions, check};
use serde::Serialize;
use sextant_core::{EntityKind, Example, Grade, LabelOrigin, Split, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is known about a dataset. Serializes to JSON; [`DataCard::to_markdown`] renders it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataCard {
    /// The folder's or the file's name.
    pub name: String,
    /// The files it was read from, with their hashes.
    pub files: Vec<DataFile>,
    /// Rows in all.
    pub rows: usize,
    /// Distinct groups in all.
    pub groups: usize,
    /// One entry per task and split that has rows.
    pub parts: Vec<PartFacts>,
    /// One entry per task and side.
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
    /// How many rows.
    pub rows: usize,
    /// How many of each grade.
    pub grades: [usize; Grade::COUNT],
    /// How many rows were graded by people.
    pub human: usize,
    /// How many rows were graded by a rule.
    pub derived: usize,
    /// How many rows do not say who graded them.
    pub unstated: usize,
    /// Distinct groups.
    pub groups: usize,
    /// Rows by source; rows that name none are under the empty name.
    pub sources: BTreeMap<String, usize>,
}

/// How long the texts on one side of one task are, in words separated by white space. All fields of
/// a structured product count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LengthFacts {
    /// The task.
    pub task: Task,
    /// `left` or `right`.
    pub side: &'static str,
    /// What the side is.
    pub kind: EntityKind,
    /// Half of the rows have at most so many words.
    pub median: usize,
    /// 95 % of the rows have at most so many words.
    pub p95: usize,
    /// The longest.
    pub max: usize,
}

impl DataCard {
    /// Reads a dataset and describes it.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        let dataset = Dataset::load(path, options)?;
        let files = Dataset::files(path)?;
        let files = files.iter().map(|(_, path)| DataFile::read(path)).collect::<Result<_, _>>()?;
        // `.` and `..` have no name of their own.
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
        // The nearest-rank percentile: the smallest length that so many percent do not exceed.
        let percentile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100) - 1];
        Some(Self { task, side, kind, median: percentile(50), p95: percentile(95), max })
    }
}

fn words<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.split_whitespace().count()).sum()
}
