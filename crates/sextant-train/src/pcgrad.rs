//! Gradient surgery: where the gradients of two tasks point against each other, the opposing components are
//! removed (PCGrad, Yu et al. 2020, "Gradient Surgery for Multi-Task Learning", algorithm 1).

use crate::gradients::Gradients;
use crate::reduction::Reduced;
use crate::spread::Spread;
use crate::step::StepGradients;
use crate::target::StepOptions;
use crate::task_gradients::of_tasks;
use crate::{Target, TrainError};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_model::RelevanceModel;

/// Computes the gradients of a step like [`gradients`](crate::gradients()), but with packs and a sum for
/// each task. The result is the mean over the tasks of their gradients after projection. The gradient of a
/// parameter that only one task reaches is not projected.
///
/// The rows must be weighed so that the weights of each task's rows sum to 1.
pub(crate) fn gradients(
    model: &RelevanceModel,
    batch: &[Target<'_>],
    options: StepOptions<'_>,
    spread: Spread<'_>,
) -> Result<StepGradients, TrainError> {
    let (reduced, products) = of_tasks(model, batch, options, spread)?;
    let Reduced { sums: gradients, task_losses, tokens } = reduced;
    let tasks = gradients.len() as f64;
    let [seed, step] = options.key;
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ step.rotate_left(32));
    let weights: Vec<f64> = project(&products, &mut rng).iter().map(|w| w / tasks).collect();
    let gradients = Gradients::combine(gradients, &weights, 1.0 / tasks);
    Ok(StepGradients { gradients, task_losses, weight: tasks, tokens })
}

/// The weight of each task's gradient in the sum of all projected gradients, from the dot products of the
/// gradients with each other.
///
/// A projected gradient is a linear combination of the original gradients, `Σ c_k g_k`. A projection onto
/// the plane orthogonal to `g_j` subtracts `(Σ c_k g_k · g_j) / (g_j · g_j)` from `c_j`. So the weights are
/// computed without reading or changing a vector.
fn project(products: &[Vec<f64>], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let tasks = products.len();
    let mut sum = vec![0.0; tasks];
    for task in 0..tasks {
        let mut own = vec![0.0; tasks];
        own[task] = 1.0;
        let mut others: Vec<usize> = (0..tasks).filter(|&other| other != task).collect();
        others.shuffle(rng);
        for other in others {
            let along: f64 = own.iter().zip(products).map(|(c, row)| c * row[other]).sum();
            if along < 0.0 && products[other][other] > 0.0 {
                own[other] -= along / products[other][other];
            }
        }
        sum.iter_mut().zip(own).for_each(|(sum, c)| *sum += c);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).map(|(x, y)| x * y).sum()
    }

    /// The algorithm as the paper writes it, on vectors.
    fn projected(gradients: &[Vec<f64>], rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut sum = vec![0.0; gradients[0].len()];
        for (task, gradient) in gradients.iter().enumerate() {
            let mut own = gradient.clone();
            let mut others: Vec<usize> = (0..gradients.len()).filter(|&j| j != task).collect();
            others.shuffle(rng);
            for other in others {
                let along = dot(&own, &gradients[other]);
                if along < 0.0 {
                    let share = along / dot(&gradients[other], &gradients[other]);
                    own.iter_mut().zip(&gradients[other]).for_each(|(x, g)| *x -= share * g);
                }
            }
            sum.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
        }
        sum
    }

    fn products(gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
        gradients.iter().map(|x| gradients.iter().map(|y| dot(x, y)).collect()).collect()
    }

    #[test]
    fn weights_give_what_projecting_vectors_gives() {
        use rand::RngExt;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut conflicts = 0;
        for seed in 0..50 {
            let gradients: Vec<Vec<f64>> =
                (0..5).map(|_| (0..7).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
            let products = products(&gradients);
            conflicts += products.iter().flatten().filter(|&&p| p < 0.0).count();
            let expected = projected(&gradients, &mut ChaCha8Rng::seed_from_u64(seed));
            let weights = project(&products, &mut ChaCha8Rng::seed_from_u64(seed));
            for (i, expected) in expected.into_iter().enumerate() {
                let found: f64 = weights.iter().zip(&gradients).map(|(w, g)| w * g[i]).sum();
                assert!((found - expected).abs() < 1e-9);
            }
        }
        assert!(conflicts > 100);
    }

    #[test]
    fn gradients_that_agree_are_summed() {
        let gradients = [vec![1.0, 0.0], vec![1.0, 1.0], vec![0.0, 2.0]];
        let weights = project(&products(&gradients), &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(weights, [1.0, 1.0, 1.0]);
    }

    #[test]
    fn two_that_disagree_lose_what_points_against_the_other() {
        // (1, 0) and (-1, 1): projections (1/2, 1/2) and (0, 1).
        let gradients = [vec![1.0, 0.0], vec![-1.0, 1.0]];
        let weights = project(&products(&gradients), &mut ChaCha8Rng::seed_from_u64(3));
        let sum: Vec<f64> =
            (0..2).map(|i| weights[0] * gradients[0][i] + weights[1] * gradients[1][i]).collect();
        assert_eq!(sum, [0.5, 1.5]);
    }
}
