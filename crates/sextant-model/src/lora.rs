//! Low-rank adapters (Hu et al. 2021) over frozen linear layers.

use crate::layers::zeros;
use crate::paths::{covers, is_end};
use crate::{ForwardContext, ModelError};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sextant_kernels::{FrozenFormat, LoraFactors};
use std::ops::Range;

/// Which layers LoRA adapts, and how. By default all linear layers of the blocks are adapted (as with
/// PEFT's `all-linear`), at rank 16.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank of the factors.
    #[serde(default = "rank")]
    pub rank: usize,
    /// The change is multiplied by `alpha / rank`.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// Probability with which an entry of an adapter's input is dropped in training.
    #[serde(default)]
    pub dropout: f32,
    /// Multiply by `alpha / √rank` in place of `alpha / rank` (rsLoRA, Kalajdzievski 2023).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rslora: bool,
    /// The layers to adapt, by the last parts of their names in the checkpoint: `["q_proj", "v_proj"]`. If
    /// this is empty, all linear layers of the blocks are adapted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_modules: Vec<String>,
    /// Parameters that are trained whole, by the first parts of their names in the model:
    /// `["trunk_norm", "trunk.5.down"]`. Heads, the dense layers before heads, and full private blocks are
    /// always trained whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
    /// How the frozen weights are stored. LoRA over quantised weights is QLoRA (Dettmers et al. 2023).
    #[serde(default = "base", with = "format")]
    pub base: FrozenFormat,
}

fn rank() -> usize {
    16
}

fn alpha() -> f64 {
    32.0
}

fn base() -> FrozenFormat {
    FrozenFormat::F32
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: rank(),
            alpha: alpha(),
            dropout: 0.0,
            rslora: false,
            target_modules: Vec::new(),
            modules_to_save: Vec::new(),
            base: base(),
        }
    }
}

/// Serialises a `FrozenFormat` as its name, because the kernels crate does not depend on serde.
mod format {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use sextant_kernels::FrozenFormat;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(value: &FrozenFormat, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(value.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<FrozenFormat, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

impl LoraConfig {
    /// The factor by which the product of the two low-rank matrices is multiplied.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f64;
        (self.alpha / if self.rslora { rank.sqrt() } else { rank }) as f32
    }

    /// How the frozen table of words is stored: like the other weights, but never in 4 bits. A row of the
    /// table is used as it is, so its rounding errors do not average out as they do in a sum.
    pub fn table_format(&self) -> FrozenFormat {
        match self.base {
            FrozenFormat::Int4 => FrozenFormat::Int8,
            other => other,
        }
    }

    /// Whether a layer of the checkpoint is adapted; `name` is its full name in the checkpoint.
    pub fn targets(&self, name: &str) -> bool {
        self.target_modules.is_empty()
            || self.target_modules.iter().any(|target| is_end(target, name))
    }

    /// Whether `modules_to_save` covers a parameter; `name` is its name in the model.
    pub fn saves(&self, name: &str) -> bool {
        self.modules_to_save.iter().any(|start| covers(start, name))
    }

    /// Checks the numbers; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        let wrong = |key: &str, needed: &str| {
            Err(ModelError::Config(format!("`lora.{key}` must be {needed}")))
        };
        if self.rank == 0 {
            return wrong("rank", "at least 1");
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return wrong("alpha", "above 0");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong("dropout", "in [0, 1)");
        }
        Ok(())
    }
}

/// The two low-rank factors that adapt one layer of the checkpoint.
#[derive(Module, Debug)]
pub struct LoraPart {
    /// `[inputs, rank]`: the transpose of PEFT's `lora_A`.
    pub a: Param<Tensor<2>>,
    /// `[rank, outputs]`: the transpose of PEFT's `lora_B`.
    pub b: Param<Tensor<2>>,
}

impl LoraPart {
    pub(crate) fn zeros(inputs: usize, rank: usize, outputs: usize, device: &Device) -> Self {
        Self { a: zeros([inputs, rank], device), b: zeros([rank, outputs], device) }
    }
}

/// How the factors of a projection are used. A projection may hold several layers of the checkpoint side
/// by side (queries, keys, values); each adapted one has factors of its own.
#[derive(Debug, Clone)]
pub(crate) struct LoraUse {
    pub(crate) scale: f32,
    pub(crate) dropout: f32,
    /// The range of output columns of each layer of the checkpoint.
    pub(crate) columns: Vec<Range<usize>>,
}

impl LoraUse {
    /// The factors of all parts combined into one pair: the first factors side by side, the second ones as
    /// blocks along the diagonal.
    pub(crate) fn factors(
        &self,
        parts: &[Option<LoraPart>],
        ctx: &ForwardContext,
    ) -> Option<LoraFactors> {
        let outputs = self.columns.last()?.end;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (part, columns) in parts.iter().zip(&self.columns) {
            let Some(part) = part else { continue };
            a.push(part.a.val());
            let factor = part.b.val();
            let zeros = |count: usize| {
                (count > 0).then(|| Tensor::zeros([factor.dims()[0], count], &factor.device()))
            };
            let (before, after) = (zeros(columns.start), zeros(outputs - columns.end));
            let row: Vec<_> = before.into_iter().chain([factor.clone()]).chain(after).collect();
            b.push(if row.len() == 1 { factor } else { Tensor::cat(row, 1) });
        }
        let join = |mut all: Vec<Tensor<2>>, dim| match all.len() {
            0 => None,
            1 => all.pop(),
            _ => Some(Tensor::cat(all, dim)),
        };
        let dropout = ctx.dropout(self.dropout);
        Some(LoraFactors { a: join(a, 1)?, b: join(b, 0)?, scale: self.scale, dropout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_by_their_last_parts() {
        let some = LoraConfig { target_modules: vec!["q_proj".into()], ..LoraConfig::default() };
        assert!(some.targets("model.layers.3.self_attn.q_proj"));
        assert!(!some.targets("model.layers.3.self_attn.xq_proj"));
        assert!(LoraConfig::default().targets("anything"));
        let rslora = LoraConfig { rslora: true, ..LoraConfig::default() };
        assert_eq!((LoraConfig::default().scale(), rslora.scale()), (2.0, 8.0));
    }
}
