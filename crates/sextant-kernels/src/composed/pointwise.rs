use burn::tensor::{DType, Int, Tensor, TensorData, activation};

use super::{full, stored, with_dtype};
use crate::device::has_kernels;
use crate::{Activation, Dropout, LoraFactors, Precision};

/// See [`crate::embedding`].
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    table.select(0, ids)
}

/// See [`crate::linear`].
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    precision: Precision,
) -> Tensor<2> {
    stored(activate(product(x, weight, bias, precision), activation), precision)
}

/// `x · weight + bias` in `f32`.
fn product(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    precision: Precision,
) -> Tensor<2> {
    let product = match precision {
        Precision::F32 => full(x).matmul(weight),
        Precision::Bf16 if has_kernels(&x.device()) => {
            // rounded to bf16 and converted back to `f32`, so that products and sums are not rounded to bf16
            full(x.cast(DType::BF16)).matmul(full(weight.cast(DType::BF16)))
        }
        // other devices multiply bf16 numbers fast, but round the product to bf16
        Precision::Bf16 => full(x.cast(DType::BF16).matmul(weight.cast(DType::BF16))),
    };
    match bias {
        Some(bias) => product + bias.unsqueeze::<2>(),
        None => product,
    }
}

/// See [`crate::frozen_linear`]. The weight is decoded, and `[in, out]`.
pub fn frozen_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    lora: Option<LoraFactors>,
    precision: Precision,
) -> Tensor<2> {
    let weight = if weight.device().is_autodiff() { weight.detach() } else { weight };
    let lifted = x.device().is_autodiff() && !weight.device().is_autodiff();
    let weight = if lifted { Tensor::from_inner(weight) } else { weight };
    let y = product(x.clone(), weight, bias, precision);
    let Some(LoraFactors { a, b, scale, dropout }) = lora else { return stored(y, precision) };
    let x = match dropout {
        Some(dropout) => self::dropout(x, dropout),
        None => x,
    };
    let low = product(x, a, None, precision);
    stored(y + product(low, b, None, precision) * scale, precision)
}

/// Applies an activation to every element, in `f32`; the result has the format of `z`.
pub fn activate(z: Tensor<2>, function: Activation) -> Tensor<2> {
    let dtype = z.dtype();
    let y = match function {
        Activation::None => return z,
        Activation::Gelu => activation::gelu(full(z)),
        Activation::GeluTanh => activation::gelu_approximate(full(z)),
        Activation::Silu => activation::silu(full(z)),
        Activation::Tanh => activation::tanh(full(z)),
    };
    with_dtype(y, dtype)
}

/// See [`crate::add_layer_norm`].
pub fn add_layer_norm(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    dropout: Option<Dropout>,
    output: Precision,
) -> Tensor<2> {
    let sum = match residual {
        Some(residual) => self::sum(x, full(residual), dropout),
        None => dropped(full(x), dropout),
    };
    let centred = sum.clone() - sum.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    let y = centred / (variance + eps).sqrt() * gamma.unsqueeze::<2>() + beta.unsqueeze::<2>();
    stored(y, output)
}

/// See [`crate::rms_norm`].
pub fn rms_norm(x: Tensor<2>, gamma: Tensor<1>, eps: f64, output: Precision) -> Tensor<2> {
    let x = full(x);
    let square = x.clone().square().mean_dim(1);
    stored(x / (square + eps).sqrt() * gamma.unsqueeze::<2>(), output)
}

/// See [`crate::gated`].
pub fn gated(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let (width, dtype) = (x.dims()[1] / 2, x.dtype());
    let x = full(x);
    let gate = activate(x.clone().narrow(1, 0, width), activation);
    with_dtype(gate * x.narrow(1, width, width), dtype)
}

/// See [`crate::dropout`()].
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    let dtype = x.dtype();
    with_dtype(dropped(full(x), Some(dropout)), dtype)
}

/// See [`crate::sum`].
pub fn sum(x: Tensor<2>, residual: Tensor<2>, dropout: Option<Dropout>) -> Tensor<2> {
    let dtype = residual.dtype();
    with_dtype(dropped(full(x), dropout) + full(residual), dtype)
}

fn dropped(x: Tensor<2>, dropout: Option<Dropout>) -> Tensor<2> {
    let Some(dropout) = dropout else { return x };
    let [rows, columns] = x.dims();
    let factors = TensorData::new(dropout.factors(rows, columns), [rows, columns]);
    let factors = Tensor::<2>::from_data(factors, &x.device());
    x * factors
}
