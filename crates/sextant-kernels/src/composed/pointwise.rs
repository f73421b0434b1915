use burn::tensor::{DType, Int, Tensor, TensorData, activation};

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
    let product = match precision {
        Precision::F32 => x.matmul(weight),
        Precision::Bf16 => round_to_bf16(x).matmul(round_to_bf16(weight)),
    };
    let z = match bias {
        Some(bias) => product + bias.unsqueeze::<2>(),
        None => product,
    };
    activate(z, activation)
}

/// See [`crate::frozen_linear`]; the weight is `[in, out]`, decoded.
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
    let plain = |x, weight| linear(x, weight, None, Activation::None, precision);
    let y = linear(x.clone(), weight, bias, Activation::None, precision);
    let Some(LoraFactors { a, b, scale, dropout }) = lora else { return y };
    let x = match dropout {
        Some(dropout) => self::dropout(x, dropout),
        None => x,
    };
    y + plain(plain(x, a), b) * scale
}

/// Applies an activation to every element.
pub fn activate(z: Tensor<2>, function: Activation) -> Tensor<2> {
    match function {
        Activation::None => z,
        Activation::Gelu => activation::gelu(z),
        Activation::GeluTanh => activation::gelu_approximate(z),
        Activation::Silu => activation::silu(z),
        Activation::Tanh => activation::tanh(z),
    }
}

/// See [`crate::add_layer_norm`].
pub fn add_layer_norm(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let x = match dropout {
        Some(dropout) => self::dropout(x, dropout),
        None => x,
    };
    let sum = match residual {
        Some(residual) => x + residual,
        None => x,
    };
    let centred = sum.clone() - sum.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    centred / (variance + eps).sqrt() * gamma.unsqueeze::<2>() + beta.unsqueeze::<2>()
}

/// See [`crate::rms_norm`].
pub fn rms_norm(x: Tensor<2>, gamma: Tensor<1>, eps: f64) -> Tensor<2> {
    let square = x.clone().square().mean_dim(1);
    x / (square + eps).sqrt() * gamma.unsqueeze::<2>()
}

/// See [`crate::gated`].
pub fn gated(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let width = x.dims()[1] / 2;
    let gate = activate(x.clone().narrow(1, 0, width), activation);
    gate * x.narrow(1, width, width)
}

/// See [`crate::dropout`()].
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    let [rows, columns] = x.dims();
    let factors = TensorData::new(dropout.factors(rows, columns), [rows, columns]);
    let factors = Tensor::<2>::from_data(factors, &x.device());
    x * factors
}

/// Rounds to the nearest bf16 number and returns to `f32`, so that sums of products stay exact.
fn round_to_bf16(x: Tensor<2>) -> Tensor<2> {
    x.cast(DType::BF16).cast(DType::F32)
}
