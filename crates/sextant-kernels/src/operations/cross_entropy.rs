use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense, numbers, tensor};
use crate::kernels::cross_entropy;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{ClassTargets, composed, simd};

/// Softmax cross-entropy of each row, from `[rows, classes]` to `[rows]`.
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
    run(CrossEntropy { targets: Arc::new(targets.clone()) }, ([logits.into()], []))
}

#[derive(Clone, Debug)]
struct CrossEntropy {
    targets: Arc<ClassTargets>,
}

impl Operation<1> for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    /// The logits, and for each row the logarithm of the sum of exponentials in its softmax.
    type Saved = (FlexTensor, Vec<f32>);

    fn composed(&self, ([logits], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::cross_entropy(logits.into(), &self.targets).into()
    }

    fn forward(&self, ([logits], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, Self::Saved) {
        let logits = dense(logits);
        let [rows, columns] = [logits.shape()[0], logits.shape()[1]];
        let (losses, log_sums) =
            cross_entropy::forward(simd::level(), numbers(&logits), columns, &self.targets);
        (tensor(losses, [rows]), (logits, log_sums))
    }

    fn backward(
        &self,
        (logits, log_sums): Self::Saved,
        dlosses: FlexTensor,
        _: Wanted<1>,
    ) -> Gradients<1> {
        let dlosses = dense(dlosses);
        let found = cross_entropy::backward(
            simd::level(),
            numbers(&logits),
            &log_sums,
            logits.shape()[1],
            &self.targets,
            numbers(&dlosses),
        );
        ([Some(tensor(found, logits.shape()))], [])
    }
}
