//! Exchanges gradients between ranks, and sums them up.
//!
//! Every number of a gradient has one rank that adds it up: of each parameter, each rank has an equal part,
//! and of a table's rows, those whose number leaves the rank's number when divided by the number of ranks.
//! For each [turn](Turn) a rank sends every other rank its part of the gradients and adds what it gets
//! (a reduce-scatter); when the last round of packs has passed a stage, every rank tells the others its sums of it
//! (an all-gather). What is added, and in which order, is known to all ranks beforehand, so that all have the same
//! sums, bit for bit.

use super::Spread;
use super::packets::{
    AboutAddend, Addend, Announcement, Kind, Losses, Turn, buckets, chunk, in_order, numbers,
    read_rows, write_rows,
};
use super::sums::SpreadParameters;
use crate::agree::gather_json;
use crate::gradients::Gradient;
use crate::packs::StepPlan;
use crate::reduction::Reduced;
use crate::{Gradients, ReduceError, Reducer, TrainError};
use burn::tensor::{Device, Tensor, TensorData};
use sextant_kernels::RowGradient;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::Receiver;

/// The sums of a step on one rank, while they grow.
pub(crate) struct Exchange<'a> {
    reducer: &'a dyn Reducer,
    parameters: &'a SpreadParameters,
    /// Where the sums are put: a device that tracks no gradients.
    device: Device,
    packs: usize,
    turns: Receiver<Turn>,
    /// This rank's part of each sum, by parameter.
    parts: Vec<Vec<Part>>,
    /// Each sum, by parameter.
    whole: Vec<Vec<Option<Gradient>>>,
    /// The losses of all packs that have ended.
    ended: BTreeMap<usize, Losses>,
}

/// A rank's part of one parameter's sum; nothing where no rank has a gradient.
#[derive(Default)]
struct Part {
    dense: Option<Vec<f32>>,
    /// Present wherever any rank has rows.
    rows: Option<RowGradient>,
}

impl<'a> Exchange<'a> {
    /// The sums over the packs of a plan, of which `turns` hands over what this rank has found.
    pub(crate) fn new(
        plan: &StepPlan,
        parameters: &'a SpreadParameters,
        device: Device,
        turns: Receiver<Turn>,
        spread: Spread<'a>,
    ) -> Self {
        let length = parameters.lengths.len();
        let by_parameter = || std::iter::repeat_with(Part::default).take(length).collect();
        let nothing = || std::iter::repeat_with(|| None).take(length).collect();
        Self {
            reducer: spread.reducer,
            parameters,
            device,
            packs: plan.packs.len(),
            turns,
            parts: (0..plan.sums).map(|_| by_parameter()).collect(),
            whole: (0..plan.sums).map(|_| nothing()).collect(),
            ended: BTreeMap::new(),
        }
    }

    /// Takes turns until there are none any more, and returns the sums over all packs.
    ///
    /// # Errors
    /// A rank could not run its packs, or is gone.
    pub(crate) fn run(mut self) -> Result<Reduced, TrainError> {
        while let Ok(turn) = self.turns.recv() {
            self.take_turn(turn)?;
        }
        let mut reduced = Reduced { sums: Vec::new(), task_losses: Default::default(), tokens: 0 };
        for losses in self.ended.values() {
            losses.add_to(&mut reduced);
        }
        if self.ended.len() < self.packs {
            // This rank has ended in the middle of a step, and says elsewhere why.
            return Err(ReduceError("not all packs of a step have ended".into()).into());
        }
        reduced.sums = self.whole.into_iter().map(Gradients::from_parts).collect();
        Ok(reduced)
    }

    fn take_turn(&mut self, turn: Turn) -> Result<(), TrainError> {
        let Turn { stage, last_round, addends, losses, failed } = turn;
        let about = |addend: &Addend| AboutAddend {
            key: addend.key,
            sum: addend.sum,
            kinds: addend.parts.iter().map(|part| Kind::of(part.as_ref())).collect(),
        };
        let addends_here = addends.iter().map(about).collect();
        let mine = Announcement { addends: addends_here, losses, failed };
        let said = gather_json(self.reducer, mine)?;
        let failed =
            said.iter().enumerate().find_map(|(rank, said)| Some((rank, said.failed.as_ref()?)));
        if let Some((rank, problem)) = failed {
            return Err(TrainError::OtherRank { rank, problem: problem.clone() });
        }
        let parameters = self.parameters;
        let members = &parameters.stages[stage];
        let lengths: Vec<usize> = members.iter().map(|&index| parameters.lengths[index]).collect();
        let mut found: Vec<_> = addends.into_iter().map(|addend| addend.parts).collect();
        let order = in_order(&said);
        for bucket in buckets(&lengths) {
            self.exchange_dense((members, &lengths), bucket.clone(), &mut found, &order)?;
            if last_round {
                self.gather_dense((members, &lengths), bucket)?;
            }
        }
        self.exchange_rows(members, &mut found, &order)?;
        if last_round {
            self.gather_rows(members)?;
        }
        self.ended.extend(said.into_iter().flat_map(|said| said.losses));
        Ok(())
    }

    /// Exchanges the gradients of some parameters of a stage, and adds this rank's part of them to its sums.
    fn exchange_dense(
        &mut self,
        (members, lengths): (&[usize], &[usize]),
        bucket: Range<usize>,
        found: &mut [Vec<Option<Gradient>>],
        order: &[(usize, &AboutAddend)],
    ) -> Result<(), TrainError> {
        let dense = |about: &AboutAddend, place| about.kinds.get(place) == Some(&Kind::Dense);
        if !order.iter().any(|(_, about)| bucket.clone().any(|place| dense(about, place))) {
            return Ok(());
        }
        let (rank, ranks) = (self.reducer.rank(), self.reducer.ranks());
        let mut outgoing = vec![Vec::new(); ranks];
        for addend in found.iter_mut() {
            for place in bucket.clone() {
                let dense = addend.get_mut(place).and_then(|part| {
                    part.take_if(|gradient| matches!(gradient, Gradient::Dense(_)))
                });
                let Some(Gradient::Dense(gradient)) = dense else { continue };
                let data = gradient.into_data();
                let words = numbers(&data);
                for (to, outgoing) in outgoing.iter_mut().enumerate() {
                    let part = &words[chunk(lengths[place], ranks, to)];
                    outgoing.extend(part.iter().map(|number| number.to_bits()));
                }
            }
        }
        let received = self.reducer.exchange(outgoing)?;
        let mut starts = vec![0; ranks];
        for &(from, about) in order {
            for place in bucket.clone().filter(|&place| dense(about, place)) {
                let length = chunk(lengths[place], ranks, rank).len();
                let words = &received.of(from)[starts[from]..][..length];
                starts[from] += length;
                match &mut self.parts[about.sum][members[place]].dense {
                    Some(sum) => {
                        sum.iter_mut().zip(words).for_each(|(sum, &x)| *sum += f32::from_bits(x));
                    }
                    none => *none = Some(words.iter().copied().map(f32::from_bits).collect()),
                }
            }
        }
        Ok(())
    }

    /// Exchanges the rows of a stage's tables, and adds this rank's rows to its sums.
    fn exchange_rows(
        &mut self,
        members: &[usize],
        found: &mut [Vec<Option<Gradient>>],
        order: &[(usize, &AboutAddend)],
    ) -> Result<(), TrainError> {
        if !order.iter().any(|(_, about)| about.kinds.contains(&Kind::Rows)) {
            return Ok(());
        }
        let ranks = self.reducer.ranks();
        let mut outgoing = vec![Vec::new(); ranks];
        for gradient in found.iter_mut().flatten().filter_map(Option::take) {
            let Gradient::Rows(rows) = gradient else { continue };
            for (to, outgoing) in outgoing.iter_mut().enumerate() {
                let mine = rows.filter(|id| id as usize % ranks == to);
                write_rows(&mine, outgoing);
            }
        }
        let received = self.reducer.exchange(outgoing)?;
        let mut readers: Vec<&[u32]> = (0..ranks).map(|rank| received.of(rank)).collect();
        for &(from, about) in order {
            for (&index, _) in
                members.iter().zip(&about.kinds).filter(|(_, kind)| **kind == Kind::Rows)
            {
                let rows = read_rows(&mut readers[from]);
                self.parts[about.sum][index].rows.get_or_insert_default().add(rows);
            }
        }
        Ok(())
    }

    /// The whole sums of some parameters of a stage, which all ranks tell each other.
    fn gather_dense(
        &mut self,
        (members, lengths): (&[usize], &[usize]),
        bucket: Range<usize>,
    ) -> Result<(), TrainError> {
        let ranks = self.reducer.ranks();
        for (parts, whole) in self.parts.iter_mut().zip(&mut self.whole) {
            let mut mine: Vec<u32> = Vec::new();
            let mut here = Vec::new();
            for place in bucket.clone() {
                let Some(sum) = parts[members[place]].dense.take() else { continue };
                mine.extend(sum.iter().map(|x| x.to_bits()));
                here.push(place);
            }
            if here.is_empty() {
                continue;
            }
            let received = self.reducer.gather(&mine)?;
            let mut starts = vec![0; ranks];
            for place in here {
                let mut numbers = Vec::with_capacity(lengths[place]);
                for (from, start) in starts.iter_mut().enumerate() {
                    let length = chunk(lengths[place], ranks, from).len();
                    let words = &received.of(from)[*start..][..length];
                    numbers.extend(words.iter().copied().map(f32::from_bits));
                    *start += length;
                }
                let data = TensorData::new(numbers, [lengths[place]]);
                let sum = Tensor::from_data(data, &self.device);
                whole[members[place]] = Some(Gradient::Dense(sum));
            }
        }
        Ok(())
    }

    /// The whole sums of a stage's tables, which all ranks tell each other.
    fn gather_rows(&mut self, members: &[usize]) -> Result<(), TrainError> {
        for (parts, whole) in self.parts.iter_mut().zip(&mut self.whole) {
            for &index in members {
                let Some(rows) = parts[index].rows.take() else { continue };
                let mut mine = Vec::new();
                write_rows(&rows, &mut mine);
                let received = self.reducer.gather(&mine)?;
                let mut all = RowGradient::default();
                (0..self.reducer.ranks())
                    .for_each(|rank| all.add(read_rows(&mut received.of(rank))));
                whole[index] = Some(Gradient::Rows(all));
            }
        }
        Ok(())
    }
}
