use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{
    dense, dense_floats, dense_ids, float_tensor, floats, format, ids, numbers, tensor,
};
use crate::frozen_weight::Form;
use crate::kernels::embedding;
use crate::kernels::floats::FloatVec;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{FrozenWeight, Precision, RowGradient, RowGradientSink, composed, simd};

/// Looks up rows of an embedding table.
///
/// `table` is `[vocabulary, width]`, `ids` is `[tokens]` with values below the vocabulary; the
/// result is `[tokens, width]`, in the format of the table.
///
/// # Panics
/// When an id is outside the table.
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    gather(table, ids, None)
}

/// [`embedding`](crate::embedding) whose table does not get a dense gradient: the gradient of its rows is
/// given to a sink.
///
/// A backward pass leaves the gradients of the rows in `sink`, for [`adamw_rows`](crate::adamw_rows), and
/// registers no gradient for the table. This saves filling and reading a dense gradient. On a device without
/// kernels the sink stays empty, and a dense gradient is registered.
///
/// # Panics
/// When an id is outside the table.
pub fn embedding_rows(table: Tensor<2>, ids: Tensor<1, Int>, sink: &RowGradientSink) -> Tensor<2> {
    gather(table, ids, Some(sink.clone()))
}

fn gather(table: Tensor<2>, ids: Tensor<1, Int>, sink: Option<RowGradientSink>) -> Tensor<2> {
    // Ids have no gradient. But, as everywhere in burn, the result is on an autodiff device if the table or
    // the ids are on one.
    let lifted = ids.device().is_autodiff() && !table.device().is_autodiff();
    let table = if lifted { Tensor::from_inner(table) } else { table };
    run(Embedding { ids, sink }, ([table.into()], []))
}

#[derive(Clone, Debug)]
struct Embedding {
    ids: Tensor<1, Int>,
    /// The sink that gets the gradient instead of the table, if there is one.
    sink: Option<RowGradientSink>,
}

/// What the backward pass needs to make the table's gradient from that of the result.
#[derive(Clone, Debug)]
struct Saved {
    ids: FlexTensor,
    table: [usize; 2],
    format: Precision,
}

impl Operation<1> for Embedding {
    const NAME: &'static str = "embedding";
    type Saved = Saved;

    fn composed(&self, ([table], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::embedding(table.into(), self.ids.clone()).into()
    }

    fn forward(&self, ([table], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, Saved) {
        let (table, tokens) = (dense_floats(table), flex_ids(self.ids.clone()));
        let [rows, width] = [table.shape()[0], table.shape()[1]];
        let found = embedding::gather(floats(&table), width, ids(&tokens));
        let out = float_tensor(found, [tokens.shape()[0], width]);
        (out, Saved { ids: tokens, table: [rows, width], format: format(&table) })
    }

    fn backward(&self, saved: Saved, dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        let dy = dense(dy);
        let ([rows, width], tokens) = (saved.table, ids(&saved.ids));
        if let Some(sink) = &self.sink {
            sink.leave(RowGradient::from_tokens(tokens, numbers(&dy), width));
            return ([None], []);
        }
        let gradient = embedding::scatter(numbers(&dy), width, tokens, rows);
        let gradient = FloatVec::F32(gradient).into_format(simd::level(), saved.format);
        ([Some(float_tensor(gradient, [rows, width]))], [])
    }
}

/// Looks up rows of a frozen table. `table` is `[width, vocabulary]` (inputs and outputs), `ids` is
/// `[tokens]` with values below the vocabulary; the result is `[tokens, width]`, on the device of `ids`, and
/// has no gradient.
///
/// # Panics
/// When an id is outside the table.
pub fn frozen_embedding(table: &FrozenWeight, ids: Tensor<1, Int>) -> Tensor<2> {
    // this is not an `Operation`, because it takes no tensor of floats
    match table.form() {
        Form::Stored(numbers) => {
            let tracked = ids.device().is_autodiff();
            let tokens = flex_ids(ids);
            let (dims, count) = (table.dims(), tokens.shape()[0]);
            let rows = embedding::gather_frozen(numbers, dims, self::ids(&tokens));
            let rows = Tensor::from_primitive::<Flex>(tensor(rows, [count, dims[0]]));
            if tracked { Tensor::from_inner(rows) } else { rows }
        }
        Form::Plain(_, weight) => weight.as_ref().clone().transpose().select(0, ids),
    }
}

/// The ids as a dense tensor of `i32`, without autodiff.
#[expect(clippy::expect_used, reason = "tables on flex devices have their ids there, too")]
fn flex_ids(ids: Tensor<1, Int>) -> FlexTensor {
    let ids = if ids.device().is_autodiff() { ids.inner() } else { ids };
    dense_ids(ids.try_into_primitive::<Flex>().expect("ids on a flex device"))
}
