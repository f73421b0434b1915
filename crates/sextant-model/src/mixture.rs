//! Mixtures of experts between pooling and heads, by which tasks share a part of their computation.
//!
//! If there is one level and tasks have no experts of their own, this is MMoE (Ma et al. 2018, "Modeling
//! Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts"): each task has a gate,
//! which weighs the outputs of the same shared experts. If tasks have experts of their own, it is CGC, and
//! with several levels PLE (Tang et al. 2020, "Progressive Layered Extraction"): a task's gate weighs the
//! task's own experts and the shared ones, never another task's. On every level but the last, one more
//! gate weighs all experts, and its result is the input of the next level's shared experts. An expert is
//! `gelu(x · W + b)`, a gate `softmax(x · G)`.

use crate::{ForwardContext, Linear, ModelError};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};
use sextant_kernels::{self as kernels, Activation, Precision};
use std::ops::Range;

/// The sizes of a mixture of experts: the key `model.routing.mixture` of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureConfig {
    /// Experts that all tasks share, on each level.
    pub experts: usize,
    /// Experts that each task has for itself, on each level; 0 for MMoE.
    #[serde(default)]
    pub task_experts: usize,
    /// The number of levels, which follow one another.
    #[serde(default = "one")]
    pub levels: usize,
}

fn one() -> usize {
    1
}

impl MixtureConfig {
    /// Checks the sizes; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (key, value, least, most) in [
            ("experts", self.experts, 1, 64),
            ("task_experts", self.task_experts, 0, 64),
            ("levels", self.levels, 1, 16),
        ] {
            if !(least..=most).contains(&value) {
                return Err(ModelError::Config(format!(
                    "`mixture.{key}` {value} must be from {least} to {most}"
                )));
            }
        }
        Ok(())
    }

    /// A short name such as `mmoe-4`, `ple-4-1` or `ple-4-1x2`. The numbers are the shared experts, the
    /// experts of each task, and the levels.
    pub fn label(&self) -> String {
        let one = match self.task_experts {
            0 => format!("mmoe-{}", self.experts),
            own => format!("ple-{}-{own}", self.experts),
        };
        if self.levels > 1 { format!("{one}x{}", self.levels) } else { one }
    }
}

/// The part of a level that all tasks share.
#[derive(Module, Debug)]
pub struct SharedLevel {
    /// All shared experts side by side: `[hidden, experts · hidden]`.
    pub experts: Linear,
    /// The gate whose weighted mean is the input of the next level's shared experts. It weighs all experts
    /// of this level: those of the tasks in the order of the tasks, then the shared ones. Absent on the
    /// last level.
    pub gate: Option<Linear>,
}

impl SharedLevel {
    /// The shared part of every level: zeros, to be initialised or loaded.
    pub fn zeros(
        config: &MixtureConfig,
        tasks: usize,
        hidden: usize,
        device: &Device,
    ) -> Vec<Self> {
        let all = config.experts + tasks * config.task_experts;
        let level = |level| Self {
            experts: Linear::zeros(hidden, config.experts * hidden, true, device),
            gate: (level + 1 < config.levels).then(|| Linear::zeros(hidden, all, false, device)),
        };
        (0..config.levels).map(level).collect()
    }
}

/// The part of a level that belongs to one task.
#[derive(Module, Debug)]
pub struct TaskLevel {
    /// The task's own experts side by side: `[hidden, task_experts · hidden]`.
    pub experts: Option<Linear>,
    /// The task's gate over its own experts, then the shared ones: `[hidden, task_experts + experts]`.
    pub gate: Linear,
}

impl TaskLevel {
    /// One task's part of every level: zeros, to be initialised or loaded.
    pub fn zeros(config: &MixtureConfig, hidden: usize, device: &Device) -> Vec<Self> {
        let own = config.task_experts;
        let level = |_| Self {
            experts: (own > 0).then(|| Linear::zeros(hidden, own * hidden, true, device)),
            gate: Linear::zeros(hidden, own + config.experts, false, device),
        };
        (0..config.levels).map(level).collect()
    }
}

/// Runs pooled rows, `[rows, hidden]`, through the mixture. `parts` names the branch and the rows of each
/// task that has rows; the result has a tensor for each of them, `[rows of the part, hidden]`. `tasks` has
/// the levels of every branch.
pub(crate) fn mix(
    shared: &[SharedLevel],
    tasks: &[&[TaskLevel]],
    pooled: &Tensor<2>,
    parts: &[(usize, Range<usize>)],
    ctx: &ForwardContext,
) -> Vec<Tensor<2>> {
    let own = |level: &TaskLevel, x: Tensor<2>| level.experts.as_ref().map(|e| outputs(e, x, ctx));
    // The inputs of a level, for all rows: of the shared experts, and of each task's own experts.
    let mut common = pooled.clone();
    let mut paths = vec![pooled.clone(); tasks.len()];
    for (i, level) in shared.iter().enumerate() {
        let shared_outputs = outputs(&level.experts, common.clone(), ctx);
        let Some(gate) = &level.gate else {
            return parts
                .iter()
                .map(|(branch, rows)| {
                    let x = paths[*branch].clone().narrow(0, rows.start, rows.len());
                    let shared = shared_outputs.clone().narrow(0, rows.start, rows.len());
                    let level = &tasks[*branch][i];
                    let all = own(level, x.clone()).into_iter().chain([shared]);
                    weigh(&level.gate, x, all.collect())
                })
                .collect();
        };
        let owns: Vec<_> =
            tasks.iter().zip(&paths).map(|(task, x)| own(&task[i], x.clone())).collect();
        let all = owns.iter().flatten().cloned().chain([shared_outputs.clone()]);
        common = weigh(gate, common, all.collect());
        for ((task, x), own) in tasks.iter().zip(&mut paths).zip(owns) {
            let all = own.into_iter().chain([shared_outputs.clone()]);
            *x = weigh(&task[i].gate, x.clone(), all.collect());
        }
    }
    Vec::new() // not reached: the last level has no gate, so that the loop returns there
}

/// The outputs of experts whose weights lie side by side: `[rows, experts, hidden]`.
fn outputs(experts: &Linear, x: Tensor<2>, ctx: &ForwardContext) -> Tensor<3> {
    let [rows, hidden] = x.dims();
    let y = kernels::composed::full(experts.forward(x, Activation::Gelu, ctx));
    let columns = y.dims()[1];
    y.reshape([rows, columns / hidden, hidden])
}

/// The mean of the experts' outputs, `[rows, hidden]`, weighted by a gate that reads `x`. Gates are always
/// computed in full precision: they are a thousandth of the work.
fn weigh(gate: &Linear, x: Tensor<2>, outputs: Vec<Tensor<3>>) -> Tensor<2> {
    let logits = kernels::linear(x, gate.weight.val(), None, Activation::None, Precision::F32);
    let weights: Tensor<3> = activation::softmax(logits, 1).unsqueeze_dim(2);
    (Tensor::cat(outputs, 1) * weights).sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_the_sizes() {
        let label =
            |experts, task_experts, levels| MixtureConfig { experts, task_experts, levels }.label();
        assert_eq!(label(4, 0, 1), "mmoe-4");
        assert_eq!(label(3, 1, 1), "ple-3-1");
        assert_eq!(label(3, 1, 2), "ple-3-1x2");
    }

    #[test]
    fn sizes_out_of_range_name_their_key() {
        let of = |experts, task_experts, levels| {
            MixtureConfig { experts, task_experts, levels }.validate().unwrap_err().to_string()
        };
        assert!(of(0, 1, 1).contains("mixture.experts"));
        assert!(of(1, 65, 1).contains("mixture.task_experts"));
        assert!(of(1, 0, 0).contains("mixture.levels"));
    }
}
