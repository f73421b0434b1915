//! Pairs that occur more than once, and groups that occur in more than one split.

use super::key::PairKey;
use crate::Dataset;
use serde::Serialize;
use sextant_core::{Example, Grade, Split};
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

/// Where a row is in a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowPlace {
    /// The split.
    pub split: Split,
    /// The position among the rows of the split, from 1.
    pub row: usize,
    /// The row's identifier, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The row's grade.
    pub grade: Grade,
    /// The row's file and line, such as `train.jsonl line 101`, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl RowPlace {
    /// The place of a row; `row` is its position in the split, from 0.
    pub(super) fn of(split: Split, row: usize, example: &Example) -> Self {
        Self { split, row: row + 1, id: example.id.clone(), grade: example.grade, origin: None }
    }
}

impl Display for RowPlace {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Some(origin) => f.write_str(origin)?,
            None => write!(f, "{} row {}", self.split, self.row)?,
        }
        self.id.as_ref().map_or(Ok(()), |id| write!(f, " ({id})"))
    }
}

/// A pair that several rows have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepeatedPair {
    /// The pair.
    pub pair: PairKey,
    /// The rows with this pair, in the order of the splits.
    pub rows: Vec<RowPlace>,
}

impl RepeatedPair {
    fn crosses_splits(&self) -> bool {
        self.rows.iter().any(|row| row.split != self.rows[0].split)
    }

    fn repeats_within_a_split(&self) -> bool {
        // Rows are in the order of the splits.
        self.rows.windows(2).any(|rows| rows[0].split == rows[1].split)
    }

    fn contradicts_itself(&self) -> bool {
        self.rows.iter().any(|row| row.grade != self.rows[0].grade)
    }
}

/// A group with rows in several splits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedGroup {
    /// The group.
    pub group: String,
    /// The number of rows of the group in each split.
    pub rows: BTreeMap<Split, usize>,
}

/// Every kind of repetition in a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repetitions {
    /// Pairs with rows in two or more splits, which is leakage.
    pub pairs_across_splits: Vec<RepeatedPair>,
    /// Groups with rows in two or more splits, which is leakage. Rows of different tasks that name the same
    /// group belong to one group.
    pub groups_across_splits: Vec<SharedGroup>,
    /// Pairs with two or more rows in one split.
    pub duplicates: Vec<RepeatedPair>,
    /// Pairs whose rows have different grades.
    pub contradictions: Vec<RepeatedPair>,
}

impl Repetitions {
    /// The places of all rows of repeated pairs, to change them.
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut RowPlace> {
        let Self { pairs_across_splits, duplicates, contradictions, .. } = self;
        let pairs = pairs_across_splits.iter_mut().chain(duplicates).chain(contradictions);
        pairs.flat_map(|pair| &mut pair.rows)
    }

    pub(super) fn of(dataset: &Dataset) -> Self {
        let mut rows: Vec<(PairKey, Split, usize, &Example)> = Vec::with_capacity(dataset.len());
        let mut groups: BTreeMap<&str, BTreeMap<Split, usize>> = BTreeMap::new();
        for split in Split::ALL {
            for (i, example) in dataset.part(split).iter().enumerate() {
                rows.push((PairKey::of(&example.pair), split, i, example));
                let group = example.group.as_deref().map(str::trim);
                if let Some(group) = group.filter(|group| !group.is_empty()) {
                    *groups.entry(group).or_default().entry(split).or_default() += 1;
                }
            }
        }
        rows.sort_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));

        let mut found = Self::default();
        for same in rows.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            let place = |&(_, split, row, example): &(_, Split, usize, &Example)| {
                RowPlace::of(split, row, example)
            };
            let repeated =
                RepeatedPair { pair: same[0].0.clone(), rows: same.iter().map(place).collect() };
            if repeated.crosses_splits() {
                found.pairs_across_splits.push(repeated.clone());
            }
            if repeated.contradicts_itself() {
                found.contradictions.push(repeated.clone());
            }
            if repeated.repeats_within_a_split() {
                found.duplicates.push(repeated);
            }
        }
        found.groups_across_splits = groups
            .into_iter()
            .filter(|(_, rows)| rows.len() > 1)
            .map(|(group, rows)| SharedGroup { group: group.to_owned(), rows })
            .collect();
        found
    }
}
