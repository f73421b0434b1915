use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense, numbers, tensor};
use crate::kernels::dropout;
use crate::{Dropout, simd};

pub(super) fn apply(x: FlexTensor, dropout: Dropout) -> FlexTensor {
    let x = dense(x);
    let shape = x.shape();
    let y = dropout::apply(simd::level(), numbers(&x), shape[1], dropout);
    tensor(y, shape)
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    type State = Dropout;

    fn backward(self, ops: Ops<Dropout, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        if let [Some(x)] = ops.parents {
            gradients.register::<Flex>(x.id, apply(dy, ops.state));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    dropout: Dropout,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, node) = x.into_parts();
    let y = apply(x, dropout);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(dropout, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}
