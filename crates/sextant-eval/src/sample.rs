//! The rows of an evaluation, prepared to be summed up many times.

use crate::Scored;
use crate::bootstrap::{Bootstrap, number_units};
use crate::interval::Interval;
use crate::ndcg::{DEPTH, ndcg};
use crate::tally::{RowStats, Tally, VALUES, Values, expected_grade};
use sextant_core::{Grade, Task};
use std::collections::BTreeMap;

/// The number of slices: the six tasks in their order, then all rows together, then the mean over tasks.
pub(crate) const SLICES: usize = Task::COUNT + 2;
/// The index of the slice of all rows together.
pub(crate) const POOLED: usize = Task::COUNT;
/// The index of the mean over tasks.
pub(crate) const MACRO: usize = Task::COUNT + 1;

/// Each slice's metrics.
pub(crate) type SliceValues = [Values; SLICES];
/// Each slice's intervals.
pub(crate) type SliceIntervals = [[Option<Interval>; VALUES]; SLICES];

/// The size of a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) units: usize,
    pub(crate) ranked_lists: usize,
}

/// A group's rows of one task, ranked by expected grade.
#[derive(Debug, Clone, Copy)]
struct RankedList {
    task: u32,
    unit: u32,
    ndcg: f64,
}

/// The rows of an evaluation: each reduced to its statistics, with the lists they form.
#[derive(Debug)]
pub(crate) struct Sample {
    rows: Vec<RowStats>,
    lists: Vec<RankedList>,
    /// Number of units of resampling.
    units: usize,
}

impl Sample {
    /// Reduces the rows to their statistics, and ranks lists if `ranking` is set.
    pub(crate) fn new(rows: &[Scored<'_>], ranking: bool) -> Self {
        let (unit_of, units) = number_units(rows.iter().map(|row| row.group));
        let stats = rows.iter().zip(&unit_of).map(|(row, &unit)| RowStats::new(row, unit));
        let lists = if ranking { ranked_lists(rows, &unit_of) } else { Vec::new() };
        Self { rows: stats.collect(), lists, units }
    }

    /// Sums up each task's rows and lists, each as many times as `count` says for its unit.
    fn sum(&self, count: impl Fn(u32) -> u32) -> [Tally; Task::COUNT] {
        let mut tallies = [Tally::default(); Task::COUNT];
        for row in &self.rows {
            let count = count(row.unit);
            if count > 0 {
                tallies[row.task as usize].add_row(row, f64::from(count));
            }
        }
        for list in &self.lists {
            tallies[list.task as usize].add_list(list.ndcg, f64::from(count(list.unit)));
        }
        tallies
    }

    /// The sums of each task and of all rows, every row counted once.
    pub(crate) fn tallies(&self) -> [Tally; Task::COUNT + 1] {
        let tasks = self.sum(|_| 1);
        std::array::from_fn(|slice| if slice == POOLED { pool(&tasks) } else { tasks[slice] })
    }

    /// The metrics of every slice, each row counted as many times as `count` says for its unit. The mean
    /// over tasks is over the tasks for which `like` (without it, this result) defines the metric. If
    /// the metric is undefined here for one of these tasks, so is the mean, because means over different
    /// tasks cannot be compared.
    fn values_counting(
        &self,
        count: impl Fn(u32) -> u32,
        like: Option<&SliceValues>,
    ) -> SliceValues {
        let tallies = self.sum(count);
        let mut values = [[None; VALUES]; SLICES];
        for (task, tally) in tallies.iter().enumerate() {
            values[task] = tally.values();
        }
        values[POOLED] = pool(&tallies).values();
        values[MACRO] = std::array::from_fn(|k| {
            let defines = |task: &usize| like.unwrap_or(&values)[*task][k].is_some();
            let tasks: Vec<usize> = (0..Task::COUNT).filter(defines).collect();
            let sum: Option<f64> = tasks.iter().map(|&task| values[task][k]).sum();
            sum.filter(|_| !tasks.is_empty()).map(|sum| sum / tasks.len() as f64)
        });
        values
    }

    /// The metrics of every slice.
    pub(crate) fn values(&self) -> SliceValues {
        self.values_counting(|_| 1, None)
    }

    /// The interval of every metric of every slice. All slices are computed on the same resamples,
    /// so a group with rows of several tasks is drawn as a whole.
    pub(crate) fn intervals(&self, bootstrap: &Bootstrap, values: &SliceValues) -> SliceIntervals {
        let replicates = bootstrap.replicate(self.units, |counts| {
            self.values_counting(|unit| counts[unit as usize], Some(values))
        });
        let sizes = self.sizes();
        let mut intervals = [[None; VALUES]; SLICES];
        for (slice, row) in intervals.iter_mut().enumerate() {
            // A single unit is the same in every resample, which says nothing about its spread.
            if sizes[slice.min(POOLED)].units < 2 {
                continue;
            }
            for (k, interval) in row.iter_mut().enumerate() {
                if values[slice][k].is_some() {
                    *interval = bootstrap.interval(replicates.iter().map(|r| r[slice][k]));
                }
            }
        }
        intervals
    }

    /// The sizes of each task's slice and of all rows together.
    pub(crate) fn sizes(&self) -> [Size; Task::COUNT + 1] {
        let mut sizes = [Size::default(); Task::COUNT + 1];
        let mut seen = vec![[false; Task::COUNT + 1]; self.units];
        for row in &self.rows {
            for slice in [row.task as usize, POOLED] {
                sizes[slice].rows += 1;
                if !std::mem::replace(&mut seen[row.unit as usize][slice], true) {
                    sizes[slice].units += 1;
                }
            }
        }
        for list in &self.lists {
            sizes[list.task as usize].ranked_lists += 1;
            sizes[POOLED].ranked_lists += 1;
        }
        sizes
    }
}

fn pool(tasks: &[Tally]) -> Tally {
    let mut pooled = Tally::default();
    for tally in tasks {
        pooled.merge(tally);
    }
    pooled
}

/// Ranks the rows that share a task and a group, where there are at least two and not all of them
/// are irrelevant. Weights play no part: every list counts the same.
fn ranked_lists(rows: &[Scored<'_>], unit_of: &[u32]) -> Vec<RankedList> {
    let mut lists: BTreeMap<(u32, u32), Vec<(Grade, f64)>> = BTreeMap::new();
    for (row, &unit) in rows.iter().zip(unit_of) {
        if row.group.is_some() {
            let list = lists.entry((row.task.index() as u32, unit)).or_default();
            list.push((row.grade, expected_grade(row)));
        }
    }
    let ranked = lists.into_iter().filter(|(_, items)| items.len() >= 2);
    ranked
        .filter_map(|((task, unit), items)| {
            ndcg(&items, DEPTH).map(|ndcg| RankedList { task, unit, ndcg })
        })
        .collect()
}
