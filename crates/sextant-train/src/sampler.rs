//! Chooses the rows of each step.
//!
//! An epoch is a list of batches that name a task for each row; the rows themselves come from an
//! endless shuffled cycle per task. Tasks are not drawn independently: an epoch holds each task as
//! often as its share says, in shuffled order. So proportional sampling visits every row exactly
//! once an epoch, and any sampling visits a task's rows evenly. Everything is a function of the seed
//! and of a few counters, which are the sampler's whole state.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use std::collections::VecDeque;

/// How often each task is drawn, in rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Each task as often as it has rows.
    Proportional,
    /// Each task in proportion to the number of its rows to the power of 1 over the temperature: 1 is
    /// proportional, 2 takes the square root, a large value is uniform (Arivazhagan et al. 2019).
    Temperature(f64),
    /// All tasks equally often, in a shuffled order.
    Uniform,
    /// All tasks equally often, in turn.
    RoundRobin,
}

/// Whether a step mixes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// A step has rows of all tasks.
    Mixed,
    /// A step has rows of one task.
    SingleTask,
}

/// The position of a sampler, as a checkpoint stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerState {
    /// Epochs finished.
    pub epoch: u64,
    /// Batches of this epoch that were returned already.
    pub batch: usize,
    /// For each task, the number of rows drawn so far.
    pub drawn: [u64; Task::COUNT],
}

/// Draws batches of row indices without end.
#[derive(Debug, Clone)]
pub struct Sampler {
    seed: u64,
    sampling: Sampling,
    mixing: Mixing,
    batch_rows: usize,
    /// For each task, the indices of its rows.
    rows: [Vec<usize>; Task::COUNT],
    state: SamplerState,
    /// The remaining batches of this epoch, each as the tasks of its rows.
    batches: VecDeque<Vec<Task>>,
    /// For each task, the number of its current cycle and the shuffled rows of that cycle.
    cycles: [(u64, Vec<usize>); Task::COUNT],
}

impl Sampler {
    /// A sampler over rows. `tasks` holds the task of each row, in order. `batch_rows`, the number of rows
    /// in a batch, is at least 1.
    pub fn new(
        tasks: &[Task],
        batch_rows: usize,
        sampling: Sampling,
        mixing: Mixing,
        seed: u64,
    ) -> Self {
        let mut rows: [Vec<usize>; Task::COUNT] = Default::default();
        for (row, task) in tasks.iter().enumerate() {
            rows[task.index()].push(row);
        }
        let mut sampler = Self {
            seed,
            sampling,
            mixing,
            batch_rows: batch_rows.max(1),
            rows,
            state: SamplerState::default(),
            batches: VecDeque::new(),
            cycles: std::array::from_fn(|_| (u64::MAX, Vec::new())),
        };
        sampler.batches = sampler.epoch(0);
        sampler
    }

    /// The number of batches in an epoch, which is the same in every epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.epoch(0).len()
    }

    /// The sampler's current position.
    pub fn state(&self) -> &SamplerState {
        &self.state
    }

    /// Moves to a state that a sampler over the same rows with the same options was in.
    pub fn restore(&mut self, state: SamplerState) {
        self.batches = self.epoch(state.epoch);
        self.batches.drain(..state.batch.min(self.batches.len()));
        self.state = state;
    }

    /// The rows of the next step. Empty only if there are no rows at all.
    pub fn next_batch(&mut self) -> Vec<usize> {
        if self.batches.is_empty() {
            self.state.epoch += 1;
            self.state.batch = 0;
            self.batches = self.epoch(self.state.epoch);
        }
        let Some(tasks) = self.batches.pop_front() else { return Vec::new() };
        self.state.batch += 1;
        tasks.into_iter().map(|task| self.draw(task)).collect()
    }

    /// The next row of a task's endless cycle.
    fn draw(&mut self, task: Task) -> usize {
        let index = task.index();
        let length = self.rows[index].len() as u64;
        let (cycle, place) = (self.state.drawn[index] / length, self.state.drawn[index] % length);
        self.state.drawn[index] += 1;
        if self.cycles[index].0 != cycle {
            let mut rows = self.rows[index].clone();
            rows.shuffle(&mut self.rng(1 + index as u64, cycle));
            self.cycles[index] = (cycle, rows);
        }
        self.cycles[index].1[place as usize]
    }

    /// The tasks of an epoch's batches.
    fn epoch(&self, epoch: u64) -> VecDeque<Vec<Task>> {
        let counts = self.counts();
        let rng = &mut self.rng(0, epoch);
        let in_turn = self.sampling == Sampling::RoundRobin;
        let tasks = Task::ALL.into_iter().map(|task| (task, counts[task.index()]));
        match self.mixing {
            Mixing::Mixed => {
                let order = arrange(tasks.collect(), in_turn, rng);
                order.chunks(self.batch_rows).map(<[Task]>::to_vec).collect()
            }
            Mixing::SingleTask => {
                let batches = tasks.map(|(task, count)| (task, count.div_ceil(self.batch_rows)));
                let mut left = counts;
                arrange(batches.collect(), in_turn, rng)
                    .into_iter()
                    .map(|task| {
                        let size = left[task.index()].min(self.batch_rows);
                        left[task.index()] -= size;
                        vec![task; size]
                    })
                    .collect()
            }
        }
    }

    /// The number of rows of each task in an epoch. Together they are as many as there are rows.
    fn counts(&self) -> [usize; Task::COUNT] {
        let sizes = self.rows.each_ref().map(Vec::len);
        let power = match self.sampling {
            Sampling::Proportional => return sizes,
            Sampling::Temperature(temperature) => 1.0 / temperature,
            Sampling::Uniform | Sampling::RoundRobin => 0.0,
        };
        let weights = sizes.map(|n| if n == 0 { 0.0 } else { (n as f64).powf(power) });
        let (total, weight) = (sizes.iter().sum::<usize>(), weights.iter().sum::<f64>());
        if total == 0 {
            return sizes;
        }
        let shares = weights.map(|w| w / weight * total as f64);
        let mut counts = shares.map(|share| share.floor() as usize);
        // The shares with the largest remainders are rounded up, so that the counts sum to the total.
        let mut order: Vec<usize> = (0..Task::COUNT).filter(|&i| sizes[i] > 0).collect();
        order.sort_by(|&a, &b| shares[b].fract().total_cmp(&shares[a].fract()));
        let missing = total.saturating_sub(counts.iter().sum());
        for &i in order.iter().cycle().take(missing) {
            counts[i] += 1;
        }
        counts
    }

    fn rng(&self, stream: u64, counter: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        for (bytes, value) in seed.chunks_exact_mut(8).zip([self.seed, stream, counter, 0]) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }
}

/// A list with each task as often as its count says: shuffled, or, if `in_turn`, one of each task in turn
/// for as long as any are left.
fn arrange(mut counts: Vec<(Task, usize)>, in_turn: bool, rng: &mut ChaCha8Rng) -> Vec<Task> {
    if !in_turn {
        let mut order: Vec<Task> =
            counts.into_iter().flat_map(|(task, count)| std::iter::repeat_n(task, count)).collect();
        order.shuffle(rng);
        return order;
    }
    let mut order = Vec::new();
    while counts.iter().any(|&(_, count)| count > 0) {
        for (task, count) in counts.iter_mut().filter(|(_, count)| *count > 0) {
            order.push(*task);
            *count -= 1;
        }
    }
    order
}
