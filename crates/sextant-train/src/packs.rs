//! Which rows of a step are in which pack: a pure function of the batch.

use crate::target::{StepOptions, Target};
use sextant_core::Task;
use sextant_text::fill;

/// Which packs' gradients are summed with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumBy {
    /// The gradients of all packs of the step are one sum.
    Step,
    /// Each pack has rows of one task, and the gradients of each task are a sum of their own.
    Task,
}

/// The packs of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPlan {
    /// The packs, in the order in which their gradients are summed.
    pub packs: Vec<PlannedPack>,
    /// How many sums there are: one, or one for each task that has rows.
    pub sums: usize,
    /// The divisor of every row's loss, whichever pack the row is in.
    pub divisor: f64,
}

/// One pack of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPack {
    /// The rows of the pack, as indices into the batch.
    pub rows: Vec<usize>,
    /// The index of the sum that the pack's gradients are added to.
    pub sum: usize,
    /// The key of the pack's dropout masks: the run's seed, the step (with the task, where sums are by
    /// task), and the pack's place among the packs of its sum.
    pub key: [u64; 3],
}

/// Lays the rows of a batch out in packs.
///
/// Rows keep their order and fill packs of at most [`StepOptions::pack_tokens`] tokens; a longer row gets a
/// pack of its own. With [`SumBy::Task`], tasks follow one another in the order of [`Task::ALL`], and tasks
/// without rows have no sum. The plan depends on nothing but the arguments.
pub fn plan_packs(batch: &[Target<'_>], options: &StepOptions<'_>, by: SumBy) -> StepPlan {
    let weights = || batch.iter().map(|target| f64::from(target.weight)).sum();
    let divisor = options.divisor.unwrap_or_else(weights);
    let [seed, step] = options.key;
    let all = || (0..batch.len()).collect();
    let of_task = |task| (0..batch.len()).filter(|&row| batch[row].row.task == task).collect();
    let groups: Vec<(u64, Vec<usize>)> = match by {
        SumBy::Step => vec![(step, all())],
        // The task is part of the key, so that dropout masks differ between tasks. The number of steps stays
        // far below the bits that hold the task.
        SumBy::Task => Task::ALL
            .into_iter()
            .map(|task| (step | (task.index() as u64 + 1) << 48, of_task(task)))
            .filter(|(_, rows): &(u64, Vec<usize>)| !rows.is_empty())
            .collect(),
    };
    let mut packs = Vec::new();
    for (sum, (step, rows)) in groups.iter().enumerate() {
        let lengths: Vec<usize> = rows.iter().map(|&row| batch[row].row.len()).collect();
        for (place, range) in fill(&lengths, options.pack_tokens).into_iter().enumerate() {
            let key = [seed, *step, place as u64];
            packs.push(PlannedPack { rows: rows[range].to_vec(), sum, key });
        }
    }
    StepPlan { packs, sums: groups.len(), divisor }
}
