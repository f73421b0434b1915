use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::gated;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{Activation, composed, simd};

/// A gated activation (Shazeer 2020). `x` is `[tokens, 2 * width]`; the result is the activation of the
/// first half of the columns times the second half, `[tokens, width]`, in the format of `x`.
///
/// # Panics
/// When the number of columns is odd.
pub fn gated(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let [_, columns] = x.dims();
    assert!(columns.is_multiple_of(2), "gated: {columns} columns have no two halves");
    run(Gated(activation), ([x.into()], []))
}

#[derive(Clone, Debug)]
struct Gated(Activation);

impl Operation<1> for Gated {
    const NAME: &'static str = "gated";
    type Saved = FlexTensor;

    fn composed(&self, ([x], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::gated(x.into(), self.0).into()
    }

    fn forward(&self, ([x], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, FlexTensor) {
        let x = dense_floats(x);
        let (rows, width) = (x.shape()[0], x.shape()[1] / 2);
        let y = gated::forward(simd::level(), floats(&x), width, self.0);
        (float_tensor(y, [rows, width]), x)
    }

    fn backward(&self, x: FlexTensor, dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        let dy = dense_floats(dy);
        let width = x.shape()[1] / 2;
        let dx = gated::backward(simd::level(), floats(&x), floats(&dy), width, self.0);
        ([Some(float_tensor(dx, x.shape()))], [])
    }
}
