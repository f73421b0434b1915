use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::layers::check_linear;
use super::maybe;
use crate::flex::{self, FlexOperations, FrozenLayer, MaybeFactors};
use crate::frozen_weight::Form;
use crate::{FrozenWeight, LoraFactors, Precision, composed};

/// `x · weight + scale · (dropout(x) · a) · b + bias` with a frozen weight (Hu et al. 2021), or without
/// the second term where `lora` is `None`.
///
/// `x` is `[tokens, in]`, `weight` is of `[in, out]`, `bias` is `[out]`; the result is `[tokens, out]`.
/// The gradient reaches `x`, `a`, `b` and `bias`; that of the weight is never computed, nor is any other
/// tensor of its shape made: it is decoded a panel at a time. `precision` is that of the products
/// and of the result.
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
    let numbers = match weight.form() {
        Form::Stored(numbers) => numbers.clone(),
        Form::Plain(_, weight) => {
            return composed::frozen_linear(x, weight.as_ref().clone(), bias, lora, precision);
        }
    };
    let (factors, scale, dropout) = match lora {
        Some(LoraFactors { a, b, scale, dropout }) => {
            (MaybeFactors::Given(a.into_dispatch(), b.into_dispatch()), scale, dropout)
        }
        None => (MaybeFactors::Absent, 0.0, None),
    };
    let layer = FrozenLayer { weight: numbers, dims: [inputs, outputs], scale, dropout, precision };
    Tensor::from_dispatch(Dispatch::packed_frozen(x.into_dispatch(), maybe(bias), factors, layer))
}

/// Rows of a frozen table: `table` is of `[width, vocabulary]` (inputs and outputs), `ids` is `[tokens]`
/// with values below the vocabulary; the result is `[tokens, width]`, on the device of `ids`, and has no
/// gradient.
///
/// # Panics
/// When an id is outside the table.
pub fn frozen_embedding(table: &FrozenWeight, ids: Tensor<1, Int>) -> Tensor<2> {
    match table.form() {
        Form::Stored(numbers) => flex::frozen_rows(numbers, table.dims(), ids),
        Form::Plain(_, weight) => weight.as_ref().clone().transpose().select(0, ids),
    }
}
