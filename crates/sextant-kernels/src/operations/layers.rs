use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};

use super::{has_kernels, maybe};
use crate::flex::{self, FlexOperations, NormOptions};
use crate::{Activation, Dropout, PackedWeight, Precision, ReusedWeight, composed};

/// `activation(x · weight + bias)`.
///
/// `x` is `[tokens, in]`, `weight` is `[in, out]` (the transpose of PyTorch's layout), `bias` is
/// `[out]`; the result is `[tokens, out]`. `precision` is that of the products, forward and
/// backward, and of the result; sums are `f32`, and so are the gradients of weight and bias.
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
    linear_reusing(x, weight, bias, activation, precision, &ReusedWeight::new())
}

/// [`linear`](crate::linear) that packs its weight, and the transpose in the backward pass, only
/// where `packed` does not hold them yet.
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
    if has_kernels(&x.device()) {
        let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), maybe(bias));
        let y = Dispatch::packed_linear(x, weight, bias, activation, precision, packed.clone());
        Tensor::from_dispatch(y)
    } else {
        composed::linear(x, weight, bias, activation, precision)
    }
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

/// [`linear`](crate::linear) with a weight that was packed once, for scoring: it has no gradient.
///
/// `x` is `[tokens, in]`. With a weight of 8 bits each row of `x` is rounded to 8 bits too, in
/// multiples of its greatest absolute value divided by 127; sums of products are exact. The result is
/// bf16 where the weight is, else `f32`.
///
/// # Panics
/// When the shapes do not fit together, or a tensor is on an autodiff device.
pub fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    check_linear("linear_packed", x.dims(), weight.dims(), bias.as_ref());
    let tracked = |tensor: &Device| tensor.is_autodiff();
    assert!(
        !tracked(&x.device()) && !bias.as_ref().is_some_and(|bias| tracked(&bias.device())),
        "linear_packed: a tensor is tracked by autodiff, but packed weights are for scoring; pass inner tensors"
    );
    if has_kernels(&x.device()) {
        flex::linear_packed(x, weight, bias, activation)
    } else {
        composed::linear_packed(x, weight, bias, activation)
    }
}

/// `LayerNorm(dropout(x) + residual) · gamma + beta` over the last dimension.
///
/// `x` and `residual` are `[tokens, width]`, `gamma` and `beta` are `[width]`. The variance is the
/// biased one, as in PyTorch. `output` is the format of the result; `x` and `residual` may be in either,
/// and so are their gradients.
///
/// # Panics
/// When the shapes do not fit together or the dropout probability is not in `[0, 1)`.
pub fn add_layer_norm(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    dropout: Option<Dropout>,
    output: Precision,
) -> Tensor<2> {
    let [tokens, width] = x.dims();
    if let Some(residual) = &residual {
        assert!(
            residual.dims() == [tokens, width],
            "add_layer_norm: residual of {:?} does not fit an input of [{tokens}, {width}]",
            residual.dims()
        );
    }
    assert!(
        gamma.dims() == [width] && beta.dims() == [width],
        "add_layer_norm: gamma of {:?} and beta of {:?} do not fit an input of [{tokens}, {width}]",
        gamma.dims(),
        beta.dims()
    );
    if let Some(dropout) = dropout {
        dropout.check("add_layer_norm");
    }
    if has_kernels(&x.device()) {
        Tensor::from_dispatch(Dispatch::packed_layer_norm(
            x.into_dispatch(),
            maybe(residual),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            NormOptions { eps, dropout, output },
        ))
    } else {
        composed::add_layer_norm(x, residual, gamma, beta, eps, dropout, output)
    }
}

/// RMSNorm (Zhang and Sennrich 2019): `x / sqrt(mean(x²) + eps) · gamma` over the last dimension.
///
/// `x` is `[tokens, width]`, in either format, `gamma` is `[width]`; `output` is the format of the result.
///
/// # Panics
/// When the shapes do not fit together.
pub fn rms_norm(x: Tensor<2>, gamma: Tensor<1>, eps: f64, output: Precision) -> Tensor<2> {
    assert!(
        gamma.dims()[0] == x.dims()[1],
        "rms_norm: gamma of {:?} does not fit an input of {:?}",
        gamma.dims(),
        x.dims()
    );
    if has_kernels(&x.device()) {
        let (x, gamma) = (x.into_dispatch(), gamma.into_dispatch());
        let options = NormOptions { eps, dropout: None, output };
        Tensor::from_dispatch(Dispatch::packed_rms_norm(x, gamma, options))
    } else {
        composed::rms_norm(x, gamma, eps, output)
    }
}

/// A gated activation (Shazeer 2020): from `[tokens, 2 * width]`, the activation of the first
/// half of the columns times the second half; `[tokens, width]`, in the format of `x`.
///
/// # Panics
/// When the number of columns is odd.
pub fn gated(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let [_, columns] = x.dims();
    assert!(columns.is_multiple_of(2), "gated: {columns} columns have no two halves");
    if has_kernels(&x.device()) {
        Tensor::from_dispatch(Dispatch::packed_gated(x.into_dispatch(), activation))
    } else {
        composed::gated(x, activation)
    }
}

/// Drops elements of `x` and scales the others; see [`Dropout`](crate::Dropout).
///
/// # Panics
/// When the probability is not in `[0, 1)`.
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    dropout.check("dropout");
    if has_kernels(&x.device()) {
        Tensor::from_dispatch(Dispatch::packed_dropout(x.into_dispatch(), dropout))
    } else {
        composed::dropout(x, dropout)
    }
}

/// The residual sum: `dropout(x) + residual`.
///
/// Both are `[tokens, width]`, each in either format; the result has that of the residual.
///
/// # Panics
/// When the shapes do not fit together or the dropout probability is not in `[0, 1)`.
pub fn sum(x: Tensor<2>, residual: Tensor<2>, dropout: Option<Dropout>) -> Tensor<2> {
    assert!(
        x.dims() == residual.dims(),
        "sum: residual of {:?} does not fit an input of {:?}",
        residual.dims(),
        x.dims()
    );
    if let Some(dropout) = dropout {
        dropout.check("sum");
    }
    if has_kernels(&x.device()) {
        let (x, residual) = (x.into_dispatch(), residual.into_dispatch());
        Tensor::from_dispatch(Dispatch::packed_sum(x, residual, dropout))
    } else {
        composed::sum(x, residual, dropout)
    }
}
