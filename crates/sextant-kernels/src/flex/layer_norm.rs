use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, dense_floats, float_tensor, floats, format, numbers, tensor};
use crate::kernels::floats::FloatVec;
use crate::kernels::layer_norm;
use crate::{Dropout, Precision, simd};

/// How a norm is computed, besides its tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormOptions {
    pub(crate) eps: f64,
    pub(crate) dropout: Option<Dropout>,
    /// The format of the result.
    pub(crate) output: Precision,
}

/// Runs the kernel on dense tensors.
fn run(
    x: &FlexTensor,
    residual: Option<&FlexTensor>,
    gamma: &FlexTensor,
    beta: Option<&FlexTensor>,
    options: NormOptions,
) -> layer_norm::Forward {
    let input = layer_norm::Input {
        x: floats(x),
        residual: residual.map(floats),
        gamma: numbers(gamma),
        beta: beta.map(numbers),
        eps: options.eps as f32,
        dropout: options.dropout,
        format: options.output,
    };
    layer_norm::forward(simd::level(), input)
}

pub(super) fn forward(
    x: FlexTensor,
    residual: Maybe<Flex>,
    gamma: FlexTensor,
    beta: FlexTensor,
    options: NormOptions,
) -> FlexTensor {
    let residual = match residual {
        Maybe::Given(residual) => Some(dense_floats(residual)),
        Maybe::Absent => None,
    };
    let (x, gamma, beta) = (dense_floats(x), dense(gamma), dense(beta));
    let shape = x.shape();
    float_tensor(run(&x, residual.as_ref(), &gamma, Some(&beta), options).y, shape)
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    /// Normalised rows, and the factor that normalised each.
    normalised: Arc<(FloatVec, Vec<f32>)>,
    gamma: FlexTensor,
    dropout: Option<Dropout>,
    /// The formats of the input and of the residual.
    x: Precision,
    residual: Option<Precision>,
}

/// The parents are gamma, beta, input and, where there is one, residual; of RMSNorm they are gamma
/// and input.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let state = ops.state;
        let (normalised, scale) = &*state.normalised;
        let saved = layer_norm::Saved {
            normalised: normalised.floats(),
            scale,
            gamma: numbers(&state.gamma),
            centred: N > 2,
            dropout: state.dropout,
            x: state.x,
            residual: state.residual,
        };
        let found = layer_norm::backward(simd::level(), floats(&dy), saved);
        let mut parents = ops.parents.into_iter();
        let mut parent = || parents.next().flatten();
        let to_gamma = parent();
        let to_beta = if N > 2 { parent() } else { None };
        let (to_x, to_residual) = (parent(), parent());
        let width = found.gamma.len();
        if let Some(node) = to_gamma {
            gradients.register::<Flex>(node.id, tensor(found.gamma, [width]));
        }
        if let Some(node) = to_beta {
            gradients.register::<Flex>(node.id, tensor(found.beta, [width]));
        }
        let sum = float_tensor(found.sum, dy.shape());
        if let Some(node) = to_x {
            let dx = match found.x {
                Some(dx) => float_tensor(dx, dy.shape()),
                None => sum.clone(),
            };
            gradients.register::<Flex>(node.id, dx);
        }
        if let Some(node) = to_residual {
            gradients.register::<Flex>(node.id, sum);
        }
    }
}

/// Runs the kernel on dense tensors, and keeps what the backward pass needs if there is one. A macro,
/// since burn does not export the type of the nodes.
macro_rules! finish {
    ($nodes:expr, $x:expr, $residual:expr, $gamma:expr, $beta:expr, $options:expr) => {{
        let (x, residual, gamma, options): (&FlexTensor, Option<&FlexTensor>, _, NormOptions) =
            ($x, $residual, $gamma, $options);
        let out = run(x, residual, &gamma, $beta, options);
        let y = float_tensor(out.y, x.shape());
        match Step.prepare::<C>($nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let state = State {
                    normalised: Arc::new((out.normalised, out.scale)),
                    gamma,
                    dropout: options.dropout,
                    x: format(x),
                    residual: residual.map(format),
                };
                prepared.finish(state, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }};
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    residual: Maybe<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    beta: FloatTensor<Autodiff<Flex, C>>,
    options: NormOptions,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (beta, beta_node) = beta.into_parts();
    let beta = dense(beta);
    let (x, x_node) = x.into_parts();
    let (gamma, gamma_node) = gamma.into_parts();
    let (x, gamma) = (dense_floats(x), dense(gamma));
    match residual {
        Maybe::Given(residual) => {
            let (residual, residual_node) = residual.into_parts();
            let residual = dense_floats(residual);
            let nodes = [gamma_node, beta_node, x_node, residual_node];
            finish!(nodes, &x, Some(&residual), gamma, Some(&beta), options)
        }
        Maybe::Absent => {
            finish!([gamma_node, beta_node, x_node], &x, None, gamma, Some(&beta), options)
        }
    }
}

pub(super) fn rms(x: FlexTensor, gamma: FlexTensor, options: NormOptions) -> FlexTensor {
    let (x, gamma) = (dense_floats(x), dense(gamma));
    let shape = x.shape();
    float_tensor(run(&x, None, &gamma, None, options).y, shape)
}

pub(super) fn tracked_rms<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    options: NormOptions,
) -> FloatTensor<Autodiff<Flex, C>> {
    let ((x, x_node), (gamma, gamma_node)) = (x.into_parts(), gamma.into_parts());
    finish!([gamma_node, x_node], &dense_floats(x), None, dense(gamma), None, options)
}
