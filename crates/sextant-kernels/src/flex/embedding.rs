use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense, dense_floats, dense_ids, float_tensor, floats, format, ids, numbers};
use crate::kernels::embedding;
use crate::kernels::floats::FloatVec;
use crate::{Precision, RowGradient, RowGradientSink, simd};

pub(super) fn forward(table: &FlexTensor, tokens: &FlexTensor) -> FlexTensor {
    let (table, tokens) = (dense_floats(table.clone()), dense_ids(tokens.clone()));
    let (width, count) = (table.shape()[1], tokens.shape()[0]);
    let rows = embedding::gather(floats(&table), width, ids(&tokens));
    float_tensor(rows, [count, width])
}

#[derive(Debug)]
struct Step;

impl Backward<Flex, 1> for Step {
    /// The ids, the shape and format of the table, and where its gradient goes if not to the table.
    type State = (FlexTensor, ([usize; 2], Precision), Option<RowGradientSink>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(gradients.consume::<Flex>(&ops.node));
        let (tokens, ([rows, width], format), sink) = ops.state;
        let [Some(table)] = ops.parents else { return };
        if let Some(sink) = sink {
            sink.leave(RowGradient::from_tokens(ids(&tokens), numbers(&dy), width));
        } else {
            let gradient = embedding::scatter(numbers(&dy), width, ids(&tokens), rows);
            let gradient = FloatVec::F32(gradient).into_format(simd::level(), format);
            gradients.register::<Flex>(table.id, float_tensor(gradient, [rows, width]));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    table: FloatTensor<Autodiff<Flex, C>>,
    tokens: FlexTensor,
    sink: Option<RowGradientSink>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (table, node) = table.into_parts();
    let tokens = dense_ids(tokens);
    let out = forward(&table, &tokens);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let shape = [table.shape()[0], table.shape()[1]];
            prepared.finish((tokens, (shape, format(&out)), sink), out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}
