use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, dense_floats, float_tensor, floats, numbers, tensor};
use crate::kernels::floats::FloatVec;
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::linear::{self, Size, Wanted};
use crate::reused_weight::Reused;
use crate::{Activation, Precision, ReusedWeight, simd};

fn size(x: &FlexTensor, weight: &FlexTensor) -> Size {
    Size { rows: x.shape()[0], inputs: weight.shape()[0], outputs: weight.shape()[1] }
}

/// The output, in the format of the precision, and what the activation was applied to if it is to be
/// kept; of dense tensors.
fn run(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    activation: Activation,
    precision: Precision,
    packed: &ReusedWeight,
    keep: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    fn products<P: Reused>(
        of: linear::Forward<'_>,
        weight: &[f32],
        shape: [usize; 2],
        packed: &ReusedWeight,
        keep: bool,
    ) -> (FloatVec, Option<FloatVec>) {
        linear::forward(of, packed.weight::<P>(simd::level(), weight, shape), keep)
    }
    let Size { rows, inputs, outputs } = size(x, weight);
    let kernel = match precision {
        Precision::F32 => products::<F32>,
        Precision::Bf16 => products::<Bf16>,
    };
    let (x, bias) = (floats(x), bias.map(numbers));
    let of = linear::Forward { rows, x, bias, activation, format: precision };
    let (y, z) = kernel(of, numbers(weight), [inputs, outputs], packed, keep);
    let shape = [rows, outputs];
    (float_tensor(y, shape), z.map(|z| float_tensor(z, shape)))
}

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Maybe<Flex>,
    activation: Activation,
    precision: Precision,
    packed: &ReusedWeight,
) -> FlexTensor {
    let bias = match bias {
        Maybe::Given(bias) => Some(dense(bias)),
        Maybe::Absent => None,
    };
    let (x, weight) = (dense_floats(x), dense(weight));
    run(&x, &weight, bias.as_ref(), activation, precision, packed, false).0
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
    packed: ReusedWeight,
}

/// The gradients of a layer, of dense tensors.
fn found<P: Reused>(state: &State, dy: &FlexTensor, wanted: Wanted) -> linear::Gradients {
    let State { x, weight, z, activation, packed, .. } = state;
    let (size, level) = (size(x, weight), simd::level());
    linear::backward::<P>(
        level,
        size,
        floats(x),
        || packed.turned(level, numbers(weight), [size.inputs, size.outputs]),
        *activation,
        z.as_ref().map(floats),
        floats(dy),
        wanted,
    )
}

/// The parents are input, weight and, where there is one, bias.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let state = ops.state;
        let mut parents = ops.parents.into_iter();
        let mut parent = || parents.next().flatten();
        let (to_x, to_weight, to_bias) = (parent(), parent(), parent());
        let wanted =
            Wanted { x: to_x.is_some(), weight: to_weight.is_some(), bias: to_bias.is_some() };
        let size = size(&state.x, &state.weight);
        let found = match state.precision {
            Precision::F32 => found::<F32>(&state, &dy, wanted),
            Precision::Bf16 => found::<Bf16>(&state, &dy, wanted),
        };
        if let (Some(node), Some(dx)) = (to_x, found.x) {
            gradients.register::<Flex>(node.id, float_tensor(dx, [size.rows, size.inputs]));
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
    packed: ReusedWeight,
) -> FloatTensor<Autodiff<Flex, C>> {
    let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
    let (x, weight) = (dense_floats(x), dense(weight));
    // one arm for each number of parents
    macro_rules! finish {
        ($nodes:expr, $bias:expr) => {
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let (y, z) = run(&x, &weight, $bias, activation, precision, &packed, true);
                    let state = State { x, weight, z, activation, precision, packed };
                    prepared.finish(state, y)
                }
                OpsKind::UnTracked(prepared) => {
                    let (y, _) = run(&x, &weight, $bias, activation, precision, &packed, false);
                    prepared.finish(y)
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
