//! The linear layers of a block, which are trained whole or frozen with low-rank adapters.

use crate::block_config::CheckpointLayer;
use crate::layers::{dense_forward, zeros};
use crate::lora::LoraUse;
use crate::{ForwardContext, LoraConfig, LoraPart};
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};
use sextant_kernels::{self as kernels, Activation, FrozenWeight};

/// `activation(x · weight + bias)`, where the weight is either a parameter or frozen.
#[derive(Module, Debug)]
pub struct Projection {
    /// The weight, `[inputs, outputs]`, if it is trained whole.
    pub weight: Option<Param<Tensor<2>>>,
    /// The bias, `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapters of a frozen weight: an entry for each layer of the checkpoint that the weight is made
    /// of, `None` where that layer is not adapted.
    pub lora: Vec<Option<LoraPart>>,
    #[module(skip)]
    frozen: Option<Frozen>,
}

/// A frozen weight and how it is adapted.
#[derive(Debug, Clone)]
struct Frozen {
    /// Names the projection among those of its model, as the id of a parameter would.
    id: ParamId,
    weight: FrozenWeight,
    used: LoraUse,
}

/// How to build the projections of a block.
#[derive(Clone, Copy)]
pub(crate) struct Build<'a> {
    /// How frozen weights are adapted; `None` if weights are trained whole.
    pub(crate) lora: Option<&'a LoraConfig>,
    /// The layers of the checkpoint that make up a projection, given its name in the block and its number
    /// of outputs.
    pub(crate) parts: &'a dyn Fn(&str, usize) -> Vec<CheckpointLayer>,
    /// The block's parameter path, which `modules_to_save` is compared with.
    pub(crate) path: &'a str,
    pub(crate) device: &'a Device,
}

impl Build<'_> {
    /// A projection of zeros, to be initialised or loaded.
    pub(crate) fn projection(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        bias: bool,
    ) -> Projection {
        let device = self.device;
        let bias = bias.then(|| zeros([outputs], device));
        let adapted = self.lora.filter(|lora| !lora.saves(&format!("{}.{name}.weight", self.path)));
        let Some(lora) = adapted else {
            let weight = Some(zeros([inputs, outputs], device));
            return Projection { weight, bias, lora: Vec::new(), frozen: None };
        };
        let parts = (self.parts)(name, outputs);
        let mut columns = Vec::new();
        let mut end = 0;
        let mut factors = Vec::new();
        for part in parts {
            columns.push(end..end + part.outputs);
            end += part.outputs;
            factors.push(
                lora.targets(&part.name)
                    .then(|| LoraPart::zeros(inputs, lora.rank, part.outputs, device)),
            );
        }
        let frozen = FrozenWeight::zeros([inputs, outputs], lora.base, device);
        let used = LoraUse { scale: lora.scale(), dropout: lora.dropout, columns };
        let frozen = Frozen { id: ParamId::new(), weight: frozen, used };
        Projection { weight: None, bias, lora: factors, frozen: Some(frozen) }
    }
}

impl Projection {
    /// Maps `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>, activation: Activation, ctx: &ForwardContext) -> Tensor<2> {
        let bias = self.bias();
        match (&self.weight, &self.frozen) {
            (Some(weight), _) => dense_forward(x, weight, bias, activation, ctx),
            (None, Some(Frozen { id, weight, used })) => {
                if let Some(packed) = ctx.packed_frozen(*id) {
                    return kernels::linear_packed(x, packed, bias, activation);
                }
                let factors = used.factors(&self.lora, ctx);
                let weight = ctx.packed_base(*id).unwrap_or(weight);
                let y = kernels::frozen_linear(x, weight, bias, factors, ctx.kept());
                kernels::composed::activate(y, activation)
            }
            (None, None) => unreachable!("`Build` gives one of the two, and nothing takes it away"),
        }
    }

    /// The bias, if there is one.
    pub(crate) fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }

    /// The weight, if it is frozen.
    pub fn frozen(&self) -> Option<&FrozenWeight> {
        self.frozen.as_ref().map(|frozen| &frozen.weight)
    }

    /// What names the projection among those of its model, if its weight is frozen.
    pub(crate) fn frozen_id(&self) -> Option<ParamId> {
        self.frozen.as_ref().map(|frozen| frozen.id)
    }

    pub(crate) fn set_frozen(&mut self, weight: FrozenWeight) {
        if let Some(frozen) = &mut self.frozen {
            frozen.weight = weight;
        }
    }

    /// The weight with all adapters added, `[inputs, outputs]`, row-major, if the weight is frozen.
    pub(crate) fn merged(&self) -> Option<Vec<f32>> {
        let Frozen { weight, .. } = self.frozen.as_ref()?;
        let [inputs, outputs] = weight.dims();
        let mut data = self.change()?;
        for (output, row) in weight.values().chunks_exact(inputs).enumerate() {
            for (input, weight) in row.iter().enumerate() {
                data[input * outputs + output] += weight;
            }
        }
        Some(data)
    }

    /// The matrix that the adapters add to a frozen weight: `scale · a · b` of each part side by side, as
    /// `[inputs, outputs]`, row-major. The columns of parts without adapters are zeros.
    pub(crate) fn change(&self) -> Option<Vec<f32>> {
        let Frozen { weight, used, .. } = self.frozen.as_ref()?;
        let [inputs, outputs] = weight.dims();
        let numbers = |tensor: &Param<Tensor<2>>| -> Vec<f32> {
            tensor.val().into_data().convert::<f32>().iter::<f32>().collect()
        };
        let mut change = vec![0.0; inputs * outputs];
        for (part, columns) in self.lora.iter().zip(&used.columns) {
            let Some(part) = part else { continue };
            let (a, b, width) = (numbers(&part.a), numbers(&part.b), columns.len());
            let rank = part.a.dims()[1];
            for row in 0..inputs {
                let to = &mut change[row * outputs + columns.start..][..width];
                for (k, &a) in a[row * rank..][..rank].iter().enumerate() {
                    let factor = used.scale * a;
                    for (to, b) in to.iter_mut().zip(&b[k * width..][..width]) {
                        *to += factor * b;
                    }
                }
            }
        }
        Some(change)
    }
}
