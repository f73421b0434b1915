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
mod tests;
