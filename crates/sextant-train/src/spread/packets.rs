//! What ranks send each other about a step's gradients, and how it is laid out in words.

use crate::TaskLoss;
use crate::gradients::Gradient;
use crate::reduction::Reduced;
use crate::run_pack::PackLosses;
use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_kernels::RowGradient;
use std::ops::Range;

/// The most numbers that are exchanged at a time. Buffers hold twice as many.
const BUCKET: usize = 1 << 22;

/// What a rank has found of one stage in a round of packs.
pub(crate) struct Turn {
    pub(super) stage: usize,
    /// Whether no round of packs follows.
    pub(super) last_round: bool,
    pub(super) addends: Vec<Addend>,
    /// The losses of the round's packs, with its last stage.
    pub(super) losses: Vec<(usize, Losses)>,
    /// Why the rank gives up.
    pub(super) failed: Option<String>,
}

impl Turn {
    /// A turn in which nothing was found.
    pub(super) fn of(stage: usize, last_round: bool) -> Self {
        Self { stage, last_round, addends: Vec::new(), losses: Vec::new(), failed: None }
    }
}

/// Gradients of a stage's parameters that are added to a sum.
pub(super) struct Addend {
    /// Addends are added in ascending order of this: the pack, or the rank.
    pub(super) key: usize,
    pub(super) sum: usize,
    pub(super) parts: Vec<Option<Gradient>>,
}

/// What a rank says before it sends gradients.
#[derive(Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) addends: Vec<AboutAddend>,
    pub(super) losses: Vec<(usize, Losses)>,
    /// Why the rank gives up.
    pub(super) failed: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AboutAddend {
    pub(super) key: usize,
    pub(super) sum: usize,
    /// The kind of the gradient of each of the stage's parameters.
    pub(super) kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[serde(rename = "-")]
    Absent,
    #[serde(rename = "d")]
    Dense,
    #[serde(rename = "r")]
    Rows,
}

/// The losses of a pack, with floating-point numbers as their bits: JSON has no infinity.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Losses {
    pub(super) tasks: [(u64, u64, usize); Task::COUNT],
    pub(super) tokens: usize,
}

impl From<PackLosses> for Losses {
    fn from(losses: PackLosses) -> Self {
        let bits = |loss: TaskLoss| (loss.sum.to_bits(), loss.weight.to_bits(), loss.rows);
        Self { tasks: losses.task_losses.map(bits), tokens: losses.tokens }
    }
}

impl Losses {
    /// Adds the losses to those of a step.
    pub(super) fn add_to(self, reduced: &mut Reduced) {
        for (entry, (sum, weight, rows)) in reduced.task_losses.iter_mut().zip(self.tasks) {
            entry.sum += f64::from_bits(sum);
            entry.weight += f64::from_bits(weight);
            entry.rows += rows;
        }
        reduced.tokens += self.tokens;
    }
}

impl Kind {
    pub(crate) fn of(gradient: Option<&Gradient>) -> Self {
        match gradient {
            None => Self::Absent,
            Some(Gradient::Dense(_)) => Self::Dense,
            Some(Gradient::Rows(_)) => Self::Rows,
        }
    }
}

/// The addends of all ranks, each with its rank, in the order in which they are added.
pub(super) fn in_order(said: &[Announcement]) -> Vec<(usize, &AboutAddend)> {
    let of_ranks = said.iter().enumerate();
    let mut order: Vec<_> = of_ranks
        .flat_map(|(rank, said)| said.addends.iter().map(move |about| (rank, about)))
        .collect();
    // The sort is stable: addends of one pack stay in the order in which they were found.
    order.sort_by_key(|(_, about)| about.key);
    order
}

/// The numbers of a parameter that a rank adds up.
pub(super) fn chunk(length: usize, ranks: usize, rank: usize) -> Range<usize> {
    length * rank / ranks..length * (rank + 1) / ranks
}

/// Parameters that are exchanged together: as many as fit, at least one.
pub(super) fn buckets(lengths: &[usize]) -> Vec<Range<usize>> {
    let (mut buckets, mut start, mut held) = (Vec::new(), 0, 0);
    for (index, length) in lengths.iter().enumerate() {
        if held + length > BUCKET && index > start {
            buckets.push(start..index);
            (start, held) = (index, 0);
        }
        held += length;
    }
    buckets.push(start..lengths.len());
    buckets
}

/// The numbers of a tensor.
pub(super) fn numbers(data: &TensorData) -> std::borrow::Cow<'_, [f32]> {
    match data.as_slice::<f32>() {
        Ok(numbers) => numbers.into(),
        Err(_) => data.iter::<f32>().collect::<Vec<_>>().into(),
    }
}

/// Writes rows as words: how many there are, their width, their ids and their numbers.
pub(super) fn write_rows(rows: &RowGradient, words: &mut Vec<u32>) {
    words.extend([rows.ids().len() as u32, rows.width() as u32]);
    words.extend(rows.ids().iter().map(|id| id.cast_unsigned()));
    words.extend(rows.values().iter().map(|number| number.to_bits()));
}

/// Reads what [`write_rows`] has written, and moves on behind it.
pub(super) fn read_rows(words: &mut &[u32]) -> RowGradient {
    let (count, width) = (words[0] as usize, words[1] as usize);
    let (ids, rest) = words[2..].split_at(count);
    let (values, rest) = rest.split_at(count * width);
    *words = rest;
    let ids: Vec<i32> = ids.iter().map(|id| id.cast_signed()).collect();
    let values: Vec<f32> = values.iter().copied().map(f32::from_bits).collect();
    RowGradient::from_tokens(&ids, &values, width)
}
