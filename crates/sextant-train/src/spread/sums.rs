//! What a rank has found for the sums of a step, and hands to the thread that exchanges it.
//!
//! Gradients are exchanged in stages, which follow a backward pass by blocks: first those of the heads, then those of
//! each block from the last to the first, then those of the embeddings. A stage of a round of packs is handed over as
//! soon as the rank's last pack of the round has passed it, so that it is on its way while the blocks below are
//! computed. All ranks exchange the same stages in the same order, whatever they found.

use super::Spread;
use super::packets::{Addend, Losses, Turn};
use crate::metered::Stopwatch;
use crate::packs::StepPlan;
use crate::run_pack::PackLosses;
use crate::{Gradients, LayerTeacher, ReductionOrder, TrainError};
use sextant_model::{RelevanceModel, parameters};
use std::sync::mpsc::SyncSender;

/// The parameters of a model, and what is learned besides, as ranks exchange their gradients.
pub(crate) struct SpreadParameters {
    /// How many numbers each parameter has.
    pub(super) lengths: Vec<usize>,
    /// The parameters of each stage.
    pub(super) stages: Vec<Vec<usize>>,
}

impl SpreadParameters {
    /// Those of a model, and of the teacher of its layers, if it has one.
    pub(crate) fn of(model: &RelevanceModel, layers: Option<&LayerTeacher>) -> Self {
        let mut lengths: Vec<usize> =
            parameters(model).iter().map(sextant_model::ParamInfo::len).collect();
        let mut stage_of = model.backward_stages();
        if let Some(layers) = layers {
            lengths.push(layers.projection.shape().num_elements());
            stage_of.push(0);
        }
        let last = stage_of.iter().copied().max().unwrap_or(0);
        let members = |stage: usize| {
            let of_stage = stage_of.iter().enumerate().filter(|(_, found)| **found == stage);
            of_stage.map(|(index, _)| index).collect()
        };
        Self { lengths, stages: (0..=last).map(members).collect() }
    }

    /// How many stages there are.
    pub(crate) fn stages(&self) -> usize {
        self.stages.len()
    }
}

/// What a rank has found and not yet handed over.
pub(crate) struct SpreadSums<'a> {
    rank: usize,
    order: ReductionOrder,
    stages: &'a [Vec<usize>],
    /// Whether packs give their gradients stage by stage.
    by_blocks: bool,
    sum_of_pack: Vec<usize>,
    turns: SyncSender<Turn>,
    waited: &'a Stopwatch,
    found: Vec<Found>,
    /// The losses of the packs that this rank has run in this round.
    losses: Vec<(usize, Losses)>,
    /// The pack that runs.
    pack: Running,
    /// The first stage of this round that was not handed over.
    stage: usize,
}

/// Gradients that are added to a sum as a whole.
struct Found {
    /// Addends are added in ascending order of this: the pack, or the rank.
    key: usize,
    sum: usize,
    gradients: Gradients,
}

/// A pack that runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Running {
    /// Its place in the plan.
    pub(crate) pack: usize,
    /// Whether it is the last of this rank in its round.
    pub(crate) last: bool,
    /// Whether its round is the last of the step.
    pub(crate) last_round: bool,
    /// How many parts of its gradients were handed in.
    pub(crate) parts: usize,
}

impl<'a> SpreadSums<'a> {
    /// Sums over the packs of a plan, which `turns` leads to. `by_blocks` says whether packs give their gradients as
    /// [`RelevanceModel::backward_by_blocks`] does.
    pub(crate) fn new(
        plan: &StepPlan,
        parameters: &'a SpreadParameters,
        by_blocks: bool,
        turns: SyncSender<Turn>,
        spread: Spread<'a>,
    ) -> Self {
        Self {
            rank: spread.reducer.rank(),
            order: spread.order,
            stages: &parameters.stages,
            by_blocks,
            sum_of_pack: plan.packs.iter().map(|pack| pack.sum).collect(),
            turns,
            waited: spread.waited,
            found: Vec::new(),
            losses: Vec::new(),
            pack: Running::default(),
            stage: 0,
        }
    }

    /// Begins a pack that this rank runs. Packs must come in ascending order.
    pub(crate) fn begin_pack(&mut self, pack: Running) {
        self.pack = pack;
    }

    /// Adds gradients of the pack that runs, in the order in which [`run_pack`](crate::run_pack()) gives them.
    pub(crate) fn add(&mut self, gradients: Gradients) {
        let Running { pack, last, last_round, .. } = self.pack;
        let sum = self.sum_of_pack[pack];
        match self.order {
            ReductionOrder::Fixed => {
                // The parts of a pack are one addend, but for a parameter that has a gradient in several of
                // them: one process adds each to the sum, and so do several.
                let before = self.found.last_mut().filter(|before| before.key == pack);
                let left = match before {
                    Some(before) => before.gradients.join(gradients).err(),
                    None => Some(gradients),
                };
                self.found.extend(left.map(|gradients| Found { key: pack, sum, gradients }));
            }
            ReductionOrder::Ring => match self.found.iter_mut().find(|found| found.sum == sum) {
                Some(found) => found.gradients.add(gradients),
                None => self.found.push(Found { key: self.rank, sum, gradients }),
            },
        }
        self.pack.parts += 1;
        // The rows of the word table, which belong to the last stage, come after the parts of all stages.
        if self.by_blocks && last && self.pack.parts < self.stages.len() {
            self.hand_over(last_round);
        }
    }

    /// Ends the pack that runs, all of whose gradients have been handed in.
    pub(crate) fn end_pack(&mut self, losses: PackLosses) {
        self.losses.push((self.pack.pack, losses.into()));
    }

    /// Hands over what is left of a round. `ran` says whether this rank could run its packs; if one could not, all
    /// ranks fail. Returns whether there is any use in running another round.
    pub(crate) fn end_round(&mut self, ran: &Result<(), TrainError>, last_round: bool) -> bool {
        if let Err(error) = ran {
            let failed = Some(error.to_string());
            // If nobody listens any more, the ranks have ended for another reason.
            let _ = self.turns.send(Turn { failed, ..Turn::of(self.stage, last_round) });
            return false;
        }
        while self.stage < self.stages.len() {
            if !self.hand_over(last_round) {
                return false;
            }
        }
        self.found.clear();
        self.stage = 0;
        true
    }

    /// Hands the next stage over. Returns whether the thread that exchanges is still there: if it is not, it returns
    /// why.
    fn hand_over(&mut self, last_round: bool) -> bool {
        let of_stage = &self.stages[self.stage];
        let found = self.found.iter_mut().map(|found| Addend {
            key: found.key,
            sum: found.sum,
            parts: found.gradients.take(of_stage),
        });
        let addends = found.filter(|addend| addend.parts.iter().any(Option::is_some)).collect();
        let ends = self.stage + 1 == self.stages.len();
        let losses = if ends { std::mem::take(&mut self.losses) } else { Vec::new() };
        let turn = Turn { addends, losses, ..Turn::of(self.stage, last_round) };
        self.stage += 1;
        self.waited.time(|| self.turns.send(turn)).is_ok()
    }
}
