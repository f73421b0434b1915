use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, numbers, tensor};
use crate::kernels::layer_norm;
use crate::{Dropout, simd};

/// Runs the kernel on dense tensors.
fn run(
    x: &FlexTensor,
    residual: Option<&FlexTensor>,
    gamma: &FlexTensor,
    beta: Option<&FlexTensor>,
    eps: f64,
    dropout: Option<Dropout>,
) -> layer_norm::Forward {
    layer_norm::forward(
        simd::level(),
        numbers(x),
        residual.map(numbers),
        numbers(gamma),
        beta.map(numbers),
        eps as f32,
        dropout,
    )
}

pub(super) fn forward(
    x: FlexTensor,
    residual: Maybe<Flex>,
    gamma: FlexTensor,
    beta: FlexTensor,
    eps: f64,
    dropout: Option<Dropout>,
) -> FlexTensor {
    let residual = match residual {
        Maybe::Given(residual) => Some(dense(residual)),
        Maybe::Absent => None,
    };
    let (x, gamma, beta) = (dense(x), dense(gamma), dense(beta));
    let shape = x.shape();
    tensor(run(&x, residual.as_ref(), &gamma, Some(&beta), eps, dropout).y, shape)
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    /// Normalised rows, and the factor that normalised each.
    normalised: Arc<(Vec<f32>, Vec<f32>)>,
    gamma: FlexTensor,
    dropout: Option<Dropout>,
}

/// The parents are gamma, beta, input and, where there is one, residual; of RMSNorm they are gamma
/// and input.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(gradients.consume::<Flex>(&ops.node));
        let state = ops.state;
        let (normalised, scale) = &*state.normalised;
        let found = layer_norm::backward(
            simd::level(),
            numbers(&dy),
            normalised,
            scale,
            numbers(&state.gamma),
            N > 2,
            state.dropout,
        );
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
        let sum = tensor(found.sum, dy.shape());
        if let Some(node) = to_x {
            let dx = match found.x {
                Some(dx) => tensor(dx, dy.shape()),
                None => sum.clone(),
            };
            gradients.register::<Flex>(node.id, dx);
        }
        if let Some(node) = to_residual {
            gradients.register::<Flex>(node.id, sum);
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    residual: Maybe<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    beta: FloatTensor<Autodiff<Flex, C>>,
    eps: f64,
    dropout: Option<Dropout>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, x_node) = x.into_parts();
    let ((gamma, gamma_node), (beta, beta_node)) = (gamma.into_parts(), beta.into_parts());
    let (x, gamma, beta) = (dense(x), dense(gamma), dense(beta));
    let shape = x.shape();
    // one arm for each number of parents
    macro_rules! finish {
        ($nodes:expr, $residual:expr) => {{
            let out = run(&x, $residual, &gamma, Some(&beta), eps, dropout);
            let y = tensor(out.y, shape);
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let state =
                        State { normalised: Arc::new((out.normalised, out.scale)), gamma, dropout };
                    prepared.finish(state, y)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(y),
            }
        }};
    }
    match residual {
        Maybe::Given(residual) => {
            let (residual, residual_node) = residual.into_parts();
            let residual = dense(residual);
            finish!([gamma_node, beta_node, x_node, residual_node], Some(&residual))
        }
        Maybe::Absent => finish!([gamma_node, beta_node, x_node], None),
    }
}

pub(super) fn rms(x: FlexTensor, gamma: FlexTensor, eps: f64) -> FlexTensor {
    let (x, gamma) = (dense(x), dense(gamma));
    let shape = x.shape();
    tensor(run(&x, None, &gamma, None, eps, None).y, shape)
}

pub(super) fn tracked_rms<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    eps: f64,
) -> FloatTensor<Autodiff<Flex, C>> {
    let ((x, x_node), (gamma, gamma_node)) = (x.into_parts(), gamma.into_parts());
    let (x, gamma) = (dense(x), dense(gamma));
    let out = run(&x, None, &gamma, None, eps, None);
    let y = tensor(out.y, x.shape());
    let nodes = [gamma_node, x_node];
    match Step.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let state =
                State { normalised: Arc::new((out.normalised, out.scale)), gamma, dropout: None };
            prepared.finish(state, y)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}
