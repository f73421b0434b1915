use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::linear::check_linear;
use super::run::run;
use crate::flex::buffer::{dense, dense_floats, float_tensor, floats, numbers, tensor};
use crate::kernels::frozen::Base;
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::{linear, lora};
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{Dropout, FrozenWeight, LoraFactors, Precision, composed, simd};

/// `x · weight + scale · (dropout(x) · a) · b + bias` with a frozen weight (Hu et al. 2021), or without
/// the second term where `lora` is `None`.
///
/// `x` is `[tokens, in]`, `weight` is `[in, out]`, `bias` is `[out]`; the result is `[tokens, out]`.
/// Gradients reach `x`, `a`, `b` and `bias`. The gradient of the weight is never computed, and no tensor of
/// the weight's shape is ever made: the weight is decoded a panel at a time. `precision` is that of the
/// matrix products and of the result.
///
/// # Panics
/// When the shapes do not fit together, or the weight is on another device.
pub fn frozen_linear(
    x: Tensor<2>,
    weight: &FrozenWeight,
    bias: Option<Tensor<1>>,
    lora: Option<LoraFactors>,
    precision: Precision,
) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    check_linear("frozen_linear", x.dims(), [inputs, outputs], bias.as_ref());
    if let Some(lora) = &lora {
        let ([a_rows, rank], [b_rows, b_columns]) = (lora.a.dims(), lora.b.dims());
        assert!(
            a_rows == inputs && b_rows == rank && b_columns == outputs && rank > 0,
            "frozen_linear: factors of [{a_rows}, {rank}] and [{b_rows}, {b_columns}] do not fit a weight of [{inputs}, {outputs}]"
        );
        if let Some(dropout) = lora.dropout {
            dropout.check("frozen_linear");
        }
    }
    let (a, b, scale, dropout) = match lora {
        Some(LoraFactors { a, b, scale, dropout }) => (Some(a), Some(b), scale, dropout),
        None => (None, None, 0.0, None),
    };
    let layer = FrozenLinear { weight: weight.clone(), scale, dropout, precision };
    let (a, b) = (a.map(AnyTensor::from), b.map(AnyTensor::from));
    run(layer, ([x.into()], [a, b, bias.map(AnyTensor::from)]))
}

/// The optional tensors are the two factors of the low-rank change, which are both given or both absent, and
/// the bias.
#[derive(Clone, Debug)]
struct FrozenLinear {
    weight: FrozenWeight,
    /// The scale of the low-rank change, if there is one.
    scale: f32,
    dropout: Option<Dropout>,
    precision: Precision,
}

#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    factors: Option<[FlexTensor; 2]>,
    /// The product `dropout(x) · a`, if there are factors.
    low: Option<FlexTensor>,
}

impl FrozenLinear {
    fn base(&self) -> Base<'_> {
        Base { weight: self.weight.numbers(Self::NAME), dims: self.weight.dims() }
    }

    fn factors<'a>(&self, factors: Option<&'a [FlexTensor; 2]>) -> Option<lora::Factors<'a>> {
        let [a, b] = factors?;
        Some(lora::Factors {
            a: numbers(a),
            b: numbers(b),
            rank: a.shape()[1],
            scale: self.scale,
            dropout: self.dropout,
        })
    }
}

impl Operation<1, 3> for FrozenLinear {
    const NAME: &'static str = "frozen_linear";
    type Saved = Saved;

    fn composed(&self, ([x], [a, b, bias]): Inputs<AnyTensor, 1, 3>) -> AnyTensor {
        let lora = a.zip(b).map(|(a, b)| LoraFactors {
            a: a.into(),
            b: b.into(),
            scale: self.scale,
            dropout: self.dropout,
        });
        let (x, bias): (Tensor<2>, _) = (x.into(), bias.map(Tensor::from));
        let weight = self.weight.decoded(&x.device());
        composed::frozen_linear(x, weight, bias, lora, self.precision).into()
    }

    fn forward(
        &self,
        ([x], [a, b, bias]): Inputs<FlexTensor, 1, 3>,
        _: bool,
    ) -> (FlexTensor, Saved) {
        let (x, bias) = (dense_floats(x), bias.map(dense));
        let factors = a.zip(b).map(|(a, b)| [dense(a), dense(b)]);
        let (level, rows, outputs) = (simd::level(), x.shape()[0], self.weight.dims()[1]);
        let kernel = match self.precision {
            Precision::F32 => lora::forward::<F32>,
            Precision::Bf16 => lora::forward::<Bf16>,
        };
        let (base, change, bias) =
            (self.base(), self.factors(factors.as_ref()), bias.as_ref().map(numbers));
        let rank = change.map_or(0, |change| change.rank);
        let (y, low) = kernel(level, rows, floats(&x), base, bias, change, self.precision);
        let low = low.map(|low| tensor(low, [rows, rank]));
        (float_tensor(y, [rows, outputs]), Saved { x, factors, low })
    }

    fn backward(
        &self,
        Saved { x, factors, low }: Saved,
        dy: FlexTensor,
        ([to_x], [_, _, to_bias]): Wanted<1, 3>,
    ) -> Gradients<1, 3> {
        let dy = dense_floats(dy);
        let kernel = match self.precision {
            Precision::F32 => lora::backward::<F32>,
            Precision::Bf16 => lora::backward::<Bf16>,
        };
        let level = simd::level();
        let change = self.factors(factors.as_ref()).zip(low.as_ref().map(numbers));
        let found = kernel(level, floats(&x), self.base(), change, to_x, floats(&dy));
        let dx = found.x.map(|dx| float_tensor(dx, x.shape()));
        let [da, db] = match found.factors.zip(factors) {
            Some(([da, db], [a, b])) => [Some(tensor(da, a.shape())), Some(tensor(db, b.shape()))],
            None => [None, None],
        };
        let sums = to_bias.then(|| {
            let outputs = self.weight.dims()[1];
            tensor(linear::column_sums(level, outputs, floats(&dy)), [outputs])
        });
        ([dx], [da, db, sums])
    }
}
