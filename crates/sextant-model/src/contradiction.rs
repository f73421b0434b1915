//! A penalty on answers that contradict each other across tasks.
//!
//! Of three entities of which every two are a pair of some task, no two pairs can be relevant while the
//! third is irrelevant. As logic, for each of the three pairs c and the other two a and b:
//!
//! > relevant(a) ∧ relevant(b) → ¬ irrelevant(c)
//!
//! Li, Gupta, Mehta and Srikumar (2019, "A Logic-Driven Framework for Consistency of Neural Models") turn
//! such rules into losses that need no labels: probabilities take the place of truth values, a product that
//! of "and" (the product t-norm), and the loss of a rule is how far the logarithm of what is concluded lies
//! below that of the condition, their loss of transitivity. With the probabilities r of relevant and i of
//! irrelevant, that is
//!
//! > max(0, log r(a) + log r(b) − log(1 − i(c)))
//!
//! and the penalty of a triangle is the sum over its three pairs in the place of c. It is 0 where no rule is
//! broken, grows without bound as the model becomes sure of a contradiction, and a partial answer, or two
//! that are not relevant, satisfy it.

use crate::HeadKind;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

/// The penalty of each triangle, `[triangles]`. `logits` are those of a head of the given kind,
/// `[rows, outputs]`; `triangles` holds the rows of each triangle's three pairs.
pub fn contradiction_losses(
    logits: Tensor<2>,
    triangles: &[[usize; 3]],
    head: HeadKind,
) -> Tensor<1> {
    let device = logits.device();
    let [relevant, not_irrelevant] = log_probabilities(logits, head);
    let side = |of: &Tensor<1>, side: usize| of.clone().select(0, rows(triangles, side, &device));
    let rule = |conclusion: usize| {
        let [a, b] = [(conclusion + 1) % 3, (conclusion + 2) % 3];
        let condition = side(&relevant, a) + side(&relevant, b);
        activation::relu(condition - side(&not_irrelevant, conclusion))
    };
    rule(0) + rule(1) + rule(2)
}

/// The rows of one side of each triangle.
fn rows(triangles: &[[usize; 3]], side: usize, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = triangles.iter().map(|rows| rows[side] as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// For each row, the logarithms of the probability of relevant, and of that of not irrelevant, `[rows]`.
fn log_probabilities(logits: Tensor<2>, head: HeadKind) -> [Tensor<1>; 2] {
    let column = |index: usize| logits.clone().narrow(1, index, 1).squeeze_dim::<1>(1);
    // Both events as a logit of their own, so that nothing overflows and no probability is rounded to 0.
    let [relevant, not_irrelevant] = match head {
        HeadKind::Softmax => {
            let [irrelevant, partial, relevant] = [0, 1, 2].map(column);
            let rest = log_sum(irrelevant.clone(), partial.clone());
            [relevant.clone() - rest, log_sum(partial, relevant) - irrelevant]
        }
        // The outputs are the logits of being at least partial, and of being relevant.
        HeadKind::Cumulative => [column(1), column(0)],
    };
    [relevant, not_irrelevant].map(|logit| -softplus(-logit))
}

/// `log(e^a + e^b)`.
fn log_sum(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    b.clone() + softplus(a - b)
}

/// `log(1 + e^x)`.
fn softplus(x: Tensor<1>) -> Tensor<1> {
    let small = (x.clone().abs().neg().exp() + 1.0).log();
    activation::relu(x) + small
}
