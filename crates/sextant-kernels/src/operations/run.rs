use burn::tensor::Tensor;

use crate::operation::{AnyTensor, Inputs, Operation};
use crate::{composed, flex};

/// Runs an operation on tensors whose shapes were checked: its kernel where the first tensor is on a
/// device with kernels, else its composed body.
#[inline(always)]
pub(crate) fn run<P, const R: usize, const O: usize, const D: usize>(
    operation: P,
    inputs: Inputs<AnyTensor, R, O>,
) -> Tensor<D>
where
    P: Operation<R, O>,
{
    if composed::replaces(P::NAME) || !inputs.0[0].has_kernels() {
        return operation.composed(inputs).into();
    }
    flex::run(operation, inputs)
}
