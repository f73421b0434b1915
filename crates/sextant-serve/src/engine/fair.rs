//! A queue that serves several flows in turns, by cost.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How many times its first turn the later turns of a request are at most.
const GROWN: usize = 8;

/// What has turns of its own: a request, or all of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flow {
    number: u64,
    grows: bool,
}

impl Flow {
    /// A request, which is to end some time: each of its turns is twice the one before, up to [`GROWN`] times the
    /// first.
    pub(crate) fn request() -> Self {
        Self::new(true)
    }

    /// A stream, which may go on for ever: all its turns are alike.
    pub(crate) fn stream() -> Self {
        Self::new(false)
    }

    fn new(grows: bool) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), grows }
    }
}

/// What to do with the first item of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Take the item.
    Take,
    /// Leave the flow as it is, for another time.
    Leave,
    /// Nobody waits for the item any more: drop it.
    Drop,
}

/// An item in its flow.
struct Waiting<T> {
    item: T,
    cost: usize,
    /// From when on the item does not wait for turns any more.
    late: Instant,
}

/// The items of one flow, in their order; at least one.
struct Lane<T> {
    items: VecDeque<Waiting<T>>,
    /// What the flow may still take in its turn.
    credit: usize,
    /// Whether the flow has been given its credit for the present turn.
    in_turn: bool,
    /// What its next turn adds to its credit.
    turn: usize,
    /// When its first item is late, as [`FairQueue::lateness`] has it.
    late: Instant,
}

/// Deficit round robin (Shreedhar & Varghese 1995): in each turn a flow may take items of a total cost, and what
/// it does not use adds to its next turn.
///
/// Each turn of a request adds twice what the one before did. Were all turns alike, a large request would wait for
/// as long as small ones keep coming, whose turns are their first.
///
/// An item that is late comes before all turns, the one that became late first before others. Turns alone say
/// nothing about when a request ends; with this, it ends when all that was there before it and itself are done,
/// counted from when it became late.
pub(super) struct FairQueue<T> {
    lanes: HashMap<Flow, Lane<T>>,
    /// The flows in the order of their turns.
    order: VecDeque<Flow>,
    /// When the first item of each flow is late.
    lateness: BTreeSet<(Instant, Flow)>,
    /// What its first turn adds to a flow's credit.
    turn: usize,
    cost: usize,
}

impl<T> FairQueue<T> {
    pub(super) fn new(turn: usize) -> Self {
        Self {
            lanes: HashMap::new(),
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
        self.lanes.is_empty()
    }

    /// Adds an item to a flow, which is late from a time on. A flow that is new has its first turn after all others.
    pub(super) fn push(&mut self, flow: Flow, late: Instant, cost: usize, item: T) {
        let (order, lateness, turn) = (&mut self.order, &mut self.lateness, self.turn);
        let lane = self.lanes.entry(flow).or_insert_with(|| {
            order.push_back(flow);
            lateness.insert((late, flow));
            Lane { items: VecDeque::new(), credit: 0, in_turn: false, turn, late }
        });
        lane.items.push_back(Waiting { item, cost, late });
        self.cost += cost;
    }

    /// Removes the items of a flow for which nobody waits, and returns them.
    pub(super) fn remove(&mut self, flow: Flow, gone: impl Fn(&T) -> bool) -> Vec<T> {
        let Some(lane) = self.lanes.get_mut(&flow) else { return Vec::new() };
        let items = std::mem::take(&mut lane.items);
        let (removed, kept): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|waiting| gone(&waiting.item));
        lane.items = kept.into();
        self.cost -= removed.iter().map(|waiting| waiting.cost).sum::<usize>();
        self.settle(flow);
        removed.into_iter().map(|waiting| waiting.item).collect()
    }

    /// Notes when the first item of a flow is late, and removes a flow that has no items.
    fn settle(&mut self, flow: Flow) {
        let Some(lane) = self.lanes.get_mut(&flow) else { return };
        match lane.items.front() {
            Some(first) if first.late == lane.late => {}
            Some(first) => {
                self.lateness.remove(&(lane.late, flow));
                self.lateness.insert((first.late, flow));
                lane.late = first.late;
            }
            None => {
                self.lateness.remove(&(lane.late, flow));
                self.lanes.remove(&flow);
                self.order.retain(|&other| other != flow);
            }
        }
    }

    /// Takes items of a total cost of at most `budget`: those that are late at the present time `now`, and then
    /// flow by flow in turns. The first item is taken even if it costs more. `fate` decides about the first item of
    /// a flow; a flow that is left keeps its place, so that it is the first one of a later call.
    pub(super) fn take(
        &mut self,
        budget: usize,
        now: Instant,
        mut fate: impl FnMut(&T) -> Fate,
    ) -> Vec<T> {
        let mut pack = Pack { items: Vec::new(), left: budget };
        let late: Vec<Flow> = self
            .lateness
            .iter()
            .take_while(|(late, _)| *late <= now)
            .map(|&(_, flow)| flow)
            .collect();
        for flow in late {
            if self.draw(flow, &mut pack, Some(now), &mut fate) == Drawn::PackFull {
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
            let Some(&flow) = self.order.get(place) else {
                if !progress {
                    return;
                }
                (place, progress) = (0, false);
                continue;
            };
            match self.draw(flow, pack, None, &mut fate) {
                Drawn::PackFull => return,
                Drawn::Left => place += 1,
                // Its place went with it.
                Drawn::AllItems => progress = true,
                Drawn::Credit => {
                    progress = true;
                    self.order.remove(place);
                    self.order.push_back(flow);
                }
            }
        }
    }

    /// Takes items of one flow: in a turn for as long as it has credit, or, given the present time, for as long as
    /// they are late.
    fn draw(
        &mut self,
        flow: Flow,
        pack: &mut Pack<T>,
        late: Option<Instant>,
        fate: &mut impl FnMut(&T) -> Fate,
    ) -> Drawn {
        let drawn = self.draw_unsettled(flow, pack, late, fate);
        self.settle(flow);
        drawn
    }

    /// The same, but for what else is to be known about the flow.
    fn draw_unsettled(
        &mut self,
        flow: Flow,
        pack: &mut Pack<T>,
        late: Option<Instant>,
        fate: &mut impl FnMut(&T) -> Fate,
    ) -> Drawn {
        let Some(lane) = self.lanes.get_mut(&flow) else { return Drawn::AllItems };
        while let Some(first) = lane.items.front() {
            let cost = first.cost;
            if late.is_some_and(|now| first.late > now) {
                return Drawn::Left;
            }
            match fate(&first.item) {
                Fate::Leave => return Drawn::Left,
                Fate::Drop => {
                    lane.items.pop_front();
                    self.cost -= cost;
                    continue;
                }
                Fate::Take => {}
            }
            if late.is_none() {
                if !lane.in_turn {
                    lane.credit = lane.credit.saturating_add(lane.turn);
                    if flow.grows {
                        let most = self.turn.saturating_mul(GROWN);
                        lane.turn = lane.turn.saturating_mul(2).min(most);
                    }
                    lane.in_turn = true;
                }
                if cost > lane.credit {
                    lane.in_turn = false;
                    return Drawn::Credit;
                }
            }
            if cost > pack.left && !pack.items.is_empty() {
                // The flow goes on with its turn in the next pack.
                return Drawn::PackFull;
            }
            let Some(Waiting { item, .. }) = lane.items.pop_front() else { break };
            lane.credit = lane.credit.saturating_sub(cost);
            self.cost -= cost;
            pack.left = pack.left.saturating_sub(cost);
            pack.items.push(item);
        }
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
    /// Its next item is for another time.
    Left,
    /// It has no more items, and is no more.
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

    /// The flow of a request with a number.
    fn flow(number: u64) -> Flow {
        Flow { number, grows: true }
    }

    fn queue(turn: usize, flows: &[(u64, usize, usize)]) -> FairQueue<(u64, usize)> {
        let mut queue = FairQueue::new(turn);
        for &(key, items, cost) in flows {
            (0..items).for_each(|item| queue.push(flow(key), never(), cost, (key, item)));
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
        let packs: Vec<_> =
            (0..3).map(|_| queue.take(10, Instant::now(), |_| Fate::Take)).collect();
        assert_eq!(packs.iter().map(Vec::len).sum::<usize>(), 3);
        assert!(packs.iter().all(|pack| pack.len() <= 2), "{packs:?}");
        assert!(queue.is_empty() && queue.cost() == 0);
    }

    #[test]
    fn flows_that_are_left_come_first_next_time() {
        let mut queue = queue(10, &[(1, 50, 10), (2, 5, 10), (3, 50, 10)]);
        let odd =
            queue.take(
                60,
                Instant::now(),
                |(key, _)| if key % 2 == 1 { Fate::Take } else { Fate::Leave },
            );
        assert!(odd.iter().all(|(key, _)| key % 2 == 1) && odd.len() == 6, "{odd:?}");
        assert_eq!(queue.take(10, Instant::now(), |_| Fate::Take), [(2, 0)]);
    }

    #[test]
    fn what_nobody_waits_for_is_dropped() {
        let mut queue = queue(10, &[(1, 50, 10), (2, 5, 10)]);
        let pack = queue
            .take(1000, Instant::now(), |(key, _)| if *key == 1 { Fate::Drop } else { Fate::Take });
        assert_eq!(pack.len(), 5);
        assert!(queue.is_empty() && queue.cost() == 0);
        queue.push(flow(3), never(), 1, (3, 0));
        assert_eq!(queue.remove(flow(3), |_| true), [(3, 0)]);
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
            queue.push(flow(0), never(), 1, 0);
        }
        for key in 1..=10 {
            queue.push(flow(key), never(), 1, key);
        }
        let (mut large, mut small, mut next) = (0, 0, 11);
        while large < 31 {
            match queue.take(1, Instant::now(), |_| Fate::Take)[..] {
                [0] => large += 1,
                [_] => {
                    small += 1;
                    queue.push(flow(next), never(), 1, next);
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
            (0..5).for_each(|item| queue.push(flow(key), late, 1, (key, item)));
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

    /// However much a stream sends, its turns are alike, and only what has waited for long is late.
    #[test]
    fn a_stream_has_one_turn_at_a_time() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let stream = Flow { number: 7, grows: false };
        let mut queue = FairQueue::new(2);
        for item in 0..100 {
            queue.push(stream, now + second * item, 1, 7);
        }
        queue.push(flow(1), never(), 1, 1);
        let early = now - second;
        let mut taken = Vec::new();
        for _ in 0..4 {
            queue.push(flow(1), never(), 1, 1);
            taken.extend(queue.take(3, early, |_| Fate::Take));
        }
        assert_eq!(taken.iter().filter(|&&item| item == 7).count(), 7, "{taken:?}");
        // Seven of its items are gone, and those that came in the next three seconds are late now.
        assert_eq!(queue.take(100, now + second * 9, |_| Fate::Take)[..3], [7, 7, 7]);
        // What is cancelled of a flow leaves the rest of it.
        for item in 0..4 {
            queue.push(stream, never(), 1, 100 + item % 2);
        }
        assert_eq!(queue.remove(stream, |&item| item == 101), [101, 101]);
        assert_eq!(queue.take(100, now, |_| Fate::Take), [100, 100]);
        assert!(queue.is_empty() && queue.cost() == 0);
    }
}
