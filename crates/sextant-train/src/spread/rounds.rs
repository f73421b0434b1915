//! Which rank runs which pack of a step: a pure function of the packs' sizes.

use crate::ReductionOrder;

/// The most packs that a rank may run in a round: it holds the gradients of all of them.
const MOST_HELD: usize = 4;
/// A rank runs more than one pack in a round only if that saves more than this share of the time.
const WORTHWHILE: f64 = 0.05;

/// The packs of a step that are run before gradients are exchanged: for each rank its packs, in ascending
/// order.
pub(crate) type Round = Vec<Vec<usize>>;

/// Divides the packs of a step, of which `tokens` has the sizes, in rounds.
///
/// If gradients are added in the order of the packs, each round has the packs that follow those of the round
/// before, so that a sum only ever grows: as a rule one pack for each rank, or up to four if packs are so
/// unequal that ranks would otherwise wait for each other. If each rank adds the gradients of its own packs,
/// there is nothing to wait for, and one round has them all.
pub(crate) fn rounds(tokens: &[usize], ranks: usize, order: ReductionOrder) -> Vec<Round> {
    if ranks == 1 {
        return (0..tokens.len()).map(|pack| vec![vec![pack]]).collect();
    }
    if order == ReductionOrder::Ring {
        return vec![balance(tokens, 0..tokens.len(), ranks)];
    }
    // From the last pack to the first: the cheapest way to run a pack and all that follow, by the tokens of the
    // slowest rank in each round.
    let mut cheapest: Vec<(f64, usize)> = vec![(0.0, tokens.len()); tokens.len() + 1];
    for start in (0..tokens.len()).rev() {
        let ways = (1..=MOST_HELD).filter_map(|held| {
            let end = (start + held * ranks).min(tokens.len());
            let round = balance(tokens, start..end, ranks);
            let most = round.iter().map(Vec::len).max().unwrap_or(0);
            let surcharge = if most > 1 { 1.0 + WORTHWHILE } else { 1.0 };
            let cost = surcharge * slowest(tokens, &round) as f64 + cheapest[end].0;
            (most <= MOST_HELD).then_some((cost, end))
        });
        // A round of one pack for each rank is always among the ways.
        cheapest[start] = ways.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, start + 1));
    }
    let (mut rounds, mut start) = (Vec::new(), 0);
    while start < tokens.len() {
        let end = cheapest[start].1;
        rounds.push(balance(tokens, start..end, ranks));
        start = end;
    }
    rounds
}

/// Gives each rank packs with about as many tokens: the longest pack first, always to the rank that has the
/// fewest so far (Graham 1969).
fn balance(tokens: &[usize], packs: std::ops::Range<usize>, ranks: usize) -> Round {
    let mut order: Vec<usize> = packs.collect();
    order.sort_by_key(|&pack| std::cmp::Reverse(tokens[pack]));
    let mut round = vec![Vec::new(); ranks];
    let mut loads = vec![0; ranks];
    for pack in order {
        let least = (0..ranks).min_by_key(|&rank| loads[rank]).unwrap_or(0);
        round[least].push(pack);
        loads[least] += tokens[pack];
    }
    for packs in &mut round {
        packs.sort_unstable();
    }
    round
}

/// The tokens of the rank that has the most.
fn slowest(tokens: &[usize], round: &Round) -> usize {
    let loads = round.iter().map(|packs| packs.iter().map(|&pack| tokens[pack]).sum());
    loads.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn full_packs_go_out_one_by_one() {
        let found = rounds(&[80, 79, 80, 78, 20], 2, ReductionOrder::Fixed);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], [[0], [1]]);
        assert_eq!(found[1], [[2], [3]]);
        assert_eq!(found[2], [vec![4], vec![]]);
    }

    #[test]
    fn unequal_packs_are_balanced_over_a_longer_round() {
        // In pairs, they would take the time of 900 + 800 + 700 tokens.
        let tokens = [900, 500, 300, 800, 200, 700];
        let found = rounds(&tokens, 2, ReductionOrder::Fixed);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(slowest(&tokens, &found[0]), 1700);
    }

    #[test]
    fn a_ring_has_one_round() {
        let found = rounds(&[50; 9], 3, ReductionOrder::Ring);
        assert_eq!(found, [[[0, 3, 6], [1, 4, 7], [2, 5, 8]]]);
    }

    proptest! {
        #[test]
        fn every_pack_is_run_once_and_rounds_follow_the_packs(
            tokens in prop::collection::vec(1_usize..1000, 0..40),
            ranks in 1_usize..7,
            ring: bool,
        ) {
            let order = if ring { ReductionOrder::Ring } else { ReductionOrder::Fixed };
            let mut next = 0;
            for round in rounds(&tokens, ranks, order) {
                prop_assert_eq!(round.len(), ranks);
                prop_assert!(round.iter().all(|packs| packs.is_sorted()));
                prop_assert!(ring || round.iter().all(|packs| packs.len() <= MOST_HELD));
                let mut packs: Vec<usize> = round.concat();
                packs.sort_unstable();
                let end = next + packs.len();
                prop_assert_eq!(packs, (next..end).collect::<Vec<_>>());
                next = end;
            }
            prop_assert_eq!(next, tokens.len());
        }
    }
}
