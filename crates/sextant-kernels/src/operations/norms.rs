use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense, dense_floats, float_tensor, floats, format, numbers, tensor};
use crate::kernels::floats::FloatVec;
use crate::kernels::layer_norm;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{Dropout, Precision, composed, simd};

/// `LayerNorm(dropout(x) + residual) · gamma + beta` over the last dimension.
///
/// `x` and `residual` are `[tokens, width]`, `gamma` and `beta` are `[width]`. The variance is the biased
/// one, as in PyTorch. `output` is the format of the result. `x` and `residual` may each be in either
/// format, which their gradients have, too.
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
    let inputs = ([gamma.into(), beta.into(), x.into()], [residual.map(AnyTensor::from)]);
    run(AddLayerNorm(Norm { eps, dropout, output }), inputs)
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
    let norm = Norm { eps, dropout: None, output };
    run(RmsNorm(norm), ([gamma.into(), x.into()], []))
}

/// The settings of a norm: everything except its tensors.
#[derive(Clone, Copy, Debug)]
struct Norm {
    eps: f64,
    dropout: Option<Dropout>,
    /// The format of the result.
    output: Precision,
}

#[derive(Clone, Debug)]
struct Saved {
    /// The normalised rows; `scale` holds the factor that normalised each of them.
    normalised: FloatVec,
    scale: Vec<f32>,
    gamma: FlexTensor,
    /// The formats of the input and of the residual.
    x: Precision,
    residual: Option<Precision>,
}

impl Norm {
    fn forward(
        self,
        x: FlexTensor,
        residual: Option<FlexTensor>,
        gamma: FlexTensor,
        beta: Option<FlexTensor>,
    ) -> (FlexTensor, Saved) {
        let (x, residual) = (dense_floats(x), residual.map(dense_floats));
        let (gamma, beta) = (dense(gamma), beta.map(dense));
        let input = layer_norm::Input {
            x: floats(&x),
            residual: residual.as_ref().map(floats),
            gamma: numbers(&gamma),
            beta: beta.as_ref().map(numbers),
            eps: self.eps as f32,
            dropout: self.dropout,
            format: self.output,
        };
        let out = layer_norm::forward(simd::level(), input);
        let (normalised, scale) = (out.normalised, out.scale);
        let (x_format, residual) = (format(&x), residual.as_ref().map(format));
        let saved = Saved { normalised, scale, gamma, x: x_format, residual };
        (float_tensor(out.y, x.shape()), saved)
    }

    /// The gradients of a norm that is `centred` (layer norm) or not (RMSNorm); `dy` is dense.
    fn backward(self, saved: &Saved, dy: &FlexTensor, centred: bool) -> layer_norm::Gradients {
        let saved = layer_norm::Saved {
            normalised: saved.normalised.floats(),
            scale: &saved.scale,
            gamma: numbers(&saved.gamma),
            centred,
            dropout: self.dropout,
            x: saved.x,
            residual: saved.residual,
        };
        layer_norm::backward(simd::level(), floats(dy), saved)
    }
}

#[derive(Clone, Debug)]
struct AddLayerNorm(Norm);

impl Operation<3, 1> for AddLayerNorm {
    const NAME: &'static str = "add_layer_norm";
    type Saved = Saved;

    fn composed(&self, ([gamma, beta, x], [residual]): Inputs<AnyTensor, 3, 1>) -> AnyTensor {
        let Norm { eps, dropout, output } = self.0;
        let (x, residual) = (x.into(), residual.map(Tensor::from));
        let (gamma, beta) = (gamma.into(), beta.into());
        composed::add_layer_norm(x, residual, gamma, beta, eps, dropout, output).into()
    }

    fn forward(
        &self,
        ([gamma, beta, x], [residual]): Inputs<FlexTensor, 3, 1>,
        _: bool,
    ) -> (FlexTensor, Saved) {
        self.0.forward(x, residual, gamma, Some(beta))
    }

    fn backward(&self, saved: Saved, dy: FlexTensor, _: Wanted<3, 1>) -> Gradients<3, 1> {
        let dy = dense_floats(dy);
        let found = self.0.backward(&saved, &dy, true);
        let width = found.gamma.len();
        let sum = float_tensor(found.sum, dy.shape());
        let dx = found.x.map_or_else(|| sum.clone(), |dx| float_tensor(dx, dy.shape()));
        let (gamma, beta) = (tensor(found.gamma, [width]), tensor(found.beta, [width]));
        ([Some(gamma), Some(beta), Some(dx)], [Some(sum)])
    }
}

#[derive(Clone, Debug)]
struct RmsNorm(Norm);

impl Operation<2> for RmsNorm {
    const NAME: &'static str = "rms_norm";
    type Saved = Saved;

    fn composed(&self, ([gamma, x], []): Inputs<AnyTensor, 2>) -> AnyTensor {
        composed::rms_norm(x.into(), gamma.into(), self.0.eps, self.0.output).into()
    }

    fn forward(&self, ([gamma, x], []): Inputs<FlexTensor, 2>, _: bool) -> (FlexTensor, Saved) {
        self.0.forward(x, None, gamma, None)
    }

    fn backward(&self, saved: Saved, dy: FlexTensor, _: Wanted<2>) -> Gradients<2> {
        let dy = dense_floats(dy);
        let found = self.0.backward(&saved, &dy, false);
        let width = found.gamma.len();
        let dx = float_tensor(found.x.unwrap_or(found.sum), dy.shape());
        ([Some(tensor(found.gamma, [width])), Some(dx)], [])
    }
}
