//! Which rank keeps the moments of which parameters, and updates them.

use crate::moments::MomentLayout;

/// A rank's share of the optimizer (ZeRO stage 1, Rajbhandari et al. 2020, "ZeRO: Memory Optimizations Toward
/// Training Trillion Parameter Models"): whole parameters, but of a table whose gradient comes as rows every rank
/// keeps some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shard {
    rank: usize,
    ranks: usize,
    /// The rank that keeps the moments of each parameter; `None` for those that are divided by rows.
    owners: Vec<Option<usize>>,
}

impl Shard {
    /// The share of a rank, so that all have about as many moments: the longest parameter first, always to the
    /// rank that has the fewest so far. All ranks find the same.
    pub(crate) fn new(
        layouts: impl Iterator<Item = MomentLayout>,
        rank: usize,
        ranks: usize,
    ) -> Self {
        let layouts: Vec<MomentLayout> = layouts.collect();
        let length = |layout: &MomentLayout| layout.lines * layout.width;
        let mut order: Vec<usize> = (0..layouts.len()).filter(|&i| !layouts[i].of_rows).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(length(&layouts[index])));
        let (mut owners, mut loads) = (vec![None; layouts.len()], vec![0; ranks]);
        for index in order {
            let least = (0..ranks).min_by_key(|&rank| loads[rank]).unwrap_or(0);
            owners[index] = Some(least);
            loads[least] += length(&layouts[index]);
        }
        Self { rank, ranks, owners }
    }

    /// The rank that keeps the moments of a parameter; `None` if they are divided by rows, or if all ranks keep them,
    /// as those of a parameter that was added to the model's.
    pub(crate) fn owner(&self, parameter: usize) -> Option<usize> {
        self.owners.get(parameter).copied().flatten()
    }

    /// Whether this rank keeps moments of a parameter.
    pub(crate) fn keeps(&self, parameter: usize) -> bool {
        self.owner(parameter).is_none_or(|owner| owner == self.rank)
    }

    /// Whether this rank keeps the moments of a row of a table that is divided by rows.
    pub(crate) fn keeps_row(&self, row: usize) -> bool {
        row % self.ranks == self.rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_kernels::MomentFormat;

    #[test]
    fn parameters_are_shared_evenly_and_tables_by_rows() {
        let layout = |lines, width, of_rows| MomentLayout {
            format: MomentFormat::F32,
            lines,
            width,
            of_rows,
        };
        let layouts = [
            layout(1000, 8, true),
            layout(1, 60, false),
            layout(1, 10, false),
            layout(1, 50, false),
            layout(1, 40, false),
        ];
        let shards = [0, 1].map(|rank| Shard::new(layouts.into_iter(), rank, 2));
        let owners: Vec<_> = (0..5).map(|index| shards[0].owner(index)).collect();
        assert_eq!(owners, [None, Some(0), Some(0), Some(1), Some(1)]);
        assert_eq!(shards[0].owners, shards[1].owners);
        assert!(shards.iter().all(|shard| shard.keeps(0)));
        assert!(shards[0].keeps(1) && !shards[1].keeps(1));
        assert!(shards[1].keeps_row(7) && !shards[0].keeps_row(7));
    }
}
