use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Maybe;
use super::buffer::{dense, numbers, tensor};
use crate::kernels::gemm::{Bf16, F32};
use crate::kernels::{linear, lora};
use crate::reused_weight::Reused;
use crate::{Dropout, Precision, ReusedWeight, simd};

/// What is not a tensor.
#[derive(Clone, Debug)]
pub(crate) struct LoraSettings {
    pub(crate) scale: f32,
    pub(crate) dropout: Option<Dropout>,
    pub(crate) precision: Precision,
    pub(crate) packed: ReusedWeight,
}

/// Dense tensors of a layer.
#[derive(Clone, Debug)]
struct Layer {
    x: FlexTensor,
    weight: FlexTensor,
    a: FlexTensor,
    b: FlexTensor,
    settings: LoraSettings,
}

impl Layer {
    fn new(
        x: FlexTensor,
        weight: FlexTensor,
        a: FlexTensor,
        b: FlexTensor,
        settings: LoraSettings,
    ) -> Self {
        Self { x: dense(x), weight: dense(weight), a: dense(a), b: dense(b), settings }
    }

    fn dims(&self) -> [usize; 2] {
        [self.weight.shape()[0], self.weight.shape()[1]]
    }

    fn factors(&self) -> lora::Factors<'_> {
        lora::Factors {
            a: numbers(&self.a),
            b: numbers(&self.b),
            rank: self.a.shape()[1],
            scale: self.settings.scale,
            dropout: self.settings.dropout,
        }
    }

    /// The output, and the input times the first factor.
    fn run(&self, bias: Option<&FlexTensor>) -> (FlexTensor, FlexTensor) {
        fn products<P: Reused>(layer: &Layer, bias: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
            let (level, rows) = (simd::level(), layer.x.shape()[0]);
            let packed = &layer.settings.packed;
            let weight = packed.weight::<P>(level, numbers(&layer.weight), layer.dims());
            lora::forward(level, rows, numbers(&layer.x), weight, bias, layer.factors())
        }
        let bias = bias.map(numbers);
        let (y, low) = match self.settings.precision {
            Precision::F32 => products::<F32>(self, bias),
            Precision::Bf16 => products::<Bf16>(self, bias),
        };
        let rows = self.x.shape()[0];
        (tensor(y, [rows, self.dims()[1]]), tensor(low, [rows, self.a.shape()[1]]))
    }

    fn gradients<P: Reused>(&self, low: &[f32], to_x: bool, dy: &[f32]) -> lora::Gradients {
        let level = simd::level();
        let packed = &self.settings.packed;
        let turned = to_x.then(|| packed.turned::<P>(level, numbers(&self.weight), self.dims()));
        lora::backward(level, numbers(&self.x), low, turned, self.factors(), dy)
    }
}

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Maybe<Flex>,
    a: FlexTensor,
    b: FlexTensor,
    settings: LoraSettings,
) -> FlexTensor {
    let bias = match bias {
        Maybe::Given(bias) => Some(dense(bias)),
        Maybe::Absent => None,
    };
    Layer::new(x, weight, a, b, settings).run(bias.as_ref()).0
}

#[derive(Debug)]
struct Step;

/// The parents are input, both factors and, where there is one, bias.
impl<const N: usize> Backward<Flex, N> for Step {
    type State = (Layer, FlexTensor);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = dense(gradients.consume::<Flex>(&ops.node));
        let (layer, low) = ops.state;
        let mut parents = ops.parents.into_iter();
        let mut parent = || parents.next().flatten();
        let (to_x, to_a, to_b, to_bias) = (parent(), parent(), parent(), parent());
        let kernel = match layer.settings.precision {
            Precision::F32 => Layer::gradients::<F32>,
            Precision::Bf16 => Layer::gradients::<Bf16>,
        };
        let found = kernel(&layer, numbers(&low), to_x.is_some(), numbers(&dy));
        if let (Some(node), Some(dx)) = (to_x, found.x) {
            gradients.register::<Flex>(node.id, tensor(dx, layer.x.shape()));
        }
        if let Some(node) = to_a {
            gradients.register::<Flex>(node.id, tensor(found.a, layer.a.shape()));
        }
        if let Some(node) = to_b {
            gradients.register::<Flex>(node.id, tensor(found.b, layer.b.shape()));
        }
        if let Some(node) = to_bias {
            let columns = layer.dims()[1];
            let sums = linear::column_sums(simd::level(), columns, numbers(&dy));
            gradients.register::<Flex>(node.id, tensor(sums, [columns]));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: Maybe<Autodiff<Flex, C>>,
    a: FloatTensor<Autodiff<Flex, C>>,
    b: FloatTensor<Autodiff<Flex, C>>,
    settings: LoraSettings,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, x_node) = x.into_parts();
    let (weight, _) = weight.into_parts();
    let ((a, a_node), (b, b_node)) = (a.into_parts(), b.into_parts());
    let layer = Layer::new(x, weight, a, b, settings);
    // one arm for each number of parents
    macro_rules! finish {
        ($nodes:expr, $bias:expr) => {{
            let (y, low) = layer.run($bias);
            match Step.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish((layer, low), y),
                OpsKind::UnTracked(prepared) => prepared.finish(y),
            }
        }};
    }
    match bias {
        Maybe::Given(bias) => {
            let (bias, bias_node) = bias.into_parts();
            finish!([x_node, a_node, b_node, bias_node], Some(&dense(bias)))
        }
        Maybe::Absent => finish!([x_node, a_node, b_node], None),
    }
}
