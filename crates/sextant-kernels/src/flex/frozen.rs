use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, TensorMetadata};
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, dense_floats, dense_ids, float_tensor, floats, ids, numbers, tensor};
use crate::kernels::frozen::{Base, Numbers};
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::{embedding, linear, lora};
use crate::{Dropout, Precision, simd};

/// What is not a tensor.
#[derive(Clone, Debug)]
pub(crate) struct FrozenLayer {
    pub(crate) weight: Arc<Numbers>,
    /// Of the weight: `[inputs, outputs]`.
    pub(crate) dims: [usize; 2],
    /// Of the low-rank change, if there is one.
    pub(crate) scale: f32,
    pub(crate) dropout: Option<Dropout>,
    pub(crate) precision: Precision,
}

/// The factors of a low-rank change, which a layer can do without.
#[derive(ExtensionType)]
pub(crate) enum MaybeFactors<B: Backend> {
    Given(FloatTensor<B>, FloatTensor<B>),
    Absent,
}

/// A layer with its dense tensors: the input and the factors.
#[derive(Clone, Debug)]
struct Call {
    x: FlexTensor,
    factors: Option<[FlexTensor; 2]>,
    layer: FrozenLayer,
}

impl Call {
    fn new(x: FlexTensor, factors: Option<[FlexTensor; 2]>, layer: FrozenLayer) -> Self {
        Self { x: dense_floats(x), factors: factors.map(|both| both.map(dense)), layer }
    }

    fn base(&self) -> Base<'_> {
        Base { weight: &self.layer.weight, dims: self.layer.dims }
    }

    fn factors(&self) -> Option<lora::Factors<'_>> {
        let [a, b] = self.factors.as_ref()?;
        Some(lora::Factors {
            a: numbers(a),
            b: numbers(b),
            rank: a.shape()[1],
            scale: self.layer.scale,
            dropout: self.layer.dropout,
        })
    }

    /// The output, and the input times the first factor.
    fn run(&self, bias: Option<&FlexTensor>) -> (FlexTensor, Option<FlexTensor>) {
        let (level, rows, x) = (simd::level(), self.x.shape()[0], floats(&self.x));
        let precision = self.layer.precision;
        let kernel = match precision {
            Precision::F32 => lora::forward::<F32>,
            Precision::Bf16 => lora::forward::<Bf16>,
        };
        let factors = self.factors();
        let rank = factors.map_or(0, |factors| factors.rank);
        let (y, low) = kernel(level, rows, x, self.base(), bias.map(numbers), factors, precision);
        (float_tensor(y, [rows, self.layer.dims[1]]), low.map(|low| tensor(low, [rows, rank])))
    }
}

fn given(bias: Maybe<Flex>) -> Option<FlexTensor> {
    match bias {
        Maybe::Given(bias) => Some(dense(bias)),
        Maybe::Absent => None,
    }
}

pub(super) fn forward(
    x: FlexTensor,
    bias: Maybe<Flex>,
    factors: MaybeFactors<Flex>,
    layer: FrozenLayer,
) -> FlexTensor {
    let factors = match factors {
        MaybeFactors::Given(a, b) => Some([a, b]),
        MaybeFactors::Absent => None,
    };
    Call::new(x, factors, layer).run(given(bias).as_ref()).0
}

#[derive(Debug)]
struct Step;

/// The parents are the input, then both factors, then the bias, as far as they are there.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = (Call, Option<FlexTensor>);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense_floats(gradients.consume::<Flex>(&ops.node));
        let (call, low) = ops.state;
        let mut parents = ops.parents.into_iter();
        let to_x = parents.next().flatten();
        let kernel = match call.layer.precision {
            Precision::F32 => lora::backward::<F32>,
            Precision::Bf16 => lora::backward::<Bf16>,
        };
        let factors = call.factors().zip(low.as_ref().map(numbers));
        let (level, x) = (simd::level(), floats(&call.x));
        let found = kernel(level, x, call.base(), factors, to_x.is_some(), floats(&dy));
        if let (Some(node), Some(dx)) = (to_x, found.x) {
            gradients.register::<Flex>(node.id, float_tensor(dx, call.x.shape()));
        }
        if let (Some(gradient), Some(factors)) = (found.factors, &call.factors) {
            for (gradient, factor) in gradient.into_iter().zip(factors) {
                if let Some(node) = parents.next().flatten() {
                    gradients.register::<Flex>(node.id, tensor(gradient, factor.shape()));
                }
            }
        }
        if let Some(node) = parents.next().flatten() {
            let columns = call.layer.dims[1];
            let sums = linear::column_sums(level, columns, floats(&dy));
            gradients.register::<Flex>(node.id, tensor(sums, [columns]));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    bias: Maybe<Autodiff<Flex, C>>,
    factors: MaybeFactors<Autodiff<Flex, C>>,
    layer: FrozenLayer,
) -> FloatTensor<Autodiff<Flex, C>> {
    // one arm for each number of parents
    macro_rules! finish {
        ($call:expr, $nodes:expr, $bias:expr) => {{
            let call = $call;
            let (y, low) = call.run($bias);
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish((call, low), y),
                OpsKind::UnTracked(prepared) => prepared.finish(y),
            }
        }};
    }
    let (x, x_node) = x.into_parts();
    let bias = match bias {
        Maybe::Given(bias) => {
            let (bias, node) = bias.into_parts();
            Some((dense(bias), node))
        }
        Maybe::Absent => None,
    };
    match (factors, bias) {
        (MaybeFactors::Given(a, b), bias) => {
            let ((a, a_node), (b, b_node)) = (a.into_parts(), b.into_parts());
            let call = Call::new(x, Some([a, b]), layer);
            if let Some((bias, node)) = bias {
                finish!(call, [x_node, a_node, b_node, node], Some(&bias))
            } else {
                finish!(call, [x_node, a_node, b_node], None)
            }
        }
        (MaybeFactors::Absent, Some((bias, node))) => {
            finish!(Call::new(x, None, layer), [x_node, node], Some(&bias))
        }
        (MaybeFactors::Absent, None) => finish!(Call::new(x, None, layer), [x_node], None),
    }
}

/// Rows of a stored table, `[ids, width]`, without a gradient.
pub(crate) fn frozen_rows(table: &Numbers, dims: [usize; 2], tokens: Tensor<1, Int>) -> Tensor<2> {
    let tracked = tokens.device().is_autodiff();
    let tokens = if tracked { tokens.inner() } else { tokens };
    #[expect(clippy::expect_used, reason = "stored tables are of flex devices, as their ids are")]
    let tokens = dense_ids(tokens.try_into_primitive::<Flex>().expect("ids on a flex device"));
    let rows = embedding::gather_frozen(table, dims, ids(&tokens));
    let rows = Tensor::from_primitive::<Flex>(tensor(rows, [tokens.shape()[0], dims[0]]));
    if tracked { Tensor::from_inner(rows) } else { rows }
}
