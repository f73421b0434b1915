use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense, dense_floats, float_tensor, floats, numbers, tensor};
use crate::kernels::floats::FloatVec;
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::linear::{self, Size};
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::reused_weight::Reused;
use crate::{Activation, Precision, ReusedWeight, composed, simd};

/// `activation(x · weight + bias)`.
///
/// `x` is `[tokens, in]`, `weight` is `[in, out]` (the transpose of PyTorch's layout), `bias` is `[out]`;
/// the result is `[tokens, out]`. `precision` is that of the matrix products, forward and backward, and of
/// the result. Sums are `f32`, and so are the gradients of weight and bias.
///
/// # Panics
/// When the shapes do not fit together.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    precision: Precision,
) -> Tensor<2> {
    linear_reusing(x, weight, bias, activation, precision, &ReusedWeight::once())
}

/// [`linear`](crate::linear) that takes the packed weight, and the packed transpose in the backward pass,
/// from `packed`. They are packed only if `packed` does not hold them yet.
///
/// # Panics
/// When the shapes do not fit together.
pub fn linear_reusing(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    precision: Precision,
    packed: &ReusedWeight,
) -> Tensor<2> {
    check_linear("linear", x.dims(), weight.dims(), bias.as_ref());
    let layer = Linear { activation, precision, packed: packed.clone() };
    run(layer, ([x.into(), weight.into()], [bias.map(AnyTensor::from)]))
}

/// Checks that an input and a bias fit a weight of `[inputs, outputs]`.
pub(super) fn check_linear(
    operation: &str,
    [_, inputs]: [usize; 2],
    [rows, outputs]: [usize; 2],
    bias: Option<&Tensor<1>>,
) {
    assert!(
        inputs == rows,
        "{operation}: input of width {inputs} does not fit a weight of [{rows}, {outputs}]"
    );
    if let Some(bias) = bias {
        let [length] = bias.dims();
        assert!(
            length == outputs,
            "{operation}: bias of length {length} does not fit a weight of [{rows}, {outputs}]"
        );
    }
}

#[derive(Clone, Debug)]
struct Linear {
    activation: Activation,
    precision: Precision,
    packed: ReusedWeight,
}

#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    /// The input of the activation, if its derivative needs it.
    z: Option<FlexTensor>,
}

fn size(x: &FlexTensor, weight: &FlexTensor) -> Size {
    Size { rows: x.shape()[0], inputs: weight.shape()[0], outputs: weight.shape()[1] }
}

impl Linear {
    fn products<P: Reused>(
        &self,
        of: linear::Forward<'_>,
        weight: &[f32],
        dims: [usize; 2],
        keep: bool,
    ) -> (FloatVec, Option<FloatVec>) {
        linear::forward(of, &self.packed.weight::<P>(simd::level(), weight, dims), keep)
    }

    fn gradients<P: Reused>(
        &self,
        Saved { x, weight, z }: &Saved,
        dy: &FlexTensor,
        wanted: linear::Wanted,
    ) -> linear::Gradients {
        let (size, level) = (size(x, weight), simd::level());
        linear::backward::<P, _>(
            level,
            size,
            floats(x),
            || self.packed.turned(level, numbers(weight), [size.inputs, size.outputs]),
            self.activation,
            z.as_ref().map(floats),
            floats(dy),
            wanted,
        )
    }
}

impl Operation<2, 1> for Linear {
    const NAME: &'static str = "linear";
    type Saved = Saved;

    fn composed(&self, ([x, weight], [bias]): Inputs<AnyTensor, 2, 1>) -> AnyTensor {
        let bias = bias.map(Tensor::from);
        composed::linear(x.into(), weight.into(), bias, self.activation, self.precision).into()
    }

    fn forward(
        &self,
        ([x, weight], [bias]): Inputs<FlexTensor, 2, 1>,
        keep: bool,
    ) -> (FlexTensor, Saved) {
        let (x, weight, bias) = (dense_floats(x), dense(weight), bias.map(dense));
        let Size { rows, inputs, outputs } = size(&x, &weight);
        let kernel = match self.precision {
            Precision::F32 => Self::products::<F32>,
            Precision::Bf16 => Self::products::<Bf16>,
        };
        let of = linear::Forward {
            rows,
            x: floats(&x),
            bias: bias.as_ref().map(numbers),
            activation: self.activation,
            format: self.precision,
        };
        let (y, z) = kernel(self, of, numbers(&weight), [inputs, outputs], keep);
        let shape = [rows, outputs];
        let z = z.map(|z| float_tensor(z, shape));
        (float_tensor(y, shape), Saved { x, weight, z })
    }

    fn backward(
        &self,
        saved: Saved,
        dy: FlexTensor,
        ([x, weight], [bias]): Wanted<2, 1>,
    ) -> Gradients<2, 1> {
        let dy = dense_floats(dy);
        let size = size(&saved.x, &saved.weight);
        let wanted = linear::Wanted { x, weight, bias };
        let found = match self.precision {
            Precision::F32 => self.gradients::<F32>(&saved, &dy, wanted),
            Precision::Bf16 => self.gradients::<Bf16>(&saved, &dy, wanted),
        };
        let dx = found.x.map(|dx| float_tensor(dx, [size.rows, size.inputs]));
        let dw = found.weight.map(|dw| tensor(dw, [size.inputs, size.outputs]));
        ([dx, dw], [found.bias.map(|db| tensor(db, [size.outputs]))])
    }
}
