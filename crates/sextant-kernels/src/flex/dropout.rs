use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense_floats, float_tensor, floats, format};
use crate::kernels::dropout;
use crate::{Dropout, Precision, simd};

pub(super) fn apply(x: FlexTensor, dropout: Dropout) -> FlexTensor {
    let x = dense_floats(x);
    let shape = x.shape();
    float_tensor(dropout::apply(simd::level(), floats(&x), shape[1], dropout), shape)
}

pub(super) fn add(x: FlexTensor, residual: FlexTensor, dropout: Option<Dropout>) -> FlexTensor {
    let (x, residual) = (dense_floats(x), dense_floats(residual));
    let shape = x.shape();
    let (x, residual) = (floats(&x), floats(&residual));
    let (level, format) = (simd::level(), residual.format());
    float_tensor(dropout::sum(level, x, Some(residual), shape[1], dropout, format), shape)
}

/// The parents are the input and, of a sum, the residual.
#[derive(Debug)]
struct Step;

impl<const N: usize> Backward<Flex, N> for Step {
    /// The dropout, and the format of the input.
    type State = (Option<Dropout>, Precision);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let (dropped, wanted) = ops.state;
        let mut parents = ops.parents.into_iter();
        if let Some(x) = parents.next().flatten() {
            let dx = if dropped.is_none() && format(&dy) == wanted {
                dy.clone()
            } else {
                let (level, shape) = (simd::level(), dy.shape());
                let dx = dropout::sum(level, floats(&dy), None, shape[1], dropped, wanted);
                float_tensor(dx, shape)
            };
            gradients.register::<Flex>(x.id, dx);
        }
        if let Some(residual) = parents.next().flatten() {
            gradients.register::<Flex>(residual.id, dy);
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    dropout: Dropout,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, node) = x.into_parts();
    let x = dense_floats(x);
    let state = (Some(dropout), format(&x));
    let y = apply(x, dropout);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

pub(super) fn tracked_sum<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    residual: FloatTensor<Autodiff<Flex, C>>,
    dropout: Option<Dropout>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let ((x, node), (residual, residual_node)) = (x.into_parts(), residual.into_parts());
    let x = dense_floats(x);
    let state = (dropout, format(&x));
    let y = add(x, residual, dropout);
    match Step.prepare::<C>([node, residual_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}
