use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::attention::{self, Scores};
use crate::{AttentionSpec, RelativePositions, Segments, simd};

/// How an attention is computed, besides its tensors.
#[derive(Clone, Debug)]
pub(crate) struct AttentionOptions {
    pub(crate) segments: Segments,
    pub(crate) spec: AttentionSpec,
    /// What scores are kept within.
    pub(crate) cap: Option<f32>,
    /// Of the table, where there is one.
    pub(crate) positions: Option<RelativePositions>,
}

/// Dense inputs.
#[derive(Clone, Debug)]
struct Inputs {
    qkv: FlexTensor,
    table: Option<FlexTensor>,
    options: AttentionOptions,
}

impl Inputs {
    fn new(qkv: FlexTensor, table: Option<FlexTensor>, options: AttentionOptions) -> Self {
        Self { qkv: dense_floats(qkv), table: table.map(dense_floats), options }
    }

    fn kernel(&self) -> attention::Input<'_> {
        let options = &self.options;
        let scores = match (&self.table, options.positions, options.cap) {
            (Some(table), Some(positions), _) => Scores::Relative(floats(table), positions),
            (_, _, Some(cap)) => Scores::Capped(cap),
            _ => Scores::Plain,
        };
        let (segments, spec) = (&options.segments, &options.spec);
        attention::Input { qkv: floats(&self.qkv), segments, spec, scores }
    }

    /// Output and logarithms of softmax sums.
    fn run(&self) -> (FlexTensor, Vec<f32>) {
        let (out, log_sums) = attention::forward(simd::level(), self.kernel());
        let shape = [self.options.segments.tokens(), self.options.spec.width()];
        (float_tensor(out, shape), log_sums)
    }
}

pub(super) fn forward(
    qkv: FlexTensor,
    table: Maybe<Flex>,
    options: AttentionOptions,
) -> FlexTensor {
    let table = match table {
        Maybe::Given(table) => Some(table),
        Maybe::Absent => None,
    };
    Inputs::new(qkv, table, options).run().0
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    inputs: Inputs,
    out: FlexTensor,
    log_sums: Arc<Vec<f32>>,
}

/// The parents are the fused projection and, where there is one, the table.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let State { inputs, out, log_sums } = ops.state;
        let saved =
            attention::Saved { input: inputs.kernel(), out: floats(&out), log_sums: &log_sums };
        let found = attention::backward(simd::level(), saved, floats(&dy));
        let mut parents = ops.parents.into_iter();
        if let Some(Some(qkv)) = parents.next() {
            gradients.register::<Flex>(qkv.id, float_tensor(found.qkv, inputs.qkv.shape()));
        }
        if let (Some(Some(node)), Some(found), Some(table)) =
            (parents.next(), found.table, &inputs.table)
        {
            gradients.register::<Flex>(node.id, float_tensor(found, table.shape()));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    qkv: FloatTensor<Autodiff<Flex, C>>,
    table: Maybe<Autodiff<Flex, C>>,
    options: AttentionOptions,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (qkv, node) = qkv.into_parts();
    let (table, table_node) = match table {
        Maybe::Given(table) => {
            let (table, node) = table.into_parts();
            (Some(table), Some(node))
        }
        Maybe::Absent => (None, None),
    };
    let inputs = Inputs::new(qkv, table, options);
    let (out, log_sums) = inputs.run();
    macro_rules! keep {
        ($nodes:expr) => {
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let log_sums = Arc::new(log_sums);
                    prepared.finish(State { inputs, out: out.clone(), log_sums }, out)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(out),
            }
        };
    }
    match table_node {
        Some(table) => keep!([node, table]),
        None => keep!([node]),
    }
}
