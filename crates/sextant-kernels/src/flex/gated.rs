use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::gated;
use crate::{Activation, simd};

pub(super) fn forward(x: &FlexTensor, activation: Activation) -> FlexTensor {
    let x = dense_floats(x.clone());
    let (rows, width) = (x.shape()[0], x.shape()[1] / 2);
    let y = gated::forward(simd::level(), floats(&x), width, activation);
    float_tensor(y, [rows, width])
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    type State = (FlexTensor, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let (x, activation) = ops.state;
        if let [Some(node)] = ops.parents {
            let (level, width) = (simd::level(), x.shape()[1] / 2);
            let dx = gated::backward(level, floats(&x), floats(&dy), width, activation);
            gradients.register::<Flex>(node.id, float_tensor(dx, x.shape()));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    activation: Activation,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, node) = x.into_parts();
    let x = dense_floats(x);
    let out = forward(&x, activation);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, activation), out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}
