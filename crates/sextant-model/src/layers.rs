//! The two kinds of layers that every block is made of. They hold the parameters; the arithmetic is in
//! `sextant-kernels`.

use crate::{BackboneConfig, ForwardContext, NormKind};
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};
use sextant_kernels::{self as kernels, Activation, Dropout, Precision};

/// `activation(x · weight + bias)`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: the transpose of PyTorch's layout.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer of zeros, to be initialised or loaded.
    pub fn zeros(inputs: usize, outputs: usize, bias: bool, device: &Device) -> Self {
        Self {
            weight: zeros([inputs, outputs], device),
            bias: bias.then(|| zeros([outputs], device)),
        }
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>, activation: Activation, ctx: &ForwardContext) -> Tensor<2> {
        dense_forward(x, &self.weight, self.bias(), activation, ctx)
    }

    /// The bias, if there is one.
    pub(crate) fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}

/// `activation(x · weight + bias)`, with the packed form of the weight if the pass has one.
pub(crate) fn dense_forward(
    x: Tensor<2>,
    weight: &Param<Tensor<2>>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    ctx: &ForwardContext,
) -> Tensor<2> {
    if let Some(packed) = ctx.packed(weight) {
        return kernels::linear_packed(x, &packed, bias, activation);
    }
    let reused = ctx.reused(weight.id);
    kernels::linear_reusing(x, weight.val(), bias, activation, ctx.precision(), &reused)
}

/// A normalisation over the last dimension, of the kind that the backbone uses.
#[derive(Module, Debug)]
pub struct Norm {
    /// Scale, `[width]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[width]`, where the kind has one.
    pub beta: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: NormKind,
    #[module(skip)]
    eps: f64,
}

impl Norm {
    /// A norm of zeros, to be initialised or loaded.
    pub fn zeros(config: &BackboneConfig, width: usize, device: &Device) -> Self {
        let kind = config.block.norm;
        Self {
            gamma: zeros([width], device),
            beta: (kind == NormKind::Layer).then(|| zeros([width], device)),
            kind,
            eps: config.norm_eps,
        }
    }

    /// `norm(x)` in `f32`, `[tokens, width]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.forward_sum(x, None, None)
    }

    /// [`Norm::forward`] with the result in the precision that the pass keeps between operations. It is for
    /// the inputs of linear layers, which would be rounded to that precision anyway, and for the queries and
    /// keys of heads, which are concatenated with values of that precision.
    pub(crate) fn forward_kept(&self, x: Tensor<2>, ctx: &ForwardContext) -> Tensor<2> {
        self.run(x, None, None, ctx.kept())
    }

    /// `norm(dropout(x) + residual)` in `f32`, `[tokens, width]`.
    pub fn forward_sum(
        &self,
        x: Tensor<2>,
        residual: Option<Tensor<2>>,
        dropout: Option<Dropout>,
    ) -> Tensor<2> {
        self.run(x, residual, dropout, Precision::F32)
    }

    fn run(
        &self,
        x: Tensor<2>,
        residual: Option<Tensor<2>>,
        dropout: Option<Dropout>,
        output: Precision,
    ) -> Tensor<2> {
        let gamma = self.gamma.val();
        match self.kind {
            NormKind::Layer | NormKind::LayerUnshifted => {
                let beta = match &self.beta {
                    Some(beta) => beta.val(),
                    None => Tensor::zeros(gamma.shape(), &gamma.device()),
                };
                kernels::add_layer_norm(x, residual, gamma, beta, self.eps, dropout, output)
            }
            NormKind::Rms => kernels::rms_norm(add(x, residual, dropout), gamma, self.eps, output),
            NormKind::RmsOnePlus => {
                kernels::rms_norm(add(x, residual, dropout), gamma + 1.0, self.eps, output)
            }
        }
    }
}

/// `dropout(x) + residual`.
pub(crate) fn add(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    match (residual, dropout) {
        (Some(residual), dropout) => kernels::sum(x, residual, dropout),
        (None, Some(dropout)) => kernels::dropout(x, dropout),
        (None, None) => x,
    }
}

/// A parameter of zeros, to be replaced. It holds a single zero in memory, expanded to the shape; otherwise
/// a model that is being loaded would take its memory twice.
pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let zero = Tensor::<D>::zeros([1; D], device);
    Param::initialized(ParamId::new(), zero.expand(shape))
}
