//! A queue that serves several flows in turns, by cost.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// How many times its first turn a flow's later turns are at most.
const GROWN: usize = 8;

/// What to do with the first item of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Take the item.
    Take,
    /// Leave the flow as it is, for another time.
    Leave,
    /// Nobody waits for the flow any more: drop all its items.
    Drop,
}

/// The items of one flow, in their order.
struct Flow<T> {
    items: VecDeque<(usize, T)>,
    /// What the flow may still take in its turn.
    credit: usize,
    /// Whether the flow has been given its credit for the present turn.
    in_turn: bool,
    /// What its next turn adds to its credit.
    turn: usize,
    /// From when on the flow does not wait for turns any more.
    late: Instant,
}

/// Deficit round robin (Shreedhar & Varghese 1995): in each turn a flow may take items of a total cost, and what
/// it does not use adds to its next turn. Here a flow is a request.
///
/// Each turn of a flow adds twice what the one before did, up to [`GROWN`] times the first. Were all turns alike, a
/// large request would wait for as long as small ones keep coming, whose turns are their first.
///
/// A flow that is late comes before all turns and takes all of its items, the one that became late first before
/// others. Turns alone say nothing about when a flow ends; with this, a flow ends when all that was there before it
/// and itself are done, counted from when it became late.
pub(super) struct FairQueue<T> {
    flows: HashMap<u64, Flow<T>>,
    /// The keys of flows in the order of their turns.
    order: VecDeque<u64>,
    /// When each flow is late, and its key.
    lateness: BTreeSet<(Instant, u64)>,
    /// What its first turn adds to a flow's credit.
    turn: usize,
    cost: usize,
}

impl<T> FairQueue<T> {
    pub(super) fn new(turn: usize) -> Self {
        Self {
            flows: HashMap::new(),
            order: VecDeque::new(),
            lateness: BTreeSet::new(),
            turn: turn.max(1),
            cost: 0,
        }
    }

    /// The cost of all items.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Adds an item to a flow, which is late from a time on. A flow that is new has its first turn after all others.
    pub(super) fn push(&mut self, key: u64, late: Instant, cost: usize, item: T) {
        let (order, lateness, turn) = (&mut self.order, &mut self.lateness, self.turn);
        let flow = self.flows.entry(key).or_insert_with(|| {
            order.push_back(key);
            lateness.insert((late, key));
            Flow { items: VecDeque::new(), credit: 0, in_turn: false, turn, late }
        });
        flow.items.push_back((cost, item));
        self.cost += cost;
    }

    /// Removes a flow and returns its items.
    pub(super) fn remove(&mut self, key: u64) -> Vec<T> {
        let Some(flow) = self.flows.remove(&key) else { return Vec::new() };
        self.lateness.remove(&(flow.late, key));
        self.cost -= flow.items.iter().map(|(cost, _)| cost).sum::<usize>();
        self.order.retain(|&other| other != key);
        flow.items.into_iter().map(|(_, item)| item).collect()
    }

    /// Takes items of a total cost of at most `budget`: of the flows that are late at the present time `now`, and
    /// then flow by flow in turns. The first item is taken even if it costs more. `fate` decides about the first
    /// item of a flow; a flow that is left keeps its place, so that it is the first one of a later call.
    pub(super) fn take(
        &mut self,
        budget: usize,
        now: Instant,
        mut fate: impl FnMut(&T) -> Fate,
    ) -> Vec<T> {
        let mut pack = Pack { items: Vec::new(), left: budget };
        let late: Vec<u64> =
            self.lateness.range(..=(now, u64::MAX)).map(|&(_, key)| key).collect();
        for key in late {
            match self.fate(key, &mut fate) {
                Fate::Take => {}
                Fate::Leave => continue,
                Fate::Drop => {
                    self.remove(key);
                    continue;
                }
            }
            if self.draw(key, &mut pack, true) == Drawn::PackFull {
                return pack.items;
            }
        }
        self.take_turns(&mut pack, fate);
        pack.items
    }

    /// Takes items flow by flow in turns.
    fn take_turns(&mut self, pack: &mut Pack<T>, mut fate: impl FnMut(&T) -> Fate) {
        let mut place = 0;
        // Whether the present round over all flows found a flow that was not left as it is.
        let mut progress = false;
        loop {
            let Some(&key) = self.order.get(place) else {
                if !progress {
                    return;
                }
                (place, progress) = (0, false);
                continue;
            };
            match self.fate(key, &mut fate) {
                Fate::Take => progress = true,
                Fate::Leave => {
                    place += 1;
                    continue;
                }
                Fate::Drop => {
                    self.order.remove(place);
                    self.remove(key);
                    continue;
                }
            }
            match self.draw(key, pack, false) {
                Drawn::PackFull => return,
                // Its place went with it.
                Drawn::AllItems => {}
                Drawn::Credit => {
                    self.order.remove(place);
                    self.order.push_back(key);
                }
            }
        }
    }

    fn fate(&self, key: u64, fate: &mut impl FnMut(&T) -> Fate) -> Fate {
        let first = self.flows.get(&key).and_then(|flow| flow.items.front());
        first.map_or(Fate::Drop, |(_, item)| fate(item))
    }

    /// Takes items of one flow, in a turn for as long as it has credit, late for as long as it has items. A flow
    /// without items is removed.
    fn draw(&mut self, key: u64, pack: &mut Pack<T>, late: bool) -> Drawn {
        let Some(flow) = self.flows.get_mut(&key) else { return Drawn::AllItems };
        if !late && !flow.in_turn {
            flow.credit = flow.credit.saturating_add(flow.turn);
            flow.turn = flow.turn.saturating_mul(2).min(self.turn.saturating_mul(GROWN));
            flow.in_turn = true;
        }
        while let Some(&(cost, _)) = flow.items.front() {
            if !late && cost > flow.credit {
                flow.in_turn = false;
                return Drawn::Credit;
            }
            if cost > pack.left && !pack.items.is_empty() {
                // The flow goes on with its turn in the next pack.
                return Drawn::PackFull;
            }
            let Some((_, item)) = flow.items.pop_front() else { break };
            flow.credit = flow.credit.saturating_sub(cost);
            self.cost -= cost;
            pack.left = pack.left.saturating_sub(cost);
            pack.items.push(item);
        }
        self.remove(key);
        Drawn::AllItems
    }
}

/// Items that were taken, and what may still be.
struct Pack<T> {
    items: Vec<T>,
    left: usize,
}

/// Why no more items of a flow were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    /// The pack has no room for its next item.
    PackFull,
    /// It has no credit for its next item.
    Credit,
    /// It has no more, and was removed.
    AllItems,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// A time at which no test goes on any more.
    fn never() -> Instant {
        Instant::now() + Duration::from_hours(1)
    }

    fn queue(turn: usize, flows: &[(u64, usize, usize)]) -> FairQueue<(u64, usize)> {
        let mut queue = FairQueue::new(turn);
        for &(key, items, cost) in flows {
            (0..items).for_each(|item| queue.push(key, never(), cost, (key, item)));
        }
        queue
    }

    #[test]
    fn a_long_flow_does_not_keep_a_short_one_waiting() {
        let mut queue = queue(40, &[(1, 1000, 10), (2, 10, 10)]);
        let mut until_short_is_done = 0;
        let mut short = 0;
        while short < 10 {
            let pack = queue.take(100, Instant::now(), |_| Fate::Take);
            assert!(!pack.is_empty() && pack.len() <= 10);
            short += pack.iter().filter(|(key, _)| *key == 2).count();
            until_short_is_done += pack.len();
        }
        assert!(
            until_short_is_done <= 30,
            "{until_short_is_done} rows before the short flow ended"
        );
    }

    #[test]
    fn an_item_dearer_than_turn_and_budget_is_taken_alone() {
        let mut queue = queue(4, &[(1, 2, 1000), (2, 1, 1)]);
        let packs: Vec<_> = (0..3).map(|_| queue.take(10, Instant::now(), |_| Fate::Take)).collect();
        assert_eq!(packs.iter().map(Vec::len).sum::<usize>(), 3);
        assert!(packs.iter().all(|pack| pack.len() <= 2), "{packs:?}");
        assert!(queue.is_empty() && queue.cost() == 0);
    }

    #[test]
    fn flows_that_are_left_come_first_next_time() {
        let mut queue = queue(10, &[(1, 50, 10), (2, 5, 10), (3, 50, 10)]);
        let odd = queue.take(60, Instant::now(), |(key, _)| if key % 2 == 1 { Fate::Take } else { Fate::Leave });
        assert!(odd.iter().all(|(key, _)| key % 2 == 1) && odd.len() == 6, "{odd:?}");
        assert_eq!(queue.take(10, Instant::now(), |_| Fate::Take), [(2, 0)]);
    }

    #[test]
    fn what_nobody_waits_for_is_dropped() {
        let mut queue = queue(10, &[(1, 50, 10), (2, 5, 10)]);
        let pack = queue.take(1000, Instant::now(), |(key, _)| if *key == 1 { Fate::Drop } else { Fate::Take });
        assert_eq!(pack.len(), 5);
        assert!(queue.is_empty() && queue.cost() == 0);
        queue.push(3, never(), 1, (3, 0));
        assert_eq!(queue.remove(3), [(3, 0)]);
        assert!(queue.is_empty() && queue.take(10, Instant::now(), |_| Fate::Take).is_empty());
    }

    proptest! {
        /// Nothing is lost or taken twice, a flow's items stay in order, and no pack exceeds its budget unless
        /// it has one item.
        #[test]
        fn every_item_is_taken_once_and_in_order(
            flows in prop::collection::vec((1_usize..30, 1_usize..60), 1..6),
            turn in 1_usize..80,
            budget in 1_usize..120,
        ) {
            let flows: Vec<_> = (0..).zip(&flows).map(|(key, &(items, cost))| (key, items, cost)).collect();
            let mut queue = queue(turn, &flows);
            let mut next = vec![0; flows.len()];
            while !queue.is_empty() {
                let pack = queue.take(budget, Instant::now(), |_| Fate::Take);
                let cost: usize = pack.iter().map(|(key, _)| flows[*key as usize].2).sum();
                prop_assert!(pack.len() == 1 || (!pack.is_empty() && cost <= budget));
                for (key, item) in pack {
                    prop_assert_eq!(item, next[key as usize]);
                    next[key as usize] += 1;
                }
            }
            prop_assert_eq!(queue.cost(), 0);
            prop_assert!(flows.iter().all(|&(key, items, _)| next[key as usize] == items));
        }
    }

    /// Small flows that keep coming do not hold a large one up for a turn of theirs for each of its items.
    #[test]
    fn later_turns_are_larger() {
        let mut queue = FairQueue::new(1);
        for _ in 0..31 {
            queue.push(0, never(), 1, 0);
        }
        for key in 1..=10 {
            queue.push(key, never(), 1, key);
        }
        let (mut large, mut small, mut next) = (0, 0, 11);
        while large < 31 {
            match queue.take(1, Instant::now(), |_| Fate::Take)[..] {
                [0] => large += 1,
                [_] => {
                    small += 1;
                    queue.push(next, never(), 1, next);
                    next += 1;
                }
                ref other => panic!("{other:?}"),
            }
        }
        // Turns of 1, 2, 4, 8, 8 and 8 items, with ten small flows between two of them.
        assert!(small <= 60, "{small}");
    }

    /// What is late comes first, the longest late before others, whole, whatever turns say.
    #[test]
    fn late_flows_come_before_turns() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut queue = FairQueue::new(1);
        for (key, late) in [(1, never()), (2, now), (3, now - second), (4, now + second)] {
            (0..5).for_each(|item| queue.push(key, late, 1, (key, item)));
        }
        let keys = |pack: Vec<(u64, usize)>| pack.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(keys(queue.take(7, now, |_| Fate::Take)), [3, 3, 3, 3, 3, 2, 2]);
        // A late flow that cannot be taken now holds nobody up, and the others have their turns.
        let others = |(key, _): &(u64, usize)| if *key == 2 { Fate::Leave } else { Fate::Take };
        assert_eq!(keys(queue.take(3, now, others)), [1, 4, 1]);
        assert_eq!(keys(queue.take(4, now + second, |_| Fate::Take)), [2, 2, 2, 4]);
        // What nobody waits for any more is dropped, late or not.
        let dropped = |(key, _): &(u64, usize)| if *key == 4 { Fate::Drop } else { Fate::Take };
        assert_eq!(keys(queue.take(9, now + second, dropped)), [1, 1, 1]);
        assert!(queue.is_empty() && queue.cost() == 0);
    }
}
