use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense_floats, float_tensor, floats, format};
use crate::kernels::dropout;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{Dropout, Precision, composed, simd};

/// Drops elements of `x` and scales the others. See [`Dropout`](crate::Dropout).
///
/// # Panics
/// When the probability is not in `[0, 1)`.
pub fn dropout(x: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    dropout.check("dropout");
    run(dropout, ([x.into()], []))
}

/// The residual sum: `dropout(x) + residual`.
///
/// `x` and `residual` are `[tokens, width]`, each in either format. The result has the format of the
/// residual.
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
    run(Sum { dropout }, ([x.into(), residual.into()], []))
}

impl Operation<1> for Dropout {
    const NAME: &'static str = "dropout";
    /// The format of the input.
    type Saved = Precision;

    fn composed(&self, ([x], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::dropout(x.into(), *self).into()
    }

    fn forward(&self, ([x], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, Precision) {
        let x = dense_floats(x);
        let shape = x.shape();
        let y = dropout::apply(simd::level(), floats(&x), shape[1], *self);
        (float_tensor(y, shape), format(&x))
    }

    fn backward(&self, input: Precision, dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        ([Some(gradient(&dense_floats(dy), Some(*self), input))], [])
    }
}

#[derive(Clone, Debug)]
struct Sum {
    dropout: Option<Dropout>,
}

impl Operation<2> for Sum {
    const NAME: &'static str = "sum";
    /// The format of the input.
    type Saved = Precision;

    fn composed(&self, ([x, residual], []): Inputs<AnyTensor, 2>) -> AnyTensor {
        composed::sum(x.into(), residual.into(), self.dropout).into()
    }

    fn forward(
        &self,
        ([x, residual], []): Inputs<FlexTensor, 2>,
        _: bool,
    ) -> (FlexTensor, Precision) {
        let (x, residual) = (dense_floats(x), dense_floats(residual));
        let (shape, input, output) = (x.shape(), format(&x), format(&residual));
        let (x, residual) = (floats(&x), floats(&residual));
        let y = dropout::sum(simd::level(), x, Some(residual), shape[1], self.dropout, output);
        (float_tensor(y, shape), input)
    }

    fn backward(&self, input: Precision, dy: FlexTensor, ([x, _], []): Wanted<2>) -> Gradients<2> {
        let dy = dense_floats(dy);
        let dx = x.then(|| gradient(&dy, self.dropout, input));
        ([dx, Some(dy)], [])
    }
}

/// The gradient of the tensor that dropout was applied to, in the format of the input. It is `dy` itself if
/// there is no dropout and `dy` has this format.
fn gradient(dy: &FlexTensor, dropout: Option<Dropout>, input: Precision) -> FlexTensor {
    if dropout.is_none() && format(dy) == input {
        return dy.clone();
    }
    let shape = dy.shape();
    let dx = dropout::sum(simd::level(), floats(dy), None, shape[1], dropout, input);
    float_tensor(dx, shape)
}
