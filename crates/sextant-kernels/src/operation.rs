use std::fmt::Debug;

use burn::backend::{DispatchTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

/// The tensors of an operation: `R` required ones, then `O` optional ones. A backward pass adds gradients to
/// them in this order.
pub(crate) type Inputs<T, const R: usize, const O: usize = 0> = ([T; R], [Option<T>; O]);

/// For each tensor, whether its gradient is wanted.
pub(crate) type Wanted<const R: usize, const O: usize = 0> = ([bool; R], [bool; O]);

/// The gradient of each tensor. Gradients that are not wanted may be left out.
pub(crate) type Gradients<const R: usize, const O: usize = 0> =
    ([Option<FlexTensor>; R], [Option<FlexTensor>; O]);

/// An operation on tensors: its definition, its kernel and its gradient.
///
/// A value of a type with this trait holds all arguments of a call except its tensors. `operations/run.rs`
/// chooses between the kernel and the definition, and calls it.
pub(crate) trait Operation<const R: usize, const O: usize = 0>:
    Clone + Debug + Send + 'static
{
    /// The name of the operation's function at the crate's root.
    const NAME: &'static str;

    /// What the backward pass needs besides the operation itself. It is kept in memory until then; handles of
    /// tensors that are in memory anyway cost nothing. burn requires `Clone`, but never clones a value.
    type Saved: Clone + Debug + Send + 'static;

    /// The definition, made of burn's own operations, which runs on devices without kernels.
    fn composed(&self, inputs: Inputs<AnyTensor, R, O>) -> AnyTensor;

    /// The kernel. `keep` states whether a backward pass may follow. If not, values that only a backward pass
    /// needs and that are costly to save are left out of [`Operation::Saved`].
    fn forward(&self, inputs: Inputs<FlexTensor, R, O>, keep: bool) -> (FlexTensor, Self::Saved);

    /// Computes the gradients of the tensors from `dy`, the gradient of the result.
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
    /// Whether operations on the tensor's device run as handwritten kernels.
    pub(crate) fn has_kernels(&self) -> bool {
        let kind = &self.0.kind;
        let kind = if let DispatchTensorKind::Autodiff(inner) = kind { inner } else { kind };
        matches!(kind, DispatchTensorKind::Flex(_))
    }
}
