//! The gradients of a step, summed over its packs.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients as BackwardGradients, Tensor};
use sextant_kernels as kernels;
use sextant_model::RelevanceModel;

/// For each parameter, in the order of the model, its gradient as a vector; none for a parameter that
/// is frozen or that no row of the step passed through.
#[derive(Debug, Default)]
pub struct Gradients {
    parts: Vec<Option<Tensor<1>>>,
}

impl Gradients {
    /// Adds what a backward pass found.
    pub fn add(&mut self, model: &RelevanceModel, mut grads: BackwardGradients) {
        struct Collector<'a> {
            index: usize,
            parts: &'a mut Vec<Option<Tensor<1>>>,
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
                    *part = Some(match part.take() {
                        Some(sum) => sum + grad,
                        None => grad,
                    });
                }
                self.index += 1;
            }
        }
        model.visit(&mut Collector { index: 0, parts: &mut self.parts, grads: &mut grads });
    }

    /// The norm of all gradients taken as one vector.
    pub fn norm(&self) -> f64 {
        self.parts.iter().flatten().map(kernels::sum_of_squares).sum::<f64>().sqrt()
    }

    /// The gradients by parameter, in the order of the model.
    pub(crate) fn into_parts(self) -> Vec<Option<Tensor<1>>> {
        self.parts
    }
}
