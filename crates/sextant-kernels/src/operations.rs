use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::{Device, Int, Tensor};

use crate::flex::{self, FlexOperations, Maybe, Turn};
use crate::{
    Activation, AdamWStep, AttentionSpec, Dropout, PackedWeight, Precision, Rotary, Segments,
    composed,
};

/// Whether the handwritten kernels serve this device.
pub(crate) fn has_kernels(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// An optional tensor for the backend extension.
fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<Dispatch> {
    tensor.map_or(Maybe::Absent, |tensor| Maybe::Given(tensor.into_dispatch()))
}

/// Rows of a table.
///
/// `table` is `[vocabulary, width]`, `ids` is `[tokens]` with values below the vocabulary; the
/// result is `[tokens, width]`.
///
/// # Panics
/// When an id is outside the table.
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    if has_kernels(&table.device()) {
        let (table, ids) = (table.into_dispatch(), ids.into_dispatch());
        Tensor::from_dispatch(Dispatch::packed_embedding(table, ids))
    } else {
        composed::embedding(table, ids)
    }
}

/// `activation(x · weight + bias)`.
///
/// `x` is `[tokens, in]`, `weight` is `[in, out]` (the transpose of PyTorch's layout), `bias` is
/// `[out]`; the result is `[tokens, out]`. `precision` is that of the products, forward and
/// backward; sums are `f32`.
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
    let ([_, inputs], [rows, outputs]) = (x.dims(), weight.dims());
    assert!(
        inputs == rows,
        "linear: input of width {inputs} does not fit a weight of [{rows}, {outputs}]"
    );
    if let Some(bias) = &bias {
        let [length] = bias.dims();
        assert!(
            length == outputs,
            "linear: bias of length {length} does not fit a weight of [{rows}, {outputs}]"
        );
    }
    if has_kernels(&x.device()) {
        let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), maybe(bias));
        let y = Dispatch::packed_linear(x, weight, bias, activation, precision);
        Tensor::from_dispatch(y)
    } else {
        composed::linear(x, weight, bias, activation, precision)
    }
}

/// [`linear`] with a weight that was packed once, for scoring: it has no gradient.
///
/// `x` is `[tokens, in]`. With a weight of 8 bits each row of `x` is rounded to 8 bits too, in
/// multiples of its greatest absolute value divided by 127; sums of products are exact.
///
/// # Panics
/// When the shapes do not fit together, or a tensor is on an autodiff device.
pub fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let ([_, inputs], [rows, outputs]) = (x.dims(), weight.dims());
    assert!(
        inputs == rows,
        "linear_packed: input of width {inputs} does not fit a weight of [{rows}, {outputs}]"
    );
    if let Some(bias) = &bias {
        let [length] = bias.dims();
        assert!(
            length == outputs,
            "linear_packed: bias of length {length} does not fit a weight of [{rows}, {outputs}]"
        );
    }
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
/// biased one, as in PyTorch.
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
            eps,
            dropout,
        ))
    } else {
        composed::add_layer_norm(x, residual, gamma, beta, eps, dropout)
    }
}

/// Scaled dot-product attention within each row of a pack (variable-length attention).
///
/// `qkv` is `[tokens, (heads + 2 * kv_heads) * head_dim]`: all query heads, then all key heads,
/// then all value heads, as one fused projection writes them. The result is
/// `[tokens, heads * head_dim]`. With dropout, the probability of query token `t` (its place in
/// the pack) and head `h` for the key at position `j` of the row is element `(t * heads + h, j)`
/// of the mask.
///
/// # Panics
/// When the shape of `qkv` is not that of the segments and the spec, `kv_heads` does not divide
/// `heads`, or the dropout probability is not in `[0, 1)`.
pub fn attention(qkv: Tensor<2>, segments: &Segments, spec: &AttentionSpec) -> Tensor<2> {
    assert!(
        spec.kv_heads > 0 && spec.head_dim > 0 && spec.heads.is_multiple_of(spec.kv_heads),
        "attention: {} key heads do not divide {} query heads of dimension {}",
        spec.kv_heads,
        spec.heads,
        spec.head_dim
    );
    assert!(
        qkv.dims() == [segments.tokens(), spec.qkv_width()],
        "attention: input of {:?} where segments and heads ask for [{}, {}]",
        qkv.dims(),
        segments.tokens(),
        spec.qkv_width()
    );
    if let Some(dropout) = spec.dropout {
        dropout.check("attention");
    }
    if has_kernels(&qkv.device()) {
        let (qkv, segments) = (qkv.into_dispatch(), segments.clone());
        Tensor::from_dispatch(Dispatch::packed_attention(qkv, segments, *spec))
    } else {
        composed::attention(qkv, segments, spec)
    }
}

/// Drops elements of `x` and scales the others; see [`Dropout`].
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

/// RMSNorm (Zhang and Sennrich 2019): `x / sqrt(mean(x²) + eps) · gamma` over the last dimension.
///
/// `x` is `[tokens, width]`, `gamma` is `[width]`.
///
/// # Panics
/// When the shapes do not fit together.
pub fn rms_norm(x: Tensor<2>, gamma: Tensor<1>, eps: f64) -> Tensor<2> {
    assert!(
        gamma.dims()[0] == x.dims()[1],
        "rms_norm: gamma of {:?} does not fit an input of {:?}",
        gamma.dims(),
        x.dims()
    );
    if has_kernels(&x.device()) {
        let (x, gamma) = (x.into_dispatch(), gamma.into_dispatch());
        Tensor::from_dispatch(Dispatch::packed_rms_norm(x, gamma, eps))
    } else {
        composed::rms_norm(x, gamma, eps)
    }
}

/// Turns the queries and keys of a fused projection by their positions in their rows.
///
/// `qkv` and the result are laid out as [`attention`] takes it; values stay as they are.
///
/// # Panics
/// When the shape of `qkv` is not that of the segments and the spec, or the frequencies turn more
/// numbers than a head has.
pub fn rotary(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
) -> Tensor<2> {
    assert!(
        qkv.dims() == [segments.tokens(), spec.qkv_width()],
        "rotary: input of {:?} where segments and heads ask for [{}, {}]",
        qkv.dims(),
        segments.tokens(),
        spec.qkv_width()
    );
    rotary.check(spec);
    if has_kernels(&qkv.device()) {
        let turn = Turn { segments: segments.clone(), spec: *spec, rotary: rotary.clone() };
        Tensor::from_dispatch(Dispatch::packed_rotary(qkv.into_dispatch(), turn))
    } else {
        composed::rotary(qkv, segments, spec, rotary)
    }
}

/// A gated activation (Shazeer 2020): from `[tokens, 2 * width]`, the activation of the first
/// half of the columns times the second half; `[tokens, width]`.
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

/// One AdamW step on a parameter and its two moments, all of one shape: returns them updated, in
/// place where nothing else holds their buffers.
///
/// Takes inner tensors (without autodiff).
///
/// # Panics
/// When the shapes differ or a tensor is on an autodiff device.
pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    step: &AdamWStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let shape = param.dims();
    assert!(
        [grad.dims(), m.dims(), v.dims()] == [shape; 3],
        "adamw: parameter {shape:?}, gradient {:?}, moments {:?} and {:?} differ in shape",
        grad.dims(),
        m.dims(),
        v.dims()
    );
    assert!(step.step > 0, "adamw: steps are counted from 1");
    assert!(
        !param.device().is_autodiff(),
        "adamw: the parameter is tracked by autodiff; pass its inner tensor"
    );
    if has_kernels(&param.device()) {
        flex::adamw(param, grad, m, v, step)
    } else {
        composed::adamw(param, grad, m, v, step)
    }
}

/// The sum of the squares of all elements, in `f64`, for clipping by global norm.
///
/// The result does not depend on the number of threads.
pub fn sum_of_squares<const D: usize>(tensor: &Tensor<D>) -> f64 {
    if has_kernels(&tensor.device()) {
        flex::sum_of_squares(tensor)
    } else {
        composed::sum_of_squares(tensor)
    }
}
