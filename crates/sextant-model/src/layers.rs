//! The two layers that every block is made of, as holders of parameters; the computing is in
//! `sextant-kernels`.

use crate::ForwardContext;
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};
use sextant_kernels::{self as kernels, Activation};

/// `activation(x · weight + bias)`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`: the transpose of PyTorch's layout.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`.
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    /// A layer of zeros, to be initialised or loaded.
    pub fn zeros(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self { weight: zeros([inputs, outputs], device), bias: zeros([outputs], device) }
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>, activation: Activation, ctx: &ForwardContext) -> Tensor<2> {
        let bias = Some(self.bias.val());
        if let Some(packed) = ctx.packed(&self.weight) {
            return kernels::linear_packed(x, &packed, bias, activation);
        }
        let reused = ctx.reused(self.weight.id);
        kernels::linear_reusing(x, self.weight.val(), bias, activation, ctx.precision(), &reused)
    }
}

/// Layer normalisation over the last dimension.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[hidden]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[hidden]`.
    pub beta: Param<Tensor<1>>,
    /// Added to the variance.
    #[module(skip)]
    pub eps: f64,
}

impl LayerNorm {
    /// A norm of zeros, to be initialised or loaded.
    pub fn zeros(hidden: usize, eps: f64, device: &Device) -> Self {
        Self { gamma: zeros([hidden], device), beta: zeros([hidden], device), eps }
    }

    /// `LayerNorm(dropout(x) + residual)`, `[tokens, hidden]`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        residual: Option<Tensor<2>>,
        dropout: Option<kernels::Dropout>,
    ) -> Tensor<2> {
        kernels::add_layer_norm(x, residual, self.gamma.val(), self.beta.val(), self.eps, dropout)
    }
}

/// A parameter of zeros.
pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), Tensor::zeros(shape, device))
}
