use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::rotary;
use crate::{AttentionSpec, Rotary, Segments, simd};

/// What an operation turns by.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) segments: Segments,
    pub(crate) spec: AttentionSpec,
    pub(crate) rotary: Rotary,
}

pub(super) fn apply(qkv: FlexTensor, turn: &Turn, back: bool) -> FlexTensor {
    let qkv = dense_floats(qkv);
    let (level, numbers) = (simd::level(), floats(&qkv));
    let turned = rotary::turn(level, numbers, &turn.segments, &turn.spec, &turn.rotary, back);
    float_tensor(turned, qkv.shape())
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    type State = Turn;

    fn backward(self, ops: Ops<Turn, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        if let [Some(qkv)] = ops.parents {
            gradients.register::<Flex>(qkv.id, apply(dy, &ops.state, true));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    qkv: FloatTensor<Autodiff<Flex, C>>,
    turn: Turn,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (qkv, node) = qkv.into_parts();
    let out = apply(qkv, &turn, false);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(turn, out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}
