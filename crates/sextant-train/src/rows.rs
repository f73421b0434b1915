//! The rows that a run holds in memory: their tokens and a few bytes of other facts for each row, but not
//! their texts.

use crate::source::SourceRow;
use crate::{Target, TargetOfBehaviour, TargetOfTeacher, TrainError};
use sextant_core::{Behaviour, Grade, Pair, Prediction, Task};
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
    /// What a teacher says of each row; `None` if there is no teacher.
    teacher: Option<Vec<Option<TargetOfTeacher>>>,
    /// What the behaviour of each row says; `None` if none is learned.
    behaviour: Option<Vec<Option<TargetOfBehaviour>>>,
    /// The names of the files that rows come from, for messages.
    files: Vec<String>,
}

/// What is kept of a row besides its tokens.
#[derive(Debug, Clone, Copy)]
struct Facts {
    weight: f32,
    origin: RowOrigin,
    grade: Grade,
}

/// The groups that rows belong to, for metrics by group.
#[derive(Debug, Clone, Default)]
struct Groups {
    names: Vec<String>,
    of_rows: Vec<Option<u32>>,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there are no rows.
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

    /// Whether a row's grade counts: it does unless the share of a teacher or of behaviour is all of the row's loss.
    pub(crate) fn is_graded(&self, row: usize) -> bool {
        self.teacher(row).is_none_or(|teacher| teacher.share < 1.0)
            && self.behaviour(row).is_none_or(|behaviour| behaviour.share < 1.0)
    }

    /// Multiplies the loss weight of a row.
    pub(crate) fn scale(&mut self, row: usize, factor: f32) {
        self.facts[row].weight *= factor;
    }

    /// Multiplies the loss weight of each row whose grade counts by the factor of its task and grade.
    pub(crate) fn reweigh(&mut self, factor: impl Fn(Task, Grade) -> f32) {
        for row in (0..self.len()).filter(|&row| self.is_graded(row)).collect::<Vec<_>>() {
            let task = self.view(row).task;
            let facts = &mut self.facts[row];
            facts.weight *= factor(task, facts.grade);
        }
    }

    /// A row as a step learns from it: tokens, grade and weight.
    pub fn learn(&self, row: usize) -> Target<'_> {
        let (grade, weight) = self.target(row);
        let (teacher, behaviour) = (self.teacher(row), self.behaviour(row));
        Target { row: self.view(row), grade, weight, teacher, behaviour }
    }

    /// What a teacher says of a row.
    pub(crate) fn teacher(&self, row: usize) -> Option<TargetOfTeacher> {
        self.teacher.as_ref().and_then(|teacher| teacher[row])
    }

    /// Sets what a teacher says of each row.
    pub(crate) fn set_teacher(&mut self, teacher: Vec<Option<TargetOfTeacher>>) {
        debug_assert_eq!(teacher.len(), self.len());
        self.teacher = Some(teacher);
    }

    /// What the behaviour of a row says.
    pub(crate) fn behaviour(&self, row: usize) -> Option<TargetOfBehaviour> {
        self.behaviour.as_ref().and_then(|behaviour| behaviour[row])
    }

    /// Sets what the behaviour of each row says.
    pub(crate) fn set_behaviour(&mut self, behaviour: Vec<Option<TargetOfBehaviour>>) {
        debug_assert_eq!(behaviour.len(), self.len());
        self.behaviour = Some(behaviour);
    }

    /// A row with a prediction for it, and with its group if groups are kept, as they are for dev rows.
    pub fn scored(&self, row: usize, prediction: Prediction) -> Scored<'_> {
        let group = self.groups.as_ref().and_then(|groups| {
            groups.of_rows[row].map(|group| groups.names[group as usize].as_str())
        });
        Scored { group, ..Scored::new(self.view(row).task, self.facts[row].grade, prediction) }
    }

    /// The place that a row came from, such as `train.jsonl line 101`.
    pub fn origin(&self, row: usize) -> String {
        self.facts[row].origin.describe(&self.files)
    }

    /// The task of each row.
    pub fn tasks(&self) -> Vec<Task> {
        self.views().map(|row| row.task).collect()
    }

    /// How many rows and tokens were cut by truncation.
    pub fn cut(&self) -> CutCount {
        self.tokens.cut()
    }
}

/// The number of pairs that are encoded together, on all threads. Only the texts of so many pairs are held.
const BATCH: usize = 4096;

/// Encodes rows as they are read.
pub(crate) struct RowsBuilder<'e> {
    encoder: &'e Encoder,
    rows: Rows,
    numbers: HashMap<String, u32>,
    waiting: Vec<Pair>,
    /// The behaviour of each row, if it is kept.
    behaviours: Option<Vec<Option<Box<Behaviour>>>>,
}

impl<'e> RowsBuilder<'e> {
    /// A builder for about `rows` rows that come from `files`.
    pub(crate) fn new(encoder: &'e Encoder, files: Vec<String>, rows: usize) -> Self {
        let rows = Rows {
            tokens: RowArena::with_capacity(rows),
            facts: Vec::with_capacity(rows),
            groups: None,
            teacher: None,
            behaviour: None,
            files,
        };
        Self { encoder, rows, numbers: HashMap::new(), waiting: Vec::new(), behaviours: None }
    }

    /// Makes the builder keep the group of each row, too.
    pub(crate) fn keeping_groups(mut self) -> Self {
        self.rows.groups = Some(Groups::default());
        self
    }

    /// Makes the builder keep the behaviour of each row, too, if it is `wanted`.
    pub(crate) fn keeping_behaviour(mut self, wanted: bool) -> Self {
        self.behaviours = wanted.then(Vec::new);
        self
    }

    /// How many rows were added.
    pub(crate) fn len(&self) -> usize {
        self.rows.facts.len()
    }

    /// The behaviour of each row so far, if it was kept.
    pub(crate) fn take_behaviours(&mut self) -> Option<Vec<Option<Box<Behaviour>>>> {
        self.behaviours.take()
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
        if let Some(behaviours) = &mut self.behaviours {
            behaviours.push(example.behaviour);
        }
        self.rows.facts.push(Facts { weight: example.weight, origin, grade: example.grade });
        self.waiting.push(example.pair);
        if self.waiting.len() == BATCH { self.encode() } else { Ok(()) }
    }

    /// Adds a file to the names for messages, and returns its index.
    pub(crate) fn add_file(&mut self, name: String) -> usize {
        self.rows.files.push(name);
        self.rows.files.len() - 1
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

    /// Encodes the rows that are still waiting, and returns all rows.
    pub(crate) fn finish(mut self) -> Result<Rows, TrainError> {
        self.encode()?;
        self.rows.tokens.shrink_to_fit();
        Ok(self.rows)
    }
}
