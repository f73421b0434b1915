//! Sums over the packs of a step that several ranks have run.
//!
//! Every number of a gradient has one rank that adds it up: of each parameter, each rank has an equal part,
//! and of a table's rows, those whose number leaves the rank's number when divided by the number of ranks.
//! After each round of packs a rank sends every other rank its part of the gradients and adds what it gets
//! (a reduce-scatter); when all packs have run, every rank tells the others its sums (an all-gather). What is
//! added, and in which order, is known to all ranks beforehand, so that all have the same sums, bit for bit.

use super::Spread;
use super::packets::{
    AboutAddend, Announcement, Kind, Losses, buckets, chunk, in_order, numbers, read_rows,
    write_rows,
};
use crate::Reducer;
use crate::agree::gather_json;
use crate::gradients::Gradient;
use crate::packs::StepPlan;
use crate::reduction::Reduced;
use crate::run_pack::PackLosses;
use crate::{Gradients, ReductionOrder, TrainError};
use burn::tensor::{Device, Tensor, TensorData};
use sextant_kernels::RowGradient;
use std::collections::BTreeMap;
use std::ops::Range;

/// The sums of a step on one rank.
pub(crate) struct SpreadSums<'a> {
    reducer: &'a dyn Reducer,
    order: ReductionOrder,
    device: Device,
    /// How many numbers each parameter has.
    lengths: &'a [usize],
    sum_of_pack: Vec<usize>,
    /// What this rank has found and not yet sent.
    found: Vec<Addend>,
    /// The losses of the packs that this rank has run since the last exchange.
    losses: Vec<(usize, Losses)>,
    /// This rank's part of each sum.
    parts: Vec<Part>,
    /// The losses of all packs whose gradients are in the sums.
    ended: BTreeMap<usize, Losses>,
}

/// Gradients that are added to a sum as a whole.
struct Addend {
    /// Addends are added in ascending order of this: the pack, or the rank.
    key: usize,
    sum: usize,
    gradients: Gradients,
}

/// A rank's part of one sum, by parameter.
#[derive(Default)]
struct Part {
    dense: Vec<Option<Vec<f32>>>,
    /// Present wherever any rank has rows.
    rows: Vec<Option<RowGradient>>,
}

impl<'a> SpreadSums<'a> {
    /// Sums over the packs of a plan, for a model whose parameters have so many numbers each and are on
    /// `device`, which tracks no gradients.
    pub(crate) fn new(
        plan: &StepPlan,
        lengths: &'a [usize],
        device: Device,
        spread: Spread<'a>,
    ) -> Self {
        let Spread { reducer, order } = spread;
        Self {
            reducer,
            order,
            device,
            lengths,
            sum_of_pack: plan.packs.iter().map(|pack| pack.sum).collect(),
            found: Vec::new(),
            losses: Vec::new(),
            parts: (0..plan.sums).map(|_| Part::new(lengths.len())).collect(),
            ended: BTreeMap::new(),
        }
    }

    /// Adds gradients of a pack that this rank runs. Packs must be handed in in ascending order, and the
    /// gradients of one pack in the order in which [`run_pack`](crate::run_pack()) gives them.
    pub(crate) fn add(&mut self, pack: usize, gradients: Gradients) {
        let sum = self.sum_of_pack[pack];
        match self.order {
            ReductionOrder::Fixed => {
                // The parts of a pack are one addend, but for a parameter that has a gradient in several of
                // them: one process adds each to the sum, and so do several.
                let last = self.found.last_mut().filter(|last| last.key == pack);
                let left = match last {
                    Some(last) => last.gradients.join(gradients).err(),
                    None => Some(gradients),
                };
                self.found.extend(left.map(|gradients| Addend { key: pack, sum, gradients }));
            }
            ReductionOrder::Ring => match self.found.iter_mut().find(|addend| addend.sum == sum) {
                Some(addend) => addend.gradients.add(gradients),
                None => self.found.push(Addend { key: self.reducer.rank(), sum, gradients }),
            },
        }
    }

    /// Ends a pack, all of whose gradients have been handed in.
    pub(crate) fn end_pack(&mut self, pack: usize, losses: PackLosses) {
        self.losses.push((pack, losses.into()));
    }

    /// Exchanges what all ranks have found since the last call. `ran` says whether this rank could run its
    /// packs; if one could not, all ranks fail.
    pub(crate) fn end_round(&mut self, ran: Result<(), TrainError>) -> Result<(), TrainError> {
        let about = |addend: &Addend| AboutAddend {
            key: addend.key,
            sum: addend.sum,
            kinds: addend.gradients.iter().map(Kind::of).collect(),
        };
        let said = gather_json(
            self.reducer,
            Announcement {
                addends: self.found.iter().map(about).collect(),
                losses: std::mem::take(&mut self.losses),
                failed: ran.as_ref().err().map(ToString::to_string),
            },
        )?;
        ran?;
        let failed =
            said.iter().enumerate().find_map(|(rank, said)| Some((rank, said.failed.as_ref()?)));
        if let Some((rank, problem)) = failed {
            return Err(TrainError::OtherRank { rank, problem: problem.clone() });
        }
        let mut found: Vec<Vec<Option<Gradient>>> = std::mem::take(&mut self.found)
            .into_iter()
            .map(|addend| addend.gradients.into_parts())
            .collect();
        let order = in_order(&said);
        for bucket in buckets(self.lengths) {
            self.exchange_dense(bucket, &mut found, &order)?;
        }
        self.exchange_rows(&mut found, &order)?;
        self.ended.extend(said.into_iter().flat_map(|said| said.losses));
        Ok(())
    }

    /// Exchanges the gradients of some parameters, and adds this rank's part of them to its sums.
    fn exchange_dense(
        &mut self,
        bucket: Range<usize>,
        found: &mut [Vec<Option<Gradient>>],
        order: &[(usize, &AboutAddend)],
    ) -> Result<(), TrainError> {
        let dense = |about: &AboutAddend, index| about.kinds.get(index) == Some(&Kind::Dense);
        if !order.iter().any(|(_, about)| bucket.clone().any(|index| dense(about, index))) {
            return Ok(());
        }
        let (rank, ranks) = (self.reducer.rank(), self.reducer.ranks());
        let mut outgoing = vec![Vec::new(); ranks];
        for addend in found.iter_mut() {
            for index in bucket.clone() {
                let dense = addend.get_mut(index).and_then(|part| {
                    part.take_if(|gradient| matches!(gradient, Gradient::Dense(_)))
                });
                let Some(Gradient::Dense(gradient)) = dense else { continue };
                let data = gradient.into_data();
                let words = numbers(&data);
                for (to, outgoing) in outgoing.iter_mut().enumerate() {
                    let part = &words[chunk(self.lengths[index], ranks, to)];
                    outgoing.extend(part.iter().map(|number| number.to_bits()));
                }
            }
        }
        let received = self.reducer.exchange(outgoing)?;
        let mut places = vec![0; ranks];
        for &(from, about) in order {
            for index in bucket.clone().filter(|&index| dense(about, index)) {
                let length = chunk(self.lengths[index], ranks, rank).len();
                let words = &received.of(from)[places[from]..][..length];
                places[from] += length;
                match &mut self.parts[about.sum].dense[index] {
                    Some(sum) => {
                        sum.iter_mut().zip(words).for_each(|(sum, &x)| *sum += f32::from_bits(x));
                    }
                    none => *none = Some(words.iter().copied().map(f32::from_bits).collect()),
                }
            }
        }
        Ok(())
    }

    /// Exchanges the rows of tables, and adds this rank's rows to its sums.
    fn exchange_rows(
        &mut self,
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
            for (index, _) in
                about.kinds.iter().enumerate().filter(|(_, kind)| **kind == Kind::Rows)
            {
                let rows = read_rows(&mut readers[from]);
                self.parts[about.sum].rows[index].get_or_insert_default().add(rows);
            }
        }
        Ok(())
    }

    /// The sums over all packs, which all ranks tell each other.
    pub(crate) fn finish(self) -> Result<Reduced, TrainError> {
        let mut reduced = Reduced { sums: Vec::new(), task_losses: Default::default(), tokens: 0 };
        for losses in self.ended.values() {
            losses.add_to(&mut reduced);
        }
        assert_eq!(self.ended.len(), self.sum_of_pack.len(), "not all packs of a step have ended");
        for part in &self.parts {
            reduced.sums.push(self.gather(part)?);
        }
        Ok(reduced)
    }

    /// The whole of one sum.
    fn gather(&self, part: &Part) -> Result<Gradients, TrainError> {
        let ranks = self.reducer.ranks();
        let mut whole: Vec<Option<Gradient>> = Vec::new();
        for bucket in buckets(self.lengths) {
            let here =
                || bucket.clone().filter_map(|index| Some((index, part.dense[index].as_ref()?)));
            whole.resize_with(bucket.end, || None);
            if here().next().is_none() {
                continue;
            }
            let mine: Vec<u32> =
                here().flat_map(|(_, sum)| sum.iter().map(|x| x.to_bits())).collect();
            let received = self.reducer.gather(&mine)?;
            let mut places = vec![0; ranks];
            for (index, _) in here() {
                let mut numbers = Vec::with_capacity(self.lengths[index]);
                for (from, place) in places.iter_mut().enumerate() {
                    let length = chunk(self.lengths[index], ranks, from).len();
                    let words = &received.of(from)[*place..][..length];
                    numbers.extend(words.iter().copied().map(f32::from_bits));
                    *place += length;
                }
                let data = TensorData::new(numbers, [self.lengths[index]]);
                whole[index] = Some(Gradient::Dense(Tensor::from_data(data, &self.device)));
            }
        }
        for (index, rows) in part.rows.iter().enumerate() {
            let Some(rows) = rows else { continue };
            let mut mine = Vec::new();
            write_rows(rows, &mut mine);
            let received = self.reducer.gather(&mine)?;
            let mut all = RowGradient::default();
            (0..ranks).for_each(|rank| all.add(read_rows(&mut received.of(rank))));
            whole[index] = Some(Gradient::Rows(all));
        }
        Ok(Gradients::from_parts(whole))
    }
}

impl Part {
    fn new(parameters: usize) -> Self {
        let mut part = Self::default();
        part.dense.resize_with(parameters, || None);
        part.rows.resize_with(parameters, || None);
        part
    }
}
