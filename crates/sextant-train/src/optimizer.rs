//! AdamW with a learning rate and a decay for each parameter.

use crate::gradients::Gradient;
use crate::moments::{MomentLayout, ParameterState};
use crate::shard::Shard;
use crate::{Gradients, OptimizerRecipe};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use sextant_kernels::AdamWStep;
use sextant_model::{ModelSpec, ParamInfo, RelevanceModel, parameters};

/// The settings by which one parameter is updated.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: String,
    learning_rate: f64,
    weight_decay: f64,
    layout: MomentLayout,
}

/// AdamW (Loshchilov & Hutter 2019) over a model's parameters.
///
/// A parameter without a gradient is not changed at all: it does not decay and its steps are not counted, so
/// that the branch of a task that is absent from a step does not drift.
#[derive(Debug)]
pub struct AdamW {
    recipe: OptimizerRecipe,
    groups: Vec<Group>,
    states: Vec<Option<ParameterState>>,
    /// This rank's share of the states; all of them unless stated.
    shard: Option<Shard>,
}

impl AdamW {
    /// A new optimizer, which has not made a step.
    pub fn new(recipe: OptimizerRecipe, model: &RelevanceModel) -> Self {
        let (spec, device) = (model.spec(), model.device());
        let groups: Vec<Group> = parameters(model)
            .into_iter()
            .map(|info| Group {
                learning_rate: learning_rate(&recipe, &info, spec),
                weight_decay: if info.is_norm_or_bias() { 0.0 } else { recipe.weight_decay },
                layout: MomentLayout::new(&info, recipe.moments, &device),
                name: info.name,
            })
            .collect();
        let states = groups.iter().map(|_| None).collect();
        Self { recipe, groups, states, shard: None }
    }

    /// Keeps the states of a share of the parameters only, that of one of several ranks. A step then updates these
    /// parameters alone, and the caller brings the others from the ranks that have updated them.
    #[must_use]
    pub(crate) fn sharded(self, rank: usize, ranks: usize) -> Self {
        let layouts = self.groups.iter().map(|group| group.layout);
        let shard = Some(Shard::new(layouts, rank, ranks));
        Self { shard, ..self }
    }

    /// This rank's share of the states; `None` if it keeps all.
    pub(crate) fn shard(&self) -> Option<&Shard> {
        self.shard.as_ref()
    }

    /// Adds a parameter that does not belong to the model: a matrix, whose gradient follows those of the model's
    /// parameters. It is updated by [`AdamW::step_with`], with the rate of heads, and by all ranks.
    pub(crate) fn add(&mut self, name: &str, matrix: &Tensor<2>) {
        let info =
            ParamInfo { name: name.to_owned(), shape: matrix.dims().to_vec(), trainable: true };
        let recipe = &self.recipe;
        self.groups.push(Group {
            learning_rate: recipe.head_learning_rate.unwrap_or(recipe.learning_rate),
            weight_decay: recipe.weight_decay,
            layout: MomentLayout::new(&info, recipe.moments, &matrix.device()),
            name: info.name,
        });
        self.states.push(None);
    }

    /// Each parameter's name, how its moments are kept and, if a step has updated it, its state.
    pub(crate) fn states(
        &self,
    ) -> impl Iterator<Item = (&str, MomentLayout, Option<&ParameterState>)> {
        let states = self.groups.iter().zip(&self.states);
        states.map(|(group, state)| (group.name.as_str(), group.layout, state.as_ref()))
    }

    /// Sets the state of each parameter to what `source` returns for its name and the layout of its moments.
    pub(crate) fn restore<E>(
        &mut self,
        mut source: impl FnMut(&str, MomentLayout) -> Result<Option<ParameterState>, E>,
    ) -> Result<(), E> {
        for (index, (group, state)) in self.groups.iter().zip(&mut self.states).enumerate() {
            *state = source(&group.name, group.layout)?;
            if let (Some(shard), Some(state)) = (&self.shard, state) {
                state.moments.keep(shard.keeps(index), |row| shard.keeps_row(row));
            }
        }
        Ok(())
    }

    /// Updates every parameter that has a gradient. Learning rates are multiplied by `rate_factor`,
    /// gradients by `gradient_factor`.
    pub fn step(
        &mut self,
        model: RelevanceModel,
        gradients: Gradients,
        rate_factor: f64,
        gradient_factor: f64,
    ) -> RelevanceModel {
        self.step_with(model, None, gradients, rate_factor, gradient_factor)
    }

    /// Does the same as [`AdamW::step`], and updates a `further` parameter that was [added](AdamW::add).
    pub(crate) fn step_with(
        &mut self,
        model: RelevanceModel,
        further: Option<&mut Tensor<2>>,
        gradients: Gradients,
        rate_factor: f64,
        gradient_factor: f64,
    ) -> RelevanceModel {
        struct Stepper<'a> {
            optimizer: &'a mut AdamW,
            gradients: std::vec::IntoIter<Option<Gradient>>,
            index: usize,
            rate_factor: f64,
            gradient_factor: f64,
        }
        impl Stepper<'_> {
            /// Updates the next parameter by its gradient, if this rank keeps the parameter's state.
            fn advance<const D: usize>(&mut self, old: Tensor<D>, gradient: Gradient) -> Tensor<D> {
                let index = self.index;
                let AdamW { recipe, groups, states, shard } = &mut *self.optimizer;
                let group = &groups[index];
                let keeps = shard.as_ref().is_none_or(|shard| shard.keeps(index));
                let state = states[index].get_or_insert_with(|| {
                    if keeps {
                        group.layout.zeros(&old.device().inner())
                    } else {
                        ParameterState::ELSEWHERE
                    }
                });
                state.steps += 1;
                if !keeps {
                    return old;
                }
                let gradient = match (gradient, &*shard) {
                    (Gradient::Rows(rows), Some(shard)) => {
                        Gradient::Rows(rows.filter(|row| shard.keeps_row(row as usize)))
                    }
                    (gradient, _) => gradient,
                };
                let step = AdamWStep {
                    lr: group.learning_rate * self.rate_factor,
                    beta1: recipe.beta1,
                    beta2: recipe.beta2,
                    eps: recipe.eps,
                    weight_decay: group.weight_decay,
                    step: state.steps,
                    grad_scale: self.gradient_factor as f32,
                };
                let shape = old.shape();
                let values = state.moments.advance(old.inner(), gradient, &step);
                Tensor::from_inner(values.reshape(shape)).require_grad()
            }
        }
        impl ModuleMapper for Stepper<'_> {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let param = match self.gradients.next().flatten() {
                    Some(gradient) => param.map(|old| self.advance(old, gradient)),
                    None => param,
                };
                self.index += 1;
                param
            }
        }
        let mut stepper = Stepper {
            optimizer: self,
            gradients: gradients.into_parts().into_iter(),
            index: 0,
            rate_factor,
            gradient_factor,
        };
        let model = model.map(&mut stepper);
        if let (Some(further), Some(gradient)) = (further, stepper.gradients.next().flatten()) {
            // Its numbers are updated in place, since nothing else holds them.
            let none = Tensor::empty([0, 0], &further.device());
            let old = std::mem::replace(further, none);
            *further = stepper.advance(old, gradient);
        }
        model
    }
}

/// The learning rate of a parameter where the schedule's factor is 1. Heads and dense layers have a rate of
/// their own. The rate of each block is that of the block above it times the layer decay, and the embeddings
/// are below all blocks.
fn learning_rate(recipe: &OptimizerRecipe, info: &ParamInfo, spec: &ModelSpec) -> f64 {
    let trunk = spec.routing.trunk_layers(spec.backbone.layers);
    let parts: Vec<&str> = info.name.split('.').collect();
    let number = |text: &str| text.parse::<usize>().unwrap_or(0); // burn names list entries by number
    let height = match parts.as_slice() {
        ["embeddings", ..] => 0,
        ["trunk", layer, ..] => 1 + number(layer),
        ["branches", _, "layers", layer, ..] => 1 + trunk + number(layer),
        _ => return recipe.head_learning_rate.unwrap_or(recipe.learning_rate),
    };
    let rate = match recipe.lora_learning_rate {
        Some(rate) if parts.contains(&"lora") => rate,
        _ => recipe.learning_rate,
    };
    rate * recipe.layer_decay.powi((spec.depth() - height.min(spec.depth())) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use sextant_core::Task;
    use sextant_model::{BackboneConfig, HeadKind, Pooling, Routing};

    /// Three blocks, the top one private; layer decay 0.5.
    fn groups(head_learning_rate: Option<f64>) -> Vec<Group> {
        let spec = ModelSpec {
            backbone: BackboneConfig {
                hidden_size: 8,
                layers: 3,
                attention_heads: 2,
                intermediate_size: 16,
                ..BackboneConfig::small(20)
            },
            tasks: vec![Task::QueryType, Task::TypeType],
            routing: Routing::mhp(1),
            pooling: Pooling::Cls,
            dense: true,
            head: HeadKind::Softmax,
            head_dropout: 0.0,
            lora: None,
        };
        let model = RelevanceModel::zeros(spec, &Device::flex().autodiff()).unwrap();
        let recipe = OptimizerRecipe {
            learning_rate: 1.0,
            head_learning_rate,
            layer_decay: 0.5,
            weight_decay: 0.25,
            ..OptimizerRecipe::default()
        };
        AdamW::new(recipe, &model).groups
    }

    #[test]
    fn rates_halve_from_block_to_block_and_heads_have_their_own() {
        for (head, expected) in [(None, 1.0), (Some(7.0), 7.0)] {
            for group in groups(head) {
                let rate = match group.name.as_str() {
                    name if name.starts_with("embeddings.") => 0.125,
                    name if name.starts_with("trunk.0.") => 0.25,
                    name if name.starts_with("trunk.1.") => 0.5,
                    name if name.contains(".layers.0.") => 1.0,
                    _ => expected,
                };
                assert_eq!(group.learning_rate, rate, "{}", group.name);
            }
        }
    }

    #[test]
    fn norms_and_biases_do_not_decay() {
        let groups = groups(None);
        for group in &groups {
            let spared = ["gamma", "beta", "bias"].iter().any(|end| group.name.ends_with(end));
            assert_eq!(group.weight_decay, if spared { 0.0 } else { 0.25 }, "{}", group.name);
        }
        assert!(groups.iter().any(|group| group.weight_decay > 0.0));
        assert!(groups.iter().any(|group| group.weight_decay == 0.0));
    }
}
