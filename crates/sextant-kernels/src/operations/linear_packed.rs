use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::linear::check_linear;
use super::run::run;
use crate::flex::buffer::{dense, dense_floats, float_tensor, floats, numbers};
use crate::kernels::floats::FloatVec;
use crate::kernels::gemm::F32;
use crate::kernels::{frozen, int8, linear};
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::packed_weight::Form;
use crate::{Activation, PackedWeight, Precision, composed, simd};

/// [`linear`](crate::linear) with a weight that was packed in advance, for scoring. It has no gradient.
///
/// `x` is `[tokens, in]`. If the weight has 8 bits, each row of `x` is rounded to 8 bits, too, in multiples
/// of its greatest absolute value divided by 127; sums of products are exact. A weight that is only stored in few
/// bits is decoded, and `x` is not rounded. The result is bf16 if the weight is bf16, and `f32` otherwise.
///
/// # Panics
/// When the shapes do not fit together, a tensor is on an autodiff device, or the weight was packed for
/// another device.
pub fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    check_linear("linear_packed", x.dims(), weight.dims(), bias.as_ref());
    let tracked =
        x.device().is_autodiff() || bias.as_ref().is_some_and(|bias| bias.device().is_autodiff());
    assert!(
        !tracked,
        "linear_packed: a tensor is tracked by autodiff, but packed weights are for scoring; pass inner tensors"
    );
    let layer = LinearPacked { weight: weight.clone(), activation };
    run(layer, ([x.into()], [bias.map(AnyTensor::from)]))
}

#[derive(Clone, Debug)]
struct LinearPacked {
    weight: PackedWeight,
    activation: Activation,
}

impl Operation<1, 1> for LinearPacked {
    const NAME: &'static str = "linear_packed";
    type Saved = ();

    fn composed(&self, ([x], [bias]): Inputs<AnyTensor, 1, 1>) -> AnyTensor {
        let bias = bias.map(Tensor::from);
        composed::linear_packed(x.into(), &self.weight, bias, self.activation).into()
    }

    fn forward(&self, ([x], [bias]): Inputs<FlexTensor, 1, 1>, _: bool) -> (FlexTensor, ()) {
        let (x, bias) = (dense_floats(x), bias.map(dense));
        let (rows, activation) = (x.shape()[0], self.activation);
        let (x, bias) = (floats(&x), bias.as_ref().map(numbers));
        let of = |format| linear::Forward { rows, x, bias, activation, format };
        let y = match self.weight.form() {
            Form::F32(weight) => linear::forward(of(Precision::F32), weight, false).0,
            Form::Bf16(weight) => linear::forward(of(Precision::Bf16), weight, false).0,
            Form::Int8(weight) => FloatVec::F32(int8::linear(rows, x, weight, bias, activation)),
            Form::Stored(weight) => {
                let base = frozen::Base { weight: weight.numbers(Self::NAME), dims: weight.dims() };
                let (level, side) = (simd::level(), frozen::Side::Weight);
                FloatVec::F32(frozen::product::<F32>(level, rows, x, base, side, bias, activation))
            }
            Form::Plain(..) => panic!(
                "linear_packed: the weight was packed for a device without kernels, the input is on a flex device"
            ),
        };
        (float_tensor(y, [rows, self.weight.dims()[1]]), ())
    }

    /// Returns no gradients, because [`linear_packed`] refuses tensors on autodiff devices.
    fn backward(&self, (): (), _: FlexTensor, _: Wanted<1, 1>) -> Gradients<1, 1> {
        ([None], [None])
    }
}
