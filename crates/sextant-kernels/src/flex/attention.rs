use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::attention;
use crate::{AttentionSpec, Segments, simd};

/// Output and logarithms of softmax sums, of a dense tensor.
fn run(qkv: &FlexTensor, segments: &Segments, spec: &AttentionSpec) -> (FlexTensor, Vec<f32>) {
    let (out, log_sums) = attention::forward(simd::level(), floats(qkv), segments, spec);
    (float_tensor(out, [segments.tokens(), spec.width()]), log_sums)
}

pub(super) fn forward(qkv: FlexTensor, segments: &Segments, spec: &AttentionSpec) -> FlexTensor {
    run(&dense_floats(qkv), segments, spec).0
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    qkv: FlexTensor,
    out: FlexTensor,
    log_sums: Arc<Vec<f32>>,
    segments: Segments,
    spec: AttentionSpec,
}

impl Backward<Flex, 1> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let state = ops.state;
        if let [Some(qkv)] = ops.parents {
            let saved = attention::Saved {
                qkv: floats(&state.qkv),
                out: floats(&state.out),
                log_sums: &state.log_sums,
            };
            let (segments, spec) = (&state.segments, &state.spec);
            let found = attention::backward(simd::level(), saved, segments, spec, floats(&dy));
            gradients.register::<Flex>(qkv.id, float_tensor(found, state.qkv.shape()));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    qkv: FloatTensor<Autodiff<Flex, C>>,
    segments: Segments,
    spec: AttentionSpec,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (qkv, node) = qkv.into_parts();
    let qkv = dense_floats(qkv);
    let (out, log_sums) = run(&qkv, &segments, &spec);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let state =
                State { qkv, out: out.clone(), log_sums: Arc::new(log_sums), segments, spec };
            prepared.finish(state, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}
