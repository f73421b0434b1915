use std::array::from_fn;
use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, DispatchAutodiffContext, DispatchTensorKind, Flex,
    GradientCheckpointingStrategy,
};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::operation::{AnyTensor, Inputs, Operation};

/// The most tensors that an operation may have. An operation with more needs another arm in the `match` of
/// [`tracked`].
const MOST: usize = 4;

/// Runs the kernel of an operation on tensors of flex devices. If one of the tensors is on an autodiff
/// device, the operation is added to the graph of the backward pass.
///
/// A tensor value is a few hundred bytes, and moving one costs as much as the arithmetic of a small
/// operation. Therefore functions here are inlined, and inputs are not converted to a form that all
/// operations share. burn's attribute for backend extensions would require such a form: a type whose only
/// parameter is the backend.
#[inline(always)]
pub(crate) fn run<P, const R: usize, const O: usize, const D: usize>(
    operation: P,
    inputs: Inputs<AnyTensor, R, O>,
) -> Tensor<D>
where
    P: Operation<R, O>,
{
    const { assert!(R > 0 && R + O <= MOST, "an operation has one to four tensors") };
    let given = inputs.0.iter().chain(inputs.1.iter().flatten()).map(|tensor| tensor.0.autodiff);
    match given.fold(DispatchAutodiffContext::Disabled, DispatchAutodiffContext::merge) {
        DispatchAutodiffContext::Disabled => {
            let inputs = (inputs.0.map(plain), inputs.1.map(|tensor| tensor.map(plain)));
            Tensor::from_primitive::<Flex>(operation.forward(inputs, false).0)
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled) => {
            let y = tracked::<_, NoCheckpointing, _, _>(operation, inputs);
            Tensor::from_primitive::<Autodiff<Flex, NoCheckpointing>>(y)
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Balanced) => {
            let y = tracked::<_, BalancedCheckpointing, _, _>(operation, inputs);
            Tensor::from_primitive::<Autodiff<Flex, BalancedCheckpointing>>(y)
        }
    }
}

/// The flex tensor inside a tensor that is not on an autodiff device.
#[inline(always)]
fn plain(tensor: AnyTensor) -> FlexTensor {
    on_flex(tensor.0.kind).float()
}

/// The autodiff tensor inside a tensor. A tensor on the device without autodiff becomes a constant.
#[inline(always)]
fn lifted<C: CheckpointStrategy>(tensor: AnyTensor) -> FloatTensor<Autodiff<Flex, C>> {
    let kind = tensor.0.kind;
    if let DispatchTensorKind::Autodiff(inner) = kind {
        on_flex(*inner).autodiff()
    } else {
        Autodiff::<Flex, C>::from_inner(on_flex(kind).float())
    }
}

#[inline(always)]
fn on_flex(kind: DispatchTensorKind) -> BackendTensor<Flex> {
    let DispatchTensorKind::Flex(tensor) = kind else {
        panic!("the tensors of an operation are on different devices")
    };
    tensor
}

fn tracked<P, C, const R: usize, const O: usize>(
    operation: P,
    inputs: Inputs<AnyTensor, R, O>,
) -> FloatTensor<Autodiff<Flex, C>>
where
    P: Operation<R, O>,
    C: CheckpointStrategy,
{
    // the nodes of the tensors that are present, without gaps
    let (mut nodes, mut count, mut keep) = ([const { None }; MOST], 0, false);
    let mut part = |tensor| {
        let tensor = lifted::<C>(tensor);
        keep |= tensor.is_tracked();
        let (tensor, node) = tensor.into_parts();
        nodes[count] = Some(node);
        count += 1;
        tensor
    };
    let given = inputs.1.each_ref().map(Option::is_some);
    let inputs = (inputs.0.map(&mut part), inputs.1.map(|tensor| tensor.map(&mut part)));
    let (y, saved) = operation.forward(inputs, keep);
    // burn's type of a backward step has the number of parents as a parameter. This is a macro because burn
    // does not export the type of a node.
    macro_rules! finish {
        ($($node:ident),+) => {
            match Step::<P, R, O>(PhantomData).prepare::<C>([$($node),+]).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    prepared.finish(Kept { operation, saved, given }, y)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(y),
            }
        };
    }
    match nodes {
        [Some(a), None, None, None] => finish!(a),
        [Some(a), Some(b), None, None] => finish!(a, b),
        [Some(a), Some(b), Some(c), None] => finish!(a, b, c),
        [Some(a), Some(b), Some(c), Some(d)] => finish!(a, b, c, d),
        _ => unreachable!("there is a tensor, and there are no gaps"),
    }
}

/// The step of an operation in a backward pass.
#[derive(Debug)]
struct Step<P, const R: usize, const O: usize>(PhantomData<P>);

#[derive(Clone, Debug)]
struct Kept<P, S, const O: usize> {
    operation: P,
    saved: S,
    /// Which of the optional tensors were given. The parents are the required tensors, followed by the given
    /// optional ones.
    given: [bool; O],
}

impl<P, const R: usize, const O: usize, const N: usize> Backward<Flex, N> for Step<P, R, O>
where
    P: Operation<R, O>,
{
    type State = Kept<P, P::Saved, O>;

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        let Kept { operation, saved, given } = ops.state;
        // for each tensor, the node that needs a gradient, if there is one
        let mut parents = ops.parents.into_iter();
        let required: [_; R] = from_fn(|_| parents.next().flatten());
        let optional = given.map(|given| if given { parents.next().flatten() } else { None });
        let wanted =
            (required.each_ref().map(Option::is_some), optional.each_ref().map(Option::is_some));
        let found = operation.backward(saved, dy, wanted);
        let nodes = required.into_iter().chain(optional);
        for (node, gradient) in nodes.zip(found.0.into_iter().chain(found.1)) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}
