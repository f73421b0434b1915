//! The gradients of a step, summed over its packs.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients as BackwardGradients, Tensor};
use sextant_kernels::{self as kernels, RowGradient};
use sextant_model::{RelevanceModel, StepShared};

/// For each parameter, in the order of the model, its gradient; none for a parameter that is frozen
/// or that no row of the step passed through.
#[derive(Debug, Default)]
pub struct Gradients {
    parts: Vec<Option<Gradient>>,
}

/// The gradient of one parameter.
#[derive(Debug)]
pub(crate) enum Gradient {
    /// All of it, as a vector.
    Dense(Tensor<1>),
    /// The rows of a table that have one.
    Rows(RowGradient),
}

impl Gradient {
    fn sum_of_squares(&self) -> f64 {
        match self {
            Self::Dense(gradient) => kernels::sum_of_squares(gradient),
            Self::Rows(rows) => rows.sum_of_squares(),
        }
    }
}

impl Gradients {
    /// Adds what a backward pass found.
    pub fn add(&mut self, model: &RelevanceModel, mut grads: BackwardGradients) {
        struct Collector<'a> {
            index: usize,
            parts: &'a mut Vec<Option<Gradient>>,
            grads: &'a mut BackwardGradients,
        }
        impl ModuleVisitor for Collector<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if self.parts.len() == self.index {
                    self.parts.push(None);
                }
                if param.is_require_grad()
                    && let Some(grad) = param.val().grad_remove(self.grads)
                {
                    let length = grad.shape().num_elements();
                    let grad = grad.reshape([length]);
                    let part = &mut self.parts[self.index];
                    *part = Some(Gradient::Dense(match part.take() {
                        Some(Gradient::Dense(sum)) => sum + grad,
                        _ => grad,
                    }));
                }
                self.index += 1;
            }
        }
        model.visit(&mut Collector { index: 0, parts: &mut self.parts, grads: &mut grads });
    }

    /// Takes the rows that the backward passes of a step left for the word table.
    pub fn take_rows(&mut self, model: &RelevanceModel, shared: &StepShared) {
        struct Finder {
            index: usize,
            wanted: ParamId,
            found: Option<usize>,
        }
        impl ModuleVisitor for Finder {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.id == self.wanted {
                    self.found = Some(self.index);
                }
                self.index += 1;
            }
        }
        let Some(rows) = shared.word_rows().take() else { return };
        let Some(table) = &model.embeddings.word else { return }; // frozen: it has no gradient
        let mut finder = Finder { index: 0, wanted: table.id, found: None };
        model.visit(&mut finder);
        if let Some(part) = finder.found.and_then(|index| self.parts.get_mut(index)) {
            *part = Some(Gradient::Rows(rows));
        }
    }

    /// The norm of all gradients taken as one vector.
    pub fn norm(&self) -> f64 {
        self.parts.iter().flatten().map(Gradient::sum_of_squares).sum::<f64>().sqrt()
    }

    /// The gradients by parameter, in the order of the model.
    pub(crate) fn into_parts(self) -> Vec<Option<Gradient>> {
        self.parts
    }
}
