//! The gradients of a step, summed over its packs.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients as BackwardGradients, Tensor};
use sextant_kernels::{self as kernels, RowGradient};
use sextant_model::RelevanceModel;

/// The gradient of each parameter, in the order of the model. A parameter has none if it is frozen or if no
/// row of the step passed through it.
#[derive(Debug, Default)]
pub struct Gradients {
    parts: Vec<Option<Gradient>>,
}

/// The gradient of one parameter.
#[derive(Debug)]
pub(crate) enum Gradient {
    /// The whole gradient, as a vector.
    Dense(Tensor<1>),
    /// The rows of an embedding table that have a gradient.
    Rows(RowGradient),
}

impl Gradient {
    fn sum_of_squares(&self) -> f64 {
        match self {
            Self::Dense(gradient) => kernels::sum_of_squares(gradient),
            Self::Rows(rows) => rows.sum_of_squares(),
        }
    }

    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Dense(gradient) => Self::Dense(gradient * factor),
            Self::Rows(rows) => Self::Rows(rows.scaled(factor as f32)),
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Dense(x), Self::Dense(y)) => Self::Dense(x + y),
            (Self::Rows(mut x), Self::Rows(y)) => {
                x.add(y);
                Self::Rows(x)
            }
            (one, _) => one, // not reached: all gradients of a parameter are of one kind
        }
    }
}

/// The dot product of two gradients of one parameter. They are always of the same kind; the 0 for different
/// kinds is never reached.
fn dot(one: &Gradient, other: &Gradient) -> f64 {
    match (one, other) {
        (Gradient::Dense(x), Gradient::Dense(y)) => kernels::dot(x, y),
        (Gradient::Rows(x), Gradient::Rows(y)) => x.dot(y),
        _ => 0.0,
    }
}

/// Whether more than one of `all` has a gradient for the parameter at `index`.
fn is_shared(all: &[Gradients], index: usize) -> bool {
    all.iter().filter(|one| one.parts.get(index).is_some_and(Option::is_some)).count() > 1
}

impl Gradients {
    /// The dot product with other gradients of the model, over the parameters for which more than one of
    /// `all` has a gradient.
    pub(crate) fn dot_shared(&self, other: &Self, all: &[Self]) -> f64 {
        let pairs = self.parts.iter().zip(&other.parts).enumerate();
        pairs
            .filter(|(index, _)| is_shared(all, *index))
            .filter_map(|(_, (one, other))| Some(dot(one.as_ref()?, other.as_ref()?)))
            .sum()
    }

    /// The sum of gradients, each multiplied by its weight. Where only one of them has a gradient for a
    /// parameter, it is multiplied by `alone` instead.
    pub(crate) fn combine(mut all: Vec<Self>, weights: &[f64], alone: f64) -> Self {
        let length = all.iter().map(|one| one.parts.len()).max().unwrap_or(0);
        let mut parts = Vec::with_capacity(length);
        for index in 0..length {
            let shared = is_shared(&all, index);
            let found = all.iter_mut().zip(weights).filter_map(|(one, &weight)| {
                let gradient = one.parts.get_mut(index)?.take()?;
                Some(gradient.scaled(if shared { weight } else { alone }))
            });
            parts.push(found.reduce(Gradient::plus));
        }
        Self { parts }
    }

    /// The gradients that a backward pass computed for the parameters of the model.
    pub(crate) fn found(model: &RelevanceModel, mut grads: BackwardGradients) -> Self {
        struct Collector<'a> {
            parts: Vec<Option<Gradient>>,
            grads: &'a mut BackwardGradients,
        }
        impl ModuleVisitor for Collector<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let trained = param.is_require_grad();
                let grad = trained.then(|| param.val().grad_remove(self.grads)).flatten();
                self.parts.push(grad.map(|grad| {
                    let length = grad.shape().num_elements();
                    Gradient::Dense(grad.reshape([length]))
                }));
            }
        }
        let mut collector = Collector { parts: Vec::new(), grads: &mut grads };
        model.visit(&mut collector);
        Self { parts: collector.parts }
    }

    /// These gradients, and after them that of a parameter which does not belong to the model.
    pub(crate) fn and(mut self, further: Option<Tensor<2>>) -> Self {
        self.parts.push(further.map(|gradient| {
            let length = gradient.shape().num_elements();
            Gradient::Dense(gradient.reshape([length]))
        }));
        self
    }

    /// The gradient of the word embedding table, from the rows that a backward pass left for it
    /// ([`ForwardContext::take_word_rows`](sextant_model::ForwardContext::take_word_rows)). No parameter
    /// gets a gradient if the table is frozen.
    pub fn of_words(model: &RelevanceModel, rows: RowGradient) -> Self {
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
        let Some(table) = &model.embeddings.word else { return Self::default() };
        let mut finder = Finder { index: 0, wanted: table.id, found: None };
        model.visit(&mut finder);
        let mut parts = Vec::new();
        if let Some(index) = finder.found {
            parts.resize_with(index, || None);
            parts.push(Some(Gradient::Rows(rows)));
        }
        Self { parts }
    }

    /// Adds other gradients of the model, parameter by parameter. The sum depends in its last bits on the
    /// order in which gradients are added.
    pub fn add(&mut self, other: Self) {
        if self.parts.len() < other.parts.len() {
            self.parts.resize_with(other.parts.len(), || None);
        }
        for (sum, part) in self.parts.iter_mut().zip(other.parts) {
            *sum = match (sum.take(), part) {
                (Some(sum), Some(part)) => Some(sum.plus(part)),
                (sum, part) => sum.or(part),
            };
        }
    }

    /// The gradients of both, if no parameter has a gradient in both.
    ///
    /// # Errors
    /// Some parameter has; the other gradients are returned as they were.
    pub(crate) fn join(&mut self, other: Self) -> Result<(), Self> {
        let both = self
            .parts
            .iter()
            .zip(&other.parts)
            .any(|(one, other)| one.is_some() && other.is_some());
        if both {
            return Err(other);
        }
        self.add(other);
        Ok(())
    }

    /// Gradients by parameter, in the order of the model.
    pub(crate) fn from_parts(parts: Vec<Option<Gradient>>) -> Self {
        Self { parts }
    }

    /// The gradient of each parameter, in the order of the model; those at the end may be missing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&Gradient>> {
        self.parts.iter().map(Option::as_ref)
    }

    /// The norm of all gradients taken as one vector.
    pub fn norm(&self) -> f64 {
        self.parts.iter().flatten().map(Gradient::sum_of_squares).sum::<f64>().sqrt()
    }

    /// The gradients by parameter, in the order of the model.
    pub(crate) fn into_parts(self) -> Vec<Option<Gradient>> {
        self.parts
    }

    /// Takes out the gradients of some parameters.
    pub(crate) fn take(&mut self, indices: &[usize]) -> Vec<Option<Gradient>> {
        indices.iter().map(|&index| self.parts.get_mut(index)?.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn dense(values: &[f32]) -> Gradient {
        Gradient::Dense(Tensor::from_floats(values, &Device::flex()))
    }

    fn rows(ids: &[i32], values: &[f32]) -> Gradient {
        Gradient::Rows(RowGradient::from_tokens(ids, values, 1))
    }

    /// Two gradients: both have a vector and rows of a table, and only the second has a further vector.
    fn two() -> Vec<Gradients> {
        let first = vec![Some(dense(&[1.0, 2.0])), Some(rows(&[3, 5], &[1.0, 2.0])), None];
        let second = vec![dense(&[-1.0, 1.0]), rows(&[5], &[4.0]), dense(&[7.0])];
        vec![
            Gradients { parts: first },
            Gradients { parts: second.into_iter().map(Some).collect() },
        ]
    }

    #[test]
    fn products_are_over_shared_parameters() {
        let all = two();
        let product = |i: usize, j: usize| all[i].dot_shared(&all[j], &all);
        assert_eq!(
            [product(0, 0), product(0, 1), product(1, 0), product(1, 1)],
            [5.0 + 5.0, 1.0 + 8.0, 1.0 + 8.0, 2.0 + 16.0]
        );
    }

    #[test]
    fn combining_weighs_what_is_shared_and_leaves_the_rest() {
        let sum = Gradients::combine(two(), &[2.0, 3.0], 0.5);
        let numbers: Vec<Vec<f32>> = sum
            .parts
            .into_iter()
            .flatten()
            .map(|part| match part {
                Gradient::Dense(x) => x.into_data().iter::<f32>().collect(),
                Gradient::Rows(rows) => {
                    assert_eq!(rows.ids(), [3, 5]);
                    rows.values().to_vec()
                }
            })
            .collect();
        assert_eq!(numbers, [vec![-1.0, 7.0], vec![2.0, 16.0], vec![3.5]]);
    }
}
