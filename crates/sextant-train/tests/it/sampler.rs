//! What the sampler promises for any sizes of tasks.

use proptest::prelude::*;
use sextant_core::Task;
use sextant_train::{Mixing, Sampler, Sampling};

/// Rows of each task, interleaved; at least one row.
fn tasks() -> impl Strategy<Value = Vec<Task>> {
    prop::collection::vec(0..Task::COUNT, 1..120)
        .prop_map(|indices| indices.into_iter().map(|i| Task::ALL[i]).collect())
}

fn sampling() -> impl Strategy<Value = Sampling> {
    prop_oneof![
        Just(Sampling::Proportional),
        (0.5..8.0).prop_map(Sampling::Temperature),
        Just(Sampling::Uniform),
        Just(Sampling::RoundRobin),
    ]
}

fn mixing() -> impl Strategy<Value = Mixing> {
    prop_oneof![Just(Mixing::Mixed), Just(Mixing::SingleTask)]
}

fn epoch(sampler: &mut Sampler) -> Vec<Vec<usize>> {
    (0..sampler.batches_per_epoch()).map(|_| sampler.next_batch()).collect()
}

fn count(tasks: impl IntoIterator<Item = Task>) -> [usize; Task::COUNT] {
    let mut counts = [0; Task::COUNT];
    tasks.into_iter().for_each(|task| counts[task.index()] += 1);
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn proportional_sampling_covers_every_row_once_an_epoch(
        tasks in tasks(), rows in 1_usize..40, mixing in mixing(), seed: u64,
    ) {
        let mut sampler = Sampler::new(&tasks, rows, Sampling::Proportional, mixing, seed);
        for number in 0..3 {
            let mut seen = epoch(&mut sampler).concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..tasks.len()).collect::<Vec<_>>(), "epoch {}", number);
        }
    }

    #[test]
    fn an_epoch_holds_tasks_by_their_shares_and_rows_evenly(
        tasks in tasks(), rows in 1_usize..40, sampling in sampling(), mixing in mixing(), seed: u64,
    ) {
        let sizes = count(tasks.iter().copied());
        let power = match sampling {
            Sampling::Proportional => 1.0,
            Sampling::Temperature(t) => 1.0 / t,
            Sampling::Uniform | Sampling::RoundRobin => 0.0,
        };
        let weights = sizes.map(|n| if n == 0 { 0.0 } else { (n as f64).powf(power) });
        let weight: f64 = weights.iter().sum();
        let mut sampler = Sampler::new(&tasks, rows, sampling, mixing, seed);
        let length = sampler.batches_per_epoch();
        let mut visits = vec![0_usize; tasks.len()];
        for number in 0..3 {
            let drawn = epoch(&mut sampler).concat();
            prop_assert_eq!(sampler.batches_per_epoch(), length);
            prop_assert_eq!((sampler.state().epoch, sampler.state().batch), (number, length));
            prop_assert_eq!(drawn.len(), tasks.len());
            let counts = count(drawn.iter().map(|&row| tasks[row]));
            for task in Task::ALL {
                let share = weights[task.index()] / weight * tasks.len() as f64;
                let found = counts[task.index()] as f64;
                prop_assert!((found - share).abs() < 1.0 + 1e-9, "{task}: {found}, not {share}");
            }
            for row in drawn {
                visits[row] += 1;
            }
        }
        for task in Task::ALL {
            let of_task = || visits.iter().zip(&tasks).filter(|(_, t)| **t == task).map(|(v, _)| *v);
            if let (Some(least), Some(most)) = (of_task().min(), of_task().max()) {
                prop_assert!(most - least <= 1, "{task}: rows drawn {least} to {most} times");
            }
        }
    }

    #[test]
    fn batches_are_full_and_single_task_batches_hold_one_task(
        tasks in tasks(), rows in 1_usize..40, sampling in sampling(), seed: u64,
    ) {
        let mut mixed = Sampler::new(&tasks, rows, sampling, Mixing::Mixed, seed);
        let sizes: Vec<usize> = epoch(&mut mixed).iter().map(Vec::len).collect();
        prop_assert!(sizes[..sizes.len() - 1].iter().all(|&size| size == rows));
        let mut single = Sampler::new(&tasks, rows, sampling, Mixing::SingleTask, seed);
        let mut short = [0; Task::COUNT];
        for batch in epoch(&mut single) {
            let task = tasks[batch[0]];
            prop_assert!(batch.iter().all(|&row| tasks[row] == task));
            prop_assert!(batch.len() <= rows);
            short[task.index()] += usize::from(batch.len() < rows);
        }
        prop_assert!(short.iter().all(|&n| n <= 1), "short batches by task: {short:?}");
    }

    #[test]
    fn a_restored_sampler_goes_on_exactly(
        tasks in tasks(), rows in 1_usize..40, sampling in sampling(), mixing in mixing(),
        seed: u64, before in 0_usize..60,
    ) {
        let mut sampler = Sampler::new(&tasks, rows, sampling, mixing, seed);
        for _ in 0..before {
            sampler.next_batch();
        }
        let mut restored = Sampler::new(&tasks, rows, sampling, mixing, seed);
        restored.restore(sampler.state().clone());
        for _ in 0..40 {
            prop_assert_eq!(sampler.next_batch(), restored.next_batch());
            prop_assert_eq!(sampler.state(), restored.state());
        }
    }
}

#[test]
fn round_robin_takes_tasks_in_turn() {
    let tasks: Vec<Task> = Task::ALL.into_iter().flat_map(|task| [task; 4]).collect();
    let mut sampler = Sampler::new(&tasks, 6, Sampling::RoundRobin, Mixing::Mixed, 1);
    for batch in epoch(&mut sampler) {
        assert_eq!(batch.iter().map(|&row| tasks[row]).collect::<Vec<_>>(), Task::ALL);
    }
}

#[test]
fn the_seed_decides_the_order() {
    let tasks = [Task::QueryType; 50];
    let first = |seed| {
        epoch(&mut Sampler::new(&tasks, 50, Sampling::Proportional, Mixing::Mixed, seed)).concat()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn without_rows_there_is_nothing_to_draw() {
    let mut sampler = Sampler::new(&[], 4, Sampling::Uniform, Mixing::Mixed, 1);
    assert_eq!(sampler.batches_per_epoch(), 0);
    assert!(sampler.next_batch().is_empty());
}
