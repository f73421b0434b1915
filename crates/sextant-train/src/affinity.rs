//! How far the gradients of tasks agree, measured while a model of several tasks is trained: an estimate of which tasks
//! help which that costs one run.

use serde::{Deserialize, Serialize};
use sextant_core::Task;

/// `[affinity]`: measures how far the gradients of tasks agree. This does not change the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffinityRecipe {
    /// Steps between two looks. A look takes one more forward and backward pass over the step's rows.
    pub every: u64,
}

impl Default for AffinityRecipe {
    fn default() -> Self {
        Self { every: 10 }
    }
}

/// What the looks of a run found: sums over the looks, by two tasks in the order of [`Task::ALL`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskAffinity {
    pairs: [[PairSums; Task::COUNT]; Task::COUNT],
}

/// Sums over the looks at which both tasks had rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairSums {
    looks: u64,
    cosine: f64,
    lookahead: f64,
}

impl TaskAffinity {
    /// The mean cosine of the two tasks' gradients of the parameters that they share; `None` if there was no look at
    /// which both had rows.
    pub fn cosine(&self, one: Task, other: Task) -> Option<f64> {
        self.mean(one, other, |sums| sums.cosine)
    }

    /// The mean share of its loss by which a step of plain gradient descent along the gradient of `from`, at the learning
    /// rate of the run, lowers the loss of `to`, to first order: `rate · g_from · g_to / L_to`. This is the lookahead
    /// affinity of Fifty et al. (2021), whose `1 − L_to(after) / L_to(before)` it approximates without a further pass
    /// for each task.
    pub fn lookahead(&self, from: Task, to: Task) -> Option<f64> {
        self.mean(from, to, |sums| sums.lookahead)
    }

    /// The number of looks at which both tasks had rows.
    pub fn looks(&self, one: Task, other: Task) -> u64 {
        self.pairs[one.index()][other.index()].looks
    }

    /// Whether there was no look.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn mean(&self, one: Task, other: Task, sum: impl Fn(&PairSums) -> f64) -> Option<f64> {
        let sums = &self.pairs[one.index()][other.index()];
        (sums.looks > 0).then(|| sum(sums) / sums.looks as f64)
    }

    /// Adds a look: `products` are the dot products of the gradients of these tasks, and `losses` their mean losses.
    pub(crate) fn add(&mut self, tasks: &[Task], products: &[Vec<f64>], losses: &[f64], rate: f64) {
        for (i, from) in tasks.iter().enumerate() {
            for (j, to) in tasks.iter().enumerate() {
                let size = (products[i][i] * products[j][j]).sqrt();
                if i == j || size <= 0.0 || losses[j] <= 0.0 {
                    continue;
                }
                let sums = &mut self.pairs[from.index()][to.index()];
                sums.looks += 1;
                sums.cosine += products[i][j] / size;
                sums.lookahead += rate * products[i][j] / losses[j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_averaged_by_pair() {
        let tasks = [Task::QueryProduct, Task::QueryType, Task::TypeType];
        let [a, b, c] = tasks;
        let mut found = TaskAffinity::default();
        assert!(found.is_empty() && found.cosine(a, b).is_none());
        // Gradients (1, 0), (3, 4) and (0, -2).
        let products = vec![vec![1.0, 3.0, 0.0], vec![3.0, 25.0, -8.0], vec![0.0, -8.0, 4.0]];
        found.add(&tasks, &products, &[1.0, 2.0, 0.5], 0.1);
        // At the second look only two tasks have rows, whose gradients are orthogonal.
        found.add(&tasks[..2], &[vec![1.0, 0.0], vec![0.0, 4.0]], &[1.0, 1.0], 0.1);
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, {expected}");
        };
        near(found.cosine(a, b), 0.3);
        near(found.cosine(b, a), 0.3);
        near(found.cosine(c, b), -0.8);
        near(found.lookahead(a, b), 0.1 * 3.0 / 4.0);
        near(found.lookahead(b, a), 0.1 * 3.0 / 2.0);
        near(found.lookahead(b, c), 0.1 * -8.0 / 0.5);
        assert_eq!((found.looks(a, b), found.looks(b, c), found.looks(a, a)), (2, 1, 0));
        assert!(!found.is_empty());
    }
}
