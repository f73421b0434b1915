//! Tests of turns and of lateness.

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
    assert!(until_short_is_done <= 30, "{until_short_is_done} rows before the short flow ended");
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
    let odd = queue.take(
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
    let pack = queue.take(
        1000,
        Instant::now(),
        |(key, _)| if *key == 1 { Fate::Drop } else { Fate::Take },
    );
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
    let second = Duration::from_secs(1);
    let earlier = Instant::now();
    let now = earlier + second;
    let mut queue = FairQueue::new(1);
    for (key, late) in [(1, never()), (2, now), (3, earlier), (4, now + second)] {
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
    let second = Duration::from_secs(1);
    let earlier = Instant::now();
    let now = earlier + second;
    let stream = Flow { number: 7, grows: false };
    let mut queue = FairQueue::new(2);
    for item in 0..100 {
        queue.push(stream, now + second * item, 1, 7);
    }
    queue.push(flow(1), never(), 1, 1);
    let early = earlier;
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
