use std::fmt::Debug;

use burn::backend::{DispatchTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

/// The tensors of an operation: `R` that it always has, then `O` that it can do without. A backward
/// pass adds gradients to them in this order.
pub(crate) type Inputs<T, const R: usize, const O: usize = 0> = ([T; R], [Option<T>; O]);

/// Which of the tensors want a gradient.
pub(crate) type Wanted<const R: usize, const O: usize = 0> = ([bool; R], [bool; O]);

/// The gradient of each tensor; those that nobody wants may be left out.
pub(crate) type Gradients<const R: usize, const O: usize = 0> =
    ([Option<FlexTensor>; R], [Option<FlexTensor>; O]);

/// An operation on tensors: its definition, its kernel and its gradient.
///
/// A value of the type is everything that a call is told besides its tensors. `operations/run.rs` does the rest.
pub(crate) trait Operation<const R: usize, const O: usize = 0>:
    Clone + Debug + Send + 'static
{
    /// The name of its function at the crate's root.
    const NAME: &'static str;

    /// What the backward pass needs, besides the operation itself. It is held until then: handles of
    /// tensors that are in memory anyway cost nothing. burn asks that it can be cloned, and never clones it.
    type Saved: Clone + Debug + Send + 'static;

    /// The definition, made of burn's own operations, for devices without kernels.
    fn composed(&self, inputs: Inputs<AnyTensor, R, O>) -> AnyTensor;

    /// The kernel. `keep` says whether a backward pass may follow: what is costly to save, and saved for
    /// it alone, is left out of [`Operation::Saved`] otherwise.
    fn forward(&self, inputs: Inputs<FlexTensor, R, O>, keep: bool) -> (FlexTensor, Self::Saved);

    /// The gradients of the tensors, from `dy`, that of the result.
    fn backward(&self, saved: Self::Saved, dy: FlexTensor, wanted: Wanted<R, O>)
    -> Gradients<R, O>;
}

/// A tensor of floats with any number of dimensions.
pub(crate) struct AnyTensor(pub(crate) DispatchTensor);

impl<const D: usize> From<Tensor<D>> for AnyTensor {
    fn from(tensor: Tensor<D>) -> Self {
        Self(tensor.into_dispatch())
    }
}

impl<const D: usize> From<AnyTensor> for Tensor<D> {
    fn from(tensor: AnyTensor) -> Self {
        Self::from_dispatch(tensor.0)
    }
}

impl AnyTensor {
    /// Whether the handwritten kernels serve its device.
    pub(crate) fn has_kernels(&self) -> bool {
        let kind = &self.0.kind;
        let kind = if let DispatchTensorKind::Autodiff(inner) = kind { inner } else { kind };
        matches!(kind, DispatchTensorKind::Flex(_))
    }
}
