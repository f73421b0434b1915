use burn::tensor::{Tensor, TensorData, activation};

use super::full;
use crate::ClassTargets;

/// See [`crate::cross_entropy`].
pub fn cross_entropy(logits: Tensor<2>, targets: &ClassTargets) -> Tensor<1> {
    let logits = full(logits);
    let [rows, columns] = logits.dims();
    let share = targets.label_smoothing / columns as f32;
    let mut weights = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for class in 0..columns {
            let hard = if targets.classes[row] as usize == class { targets.hard(row) } else { 0.0 };
            let target = hard + share * targets.class_weight(class);
            weights.push(-targets.row_weight(row) * target);
        }
    }
    let weights = TensorData::new(weights, [rows, columns]);
    let weights = Tensor::<2>::from_data(weights, &logits.device());
    (activation::log_softmax(logits, 1) * weights).sum_dim(1).squeeze_dim::<1>(1)
}
