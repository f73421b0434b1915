use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, numbers, tensor};
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::linear::{self, Size, Wanted};
use crate::{Activation, Precision, simd};

fn size(x: &FlexTensor, weight: &FlexTensor) -> Size {
    Size { rows: x.shape()[0], inputs: weight.shape()[0], outputs: weight.shape()[1] }
}

/// The output, and what the activation was applied to if it is to be kept; of dense tensors.
fn run(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    activation: Activation,
    precision: Precision,
    keep: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let size = size(x, weight);
    let kernel = match precision {
        Precision::F32 => linear::forward::<F32>,
        Precision::Bf16 => linear::forward::<Bf16>,
    };
    let (x, weight, bias) = (numbers(x), numbers(weight), bias.map(numbers));
    let (y, z) = kernel(simd::level(), size, x, weight, bias, activation, keep);
    let shape = [size.rows, size.outputs];
    (tensor(y, shape), z.map(|z| tensor(z, shape)))
}

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Maybe<Flex>,
    activation: Activation,
    precision: Precision,
) -> FlexTensor {
    let bias = match bias {
        Maybe::Given(bias) => Some(dense(bias)),
        Maybe::Absent => None,
    };
    let (x, weight) = (dense(x), dense(weight));
    run(&x, &weight, bias.as_ref(), activation, precision, false).0
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    x: FlexTensor,
    weight: FlexTensor,
    z: Option<FlexTensor>,
    activation: Activation,
    precision: Precision,
}

/// The parents are input, weight and, where there is one, bias.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(gradients.consume::<Flex>(&ops.node));
        let State { x, weight, z, activation, precision } = ops.state;
        let mut parents = ops.parents.into_iter();
        let mut parent = || parents.next().flatten();
        let (to_x, to_weight, to_bias) = (parent(), parent(), parent());
        let wanted =
            Wanted { x: to_x.is_some(), weight: to_weight.is_some(), bias: to_bias.is_some() };
        let size = size(&x, &weight);
        let kernel = match precision {
            Precision::F32 => linear::backward::<F32>,
            Precision::Bf16 => linear::backward::<Bf16>,
        };
        let found = kernel(
            simd::level(),
            size,
            numbers(&x),
            numbers(&weight),
            activation,
            z.as_ref().map(numbers),
            numbers(&dy),
            wanted,
        );
        if let (Some(node), Some(dx)) = (to_x, found.x) {
            gradients.register::<Flex>(node.id, tensor(dx, [size.rows, size.inputs]));
        }
        if let (Some(node), Some(dw)) = (to_weight, found.weight) {
            gradients.register::<Flex>(node.id, tensor(dw, [size.inputs, size.outputs]));
        }
        if let (Some(node), Some(db)) = (to_bias, found.bias) {
            gradients.register::<Flex>(node.id, tensor(db, [size.outputs]));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: Maybe<Autodiff<Flex, C>>,
    activation: Activation,
    precision: Precision,
) -> FloatTensor<Autodiff<Flex, C>> {
    let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
    let (x, weight) = (dense(x), dense(weight));
    // one arm for each number of parents
    macro_rules! finish {
        ($nodes:expr, $bias:expr) => {
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let (y, z) = run(&x, &weight, $bias, activation, precision, true);
                    let state = State { x, weight, z, activation, precision };
                    prepared.finish(state, y)
                }
                OpsKind::UnTracked(prepared) => {
                    prepared.finish(run(&x, &weight, $bias, activation, precision, false).0)
                }
            }
        };
    }
    match bias {
        Maybe::Given(bias) => {
            let (bias, bias_node) = bias.into_parts();
            let bias = dense(bias);
            finish!([x_node, weight_node, bias_node], Some(&bias))
        }
        Maybe::Absent => finish!([x_node, weight_node], None),
    }
}
