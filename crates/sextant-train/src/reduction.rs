//! Sums over the packs of a step. They do not depend on which thread ran which pack, nor on when it did so.

use crate::packs::StepPlan;
use crate::run_pack::PackLosses;
use crate::{Gradients, TaskLoss};
use sextant_core::Task;
use std::collections::BTreeMap;

/// Sums the results of a step's packs, always in the order of the plan, because sums of floating-point
/// numbers depend on their order. Results that are handed in before the turn of their pack are kept until
/// then. Handing in the packs in the order of the plan needs the least memory.
#[derive(Debug)]
pub struct Reduction {
    /// The sum that each pack belongs to.
    sum_of_pack: Vec<usize>,
    /// The pack whose turn it is.
    next: usize,
    early: BTreeMap<usize, Early>,
    reduced: Reduced,
}

/// What was handed in for a pack before its turn.
#[derive(Debug, Default)]
struct Early {
    found: Vec<Gradients>,
    /// Set when the pack has ended.
    losses: Option<PackLosses>,
}

/// The sums of a step.
#[derive(Debug)]
pub struct Reduced {
    /// The gradients of each sum of the plan.
    pub sums: Vec<Gradients>,
    /// The losses of each task's rows.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// Tokens of all rows.
    pub tokens: usize,
}

impl Reduction {
    /// A reduction of the packs of a plan.
    pub fn new(plan: &StepPlan) -> Self {
        let sums = (0..plan.sums).map(|_| Gradients::default()).collect();
        Self {
            sum_of_pack: plan.packs.iter().map(|pack| pack.sum).collect(),
            next: 0,
            early: BTreeMap::new(),
            reduced: Reduced { sums, task_losses: Default::default(), tokens: 0 },
        }
    }

    /// Adds gradients of the pack at index `pack` of the plan. The gradients of one pack must be handed in
    /// in the order in which [`run_pack`](crate::run_pack()) gives them.
    ///
    /// # Panics
    /// When the plan has no such pack, or the pack has ended.
    pub fn add(&mut self, pack: usize, found: Gradients) {
        self.check(pack);
        if pack == self.next {
            self.reduced.sums[self.sum_of_pack[pack]].add(found);
        } else {
            self.early.entry(pack).or_default().found.push(found);
        }
    }

    /// Ends a pack, all of whose gradients have been handed in, and adds its losses and tokens.
    ///
    /// # Panics
    /// When the plan has no such pack, or the pack has ended before.
    pub fn end_pack(&mut self, pack: usize, losses: PackLosses) {
        self.check(pack);
        self.early.entry(pack).or_default().losses = Some(losses);
        while let Some(early) = self.early.get_mut(&self.next) {
            let sum = &mut self.reduced.sums[self.sum_of_pack[self.next]];
            for found in early.found.drain(..) {
                sum.add(found);
            }
            let Some(losses) = early.losses else { break };
            for (entry, found) in self.reduced.task_losses.iter_mut().zip(losses.task_losses) {
                entry.sum += found.sum;
                entry.weight += found.weight;
                entry.rows += found.rows;
            }
            self.reduced.tokens += losses.tokens;
            self.early.remove(&self.next);
            self.next += 1;
        }
    }

    /// The sums of all packs.
    ///
    /// # Panics
    /// When a pack has not ended: the sums would silently lack its rows.
    pub fn finish(self) -> Reduced {
        let (ended, packs) = (self.next, self.sum_of_pack.len());
        assert_eq!(ended, packs, "a step's sums were asked for after {ended} of {packs} packs");
        self.reduced
    }

    fn check(&self, pack: usize) {
        let ended = self.early.get(&pack).is_some_and(|early| early.losses.is_some());
        let open = (self.next..self.sum_of_pack.len()).contains(&pack) && !ended;
        assert!(open, "pack {pack} of a step was handed in twice, or is not in its plan");
    }
}
