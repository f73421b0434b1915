use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::has_kernels;
use crate::flex::FlexOperations;
use crate::{ClassTargets, composed};

/// Softmax cross-entropy of each row: `[rows, classes]` to `[rows]`.
///
/// With class weights `w`, smoothing `ε` and `K` classes, the loss of a row of class `y` is its row
/// weight times `-(1 - ε) · w_y · log p_y - ε / K · Σ_c w_c · log p_c`, as PyTorch's
/// `CrossEntropyLoss` with `reduction="none"`.
///
/// # Panics
/// When the targets do not fit the logits.
pub fn cross_entropy(logits: Tensor<2>, targets: &ClassTargets) -> Tensor<1> {
    let [rows, columns] = logits.dims();
    targets.check(rows, columns);
    if has_kernels(&logits.device()) {
        let targets = Arc::new(targets.clone());
        Tensor::from_dispatch(Dispatch::packed_cross_entropy(logits.into_dispatch(), targets))
    } else {
        composed::cross_entropy(logits, targets)
    }
}
