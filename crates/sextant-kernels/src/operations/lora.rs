use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::layers::check_linear;
use super::{has_kernels, maybe};
use crate::flex::{FlexOperations, LoraSettings};
use crate::{LoraFactors, Precision, ReusedWeight, composed};

/// `x · weight + scale · (dropout(x) · a) · b + bias` with a frozen weight.
///
/// `x` is `[tokens, in]`, `weight` is `[in, out]`, `bias` is `[out]`; the result is `[tokens, out]`.
/// The gradient reaches `x`, `a`, `b` and `bias`; that of the weight is never computed. `packed`
/// keeps the weight packed: give a frozen weight one for its whole life.
///
/// # Panics
/// When the shapes do not fit together or the dropout probability is not in `[0, 1)`.
pub fn lora_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    factors: LoraFactors,
    precision: Precision,
    packed: &ReusedWeight,
) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    check_linear("lora_linear", x.dims(), [inputs, outputs], bias.as_ref());
    let ([a_rows, rank], [b_rows, b_columns]) = (factors.a.dims(), factors.b.dims());
    assert!(
        a_rows == inputs && b_rows == rank && b_columns == outputs && rank > 0,
        "lora_linear: factors of [{a_rows}, {rank}] and [{b_rows}, {b_columns}] do not fit a weight of [{inputs}, {outputs}]"
    );
    if let Some(dropout) = factors.dropout {
        dropout.check("lora_linear");
    }
    if has_kernels(&x.device()) {
        let LoraFactors { a, b, scale, dropout } = factors;
        Tensor::from_dispatch(Dispatch::packed_lora(
            x.into_dispatch(),
            weight.into_dispatch(),
            maybe(bias),
            a.into_dispatch(),
            b.into_dispatch(),
            LoraSettings { scale, dropout, precision, packed: packed.clone() },
        ))
    } else {
        composed::lora_linear(x, weight, bias, factors, precision)
    }
}
