//! How much each task counts in a step's loss.

use crate::{Target, TaskLoss};
use serde::{Deserialize, Serialize};
use sextant_core::Task;

/// How tasks are weighed against each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Every row counts the same: a task counts as much as it has rows in the step.
    #[default]
    Rows,
    /// Every task in the step counts the same: the mean of the tasks' mean losses.
    Equal,
    /// A task's mean loss is divided by a variance that is learned with the model (Kendall, Gal &
    /// Cipolla 2018, for classification: `L exp(-s) + s / 2` with `s = log σ²`, which begins at 0).
    Uncertainty,
    /// A task whose loss falls more slowly than the others' counts more (dynamic weight average, Liu,
    /// Johns & Davison 2019): weights are a softmax over the ratios of the last two windows' mean
    /// losses, times the number of tasks.
    Dynamic,
    /// Tasks count the same. But where two tasks' gradients of shared weights point against each other, the
    /// component of each that points against the other is removed (PCGrad, Yu et al. 2020). This takes a
    /// backward pass for each task.
    Pcgrad,
}

/// `[task_weighting]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskWeighting {
    /// How tasks are weighed.
    pub kind: Weighting,
    /// For `dynamic`: the temperature of the softmax.
    pub temperature: f64,
    /// For `dynamic`: the number of steps in a window; those of an epoch unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
}

impl Default for TaskWeighting {
    fn default() -> Self {
        Self { kind: Weighting::Rows, temperature: 2.0, window: None }
    }
}

impl TaskWeighting {
    /// Whether all settings have their default values.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What task weighting has learned so far. It is part of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightingState {
    /// For `uncertainty`: each task's log variance with its moments.
    variances: [LogVariance; Task::COUNT],
    /// For `dynamic`: for each task, the sum of its mean losses in the steps of this window, and the number
    /// of these steps.
    sums: [(f64, u64); Task::COUNT],
    /// Steps of this window so far.
    steps: u64,
    /// Each task's mean loss in each of the last two windows, the newest window first.
    means: [[Option<f64>; Task::COUNT]; 2],
}

/// The logarithm of a task's variance, with its moments. Adam (Kingma & Ba 2015) updates it, as AdamW does
/// the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct LogVariance {
    value: f64,
    first: f64,
    second: f64,
    steps: i32,
}

impl LogVariance {
    fn step(&mut self, gradient: f64, rate: f64) {
        let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
        self.steps += 1;
        self.first = beta1 * self.first + (1.0 - beta1) * gradient;
        self.second = beta2 * self.second + (1.0 - beta2) * gradient * gradient;
        let first = self.first / (1.0 - f64::powi(beta1, self.steps));
        let second = self.second / (1.0 - f64::powi(beta2, self.steps));
        self.value -= rate * first / (second.sqrt() + eps);
    }
}

impl WeightingState {
    /// The factor of each task's mean loss; `None` if every row counts the same. The loss of a step is the
    /// sum over its tasks of factor times mean loss, divided by the number of tasks.
    pub(crate) fn weights(&self, weighting: &TaskWeighting) -> Option<[f64; Task::COUNT]> {
        match weighting.kind {
            Weighting::Rows => None,
            Weighting::Equal | Weighting::Pcgrad => Some([1.0; Task::COUNT]),
            Weighting::Uncertainty => Some(self.variances.map(|s| (-s.value).exp())),
            Weighting::Dynamic => {
                let [newest, before] = &self.means;
                let ratios: Vec<Option<f64>> = newest
                    .iter()
                    .zip(before)
                    .map(|(new, old)| {
                        // If the earlier loss is 0, the ratio is not finite and says nothing about speed.
                        Some(new.as_ref()? / old.as_ref()?).filter(|ratio| ratio.is_finite())
                    })
                    .collect();
                // The largest ratio is subtracted first, so that no exponential overflows.
                let most = ratios.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
                let grow = |ratio: f64| ((ratio - most) / weighting.temperature).exp();
                let known: Vec<f64> = ratios.iter().flatten().map(|&r| grow(r)).collect();
                let scale = known.len() as f64 / known.iter().sum::<f64>();
                // A task that has not had two windows counts as one of average speed.
                Some(std::array::from_fn(|task| ratios[task].map_or(1.0, |r| grow(r) * scale)))
            }
        }
    }

    /// Updates the state after a step. `losses` are the tasks' losses in the step, `rate` is the learning
    /// rate of heads, and `epoch` is the number of steps in an epoch.
    pub(crate) fn learn(
        &mut self,
        weighting: &TaskWeighting,
        losses: &[TaskLoss; Task::COUNT],
        rate: f64,
        epoch: u64,
    ) {
        let means = losses.map(|loss| loss.mean());
        match weighting.kind {
            Weighting::Rows | Weighting::Equal | Weighting::Pcgrad => {}
            Weighting::Uncertainty => {
                let tasks = means.iter().flatten().count() as f64;
                for (variance, mean) in self.variances.iter_mut().zip(means) {
                    if let Some(mean) = mean {
                        variance.step((0.5 - mean * (-variance.value).exp()) / tasks, rate);
                    }
                }
            }
            Weighting::Dynamic => {
                for ((sum, count), mean) in self.sums.iter_mut().zip(means) {
                    if let Some(mean) = mean {
                        *sum += mean;
                        *count += 1;
                    }
                }
                self.steps += 1;
                if self.steps >= weighting.window.unwrap_or(epoch) {
                    let mean = |(sum, count): (f64, u64)| (count > 0).then(|| sum / count as f64);
                    self.means = [self.sums.map(mean), self.means[0]];
                    self.sums = Default::default();
                    self.steps = 0;
                }
            }
        }
    }
}

/// Scales the weights of rows so that the sum of the rows' losses is the sum over tasks of the task's weight
/// times its mean loss. Returns the number of tasks that have rows.
pub(crate) fn weigh(rows: &mut [Target<'_>], weights: &[f64; Task::COUNT]) -> usize {
    let mut totals = [0.0; Task::COUNT];
    for row in rows.iter() {
        totals[row.row.task.index()] += f64::from(row.weight);
    }
    for row in rows.iter_mut() {
        let task = row.row.task.index();
        row.weight = (f64::from(row.weight) * weights[task] / totals[task]) as f32;
    }
    totals.iter().filter(|&&total| total > 0.0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(means: [f64; Task::COUNT]) -> [TaskLoss; Task::COUNT] {
        means.map(|mean| TaskLoss { sum: 4.0 * mean, weight: 4.0, rows: usize::from(mean > 0.0) })
    }

    #[test]
    fn uncertainty_learns_the_loss_itself() {
        // L exp(-s) + s / 2 is least where exp(s) = 2 L.
        let weighting = TaskWeighting { kind: Weighting::Uncertainty, ..TaskWeighting::default() };
        let mut state = WeightingState::default();
        assert_eq!(state.weights(&weighting), Some([1.0; 6]));
        for _ in 0..4000 {
            state.learn(&weighting, &losses([0.2, 0.5, 1.0, 0.2, 0.5, 0.0]), 0.01, 10);
        }
        let found = state.weights(&weighting).unwrap();
        for (weight, expected) in found.into_iter().zip([2.5, 1.0, 0.5, 2.5, 1.0, 1.0]) {
            assert!((weight - expected).abs() < 0.05 * expected, "{found:?}");
        }
    }

    #[test]
    fn dynamic_weights_stay_finite() {
        let weighting =
            TaskWeighting { kind: Weighting::Dynamic, temperature: 1e-4, window: Some(1) };
        let mut state = WeightingState::default();
        let before = [1.0, 1.0, 1e-30, 1.0, 1.0, 1.0];
        state.learn(&weighting, &losses(before), 0.1, 1);
        // The last task had rows and a loss of 0.
        let mut zero = losses([0.9, 1.0, 1.0, 0.8, 1.0, 1.0]);
        zero[5].sum = 0.0;
        state.learn(&weighting, &zero, 0.1, 1);
        state.learn(&weighting, &losses([1.0; 6]), 0.1, 1);
        let found = state.weights(&weighting).unwrap();
        assert!(found.iter().all(|weight| weight.is_finite()), "{found:?}");
        assert!((found[..5].iter().sum::<f64>() - 5.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found[5], 1.0);
    }

    #[test]
    fn weighing_gives_each_task_its_weight() {
        use sextant_core::Grade;
        use sextant_text::{Cut, EncodedRow, TokenRow};
        let row = |task| EncodedRow { task, ids: vec![1], segments: vec![0], cut: Cut::default() };
        let encoded = [Task::QueryType, Task::TypeType, Task::QueryType].map(row);
        let mut rows: Vec<Target<'_>> = encoded
            .iter()
            .zip([1.0, 5.0, 3.0])
            .map(|(row, weight)| Target { weight, ..Target::graded(row.view(), Grade::Partial) })
            .collect();
        let mut weights = [1.0; Task::COUNT];
        weights[Task::QueryType.index()] = 2.0;
        assert_eq!(weigh(&mut rows, &weights), 2);
        let found: Vec<f32> = rows.iter().map(|row| row.weight).collect();
        assert_eq!(found, [0.5, 1.0, 1.5]);
    }

    #[test]
    fn dynamic_weights_are_a_softmax_over_how_slowly_losses_fall() {
        let weighting =
            TaskWeighting { kind: Weighting::Dynamic, temperature: 2.0, window: Some(2) };
        let mut state = WeightingState::default();
        for mean in [1.0, 1.0, 0.5, 0.5] {
            assert_eq!(state.weights(&weighting), Some([1.0; 6]), "not before two windows");
            state.learn(&weighting, &losses([mean, 1.0, mean, 1.0, mean, 0.0]), 0.1, 10);
        }
        let found = state.weights(&weighting).unwrap();
        // Ratios 0.5 and 1 at temperature 2, over the five tasks that had rows.
        let (fast, slow) = (f64::exp(0.25), f64::exp(0.5));
        let scale = 5.0 / (3.0 * fast + 2.0 * slow);
        for (task, weight) in found.into_iter().enumerate() {
            let expected = match task {
                5 => 1.0,
                0 | 2 | 4 => fast * scale,
                _ => slow * scale,
            };
            assert!((weight - expected).abs() < 1e-12, "{found:?}");
        }
    }
}
