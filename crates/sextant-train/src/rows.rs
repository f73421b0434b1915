//! The rows that a run holds: tokens, and a few bytes for what else is asked of a row. No texts.

use crate::source::SourceRow;
use crate::{Target, TrainError};
use sextant_core::{Grade, Pair, Prediction, Task};
use sextant_data::RowOrigin;
use sextant_eval::Scored;
use sextant_text::{CutCount, Encoder, RowArena, RowView, TextError};
use std::collections::HashMap;

/// Encoded rows with their grades: 32 bytes a row and 4 a token.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    tokens: RowArena,
    facts: Vec<Facts>,
    groups: Option<Groups>,
    /// The names of the files that rows come from, for messages.
    files: Vec<String>,
}

/// What is asked of a row beside its tokens.
#[derive(Debug, Clone, Copy)]
struct Facts {
    weight: f32,
    origin: RowOrigin,
    grade: Grade,
}

/// Which rows belong together, for metrics by group.
#[derive(Debug, Clone, Default)]
struct Groups {
    names: Vec<String>,
    of_rows: Vec<Option<u32>>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The tokens of a row.
    pub fn view(&self, row: usize) -> RowView<'_> {
        self.tokens.row(row)
    }

    /// The tokens of each row.
    pub fn views(&self) -> impl ExactSizeIterator<Item = RowView<'_>> {
        self.tokens.iter()
    }

    /// The grade and the loss weight of a row.
    pub fn target(&self, row: usize) -> (Grade, f32) {
        (self.facts[row].grade, self.facts[row].weight)
    }

    /// What a step learns from a row.
    pub fn learn(&self, row: usize) -> Target<'_> {
        let (grade, weight) = self.target(row);
        Target { row: self.view(row), grade, weight }
    }

    /// A row beside a prediction for it; with its group if the rows keep groups, as dev rows do.
    pub fn scored(&self, row: usize, prediction: Prediction) -> Scored<'_> {
        let group = self.groups.as_ref().and_then(|groups| {
            groups.of_rows[row].map(|group| groups.names[group as usize].as_str())
        });
        Scored { group, ..Scored::new(self.view(row).task, self.facts[row].grade, prediction) }
    }

    /// Where a row came from, as `train.jsonl line 101`.
    pub fn origin(&self, row: usize) -> String {
        self.facts[row].origin.describe(&self.files)
    }

    /// The task of each row.
    pub fn tasks(&self) -> Vec<Task> {
        self.views().map(|row| row.task).collect()
    }

    /// What truncation took.
    pub fn cut(&self) -> CutCount {
        self.tokens.cut()
    }
}

/// Pairs that are encoded at a time, on all threads: the texts that are held.
const BATCH: usize = 4096;

/// Encodes rows as they come.
pub(crate) struct RowsBuilder<'e> {
    encoder: &'e Encoder,
    rows: Rows,
    numbers: HashMap<String, u32>,
    waiting: Vec<Pair>,
}

impl<'e> RowsBuilder<'e> {
    /// A builder for so many rows from these files.
    pub(crate) fn new(encoder: &'e Encoder, files: Vec<String>, rows: usize) -> Self {
        let rows = Rows {
            tokens: RowArena::with_capacity(rows),
            facts: Vec::with_capacity(rows),
            groups: None,
            files,
        };
        Self { encoder, rows, numbers: HashMap::new(), waiting: Vec::new() }
    }

    /// Keeps each row's group too.
    pub(crate) fn keeping_groups(mut self) -> Self {
        self.rows.groups = Some(Groups::default());
        self
    }

    /// Adds a row. Errors are about this row or one that came before it, and name its place.
    pub(crate) fn push(&mut self, row: SourceRow<'_>) -> Result<(), TrainError> {
        let SourceRow { origin, example, .. } = row;
        let example = example.into_owned();
        if let Some(groups) = &mut self.rows.groups {
            let number = example.group.map(|group| {
                *self.numbers.entry(group).or_insert_with_key(|group| {
                    groups.names.push(group.clone());
                    groups.names.len() as u32 - 1
                })
            });
            groups.of_rows.push(number);
        }
        self.rows.facts.push(Facts { weight: example.weight, origin, grade: example.grade });
        self.waiting.push(example.pair);
        if self.waiting.len() == BATCH { self.encode() } else { Ok(()) }
    }

    fn encode(&mut self) -> Result<(), TrainError> {
        let first = self.rows.tokens.len();
        let encoded = self.encoder.encode_all(&self.waiting).map_err(|error| match error {
            TextError::Row { row, source } => {
                TrainError::Row { place: self.rows.origin(first + row), source }
            }
            other => other.into(),
        })?;
        self.waiting.clear();
        for row in &encoded {
            self.rows.tokens.push(row);
        }
        Ok(())
    }

    /// The rows.
    pub(crate) fn finish(mut self) -> Result<Rows, TrainError> {
        self.encode()?;
        self.rows.tokens.shrink_to_fit();
        Ok(self.rows)
    }
}
