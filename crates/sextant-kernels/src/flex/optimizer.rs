use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::buffer::{dense, numbers};
use crate::{AdamWStep, RowGradient, UntouchedRows, kernels, simd};

/// The flex primitive of a tensor on a flex device without autodiff.
#[expect(clippy::expect_used, reason = "callers ask for the device first")]
pub(super) fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor.try_into_primitive::<Flex>().expect("a flex tensor without autodiff")
}

/// The tensor in a form that `storage_mut` shows exactly its elements of.
fn owned<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let tensor = dense(primitive(tensor));
    let whole = numbers(&tensor).len() == tensor.storage::<f32>().len();
    if whole {
        tensor
    } else {
        // a view into a larger buffer
        FlexTensor::from_data(tensor.into_data())
    }
}

pub(crate) fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    step: &AdamWStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let grad = dense(primitive(grad));
    let (mut param, mut m, mut v) = (owned(param), owned(m), owned(v));
    kernels::adamw::step(
        simd::level(),
        param.storage_mut(),
        numbers(&grad),
        m.storage_mut(),
        v.storage_mut(),
        step,
    );
    let tensor = |primitive| Tensor::from_primitive::<Flex>(primitive);
    (tensor(param), tensor(m), tensor(v))
}

pub(crate) fn adamw_rows(
    param: Tensor<2>,
    gradient: &RowGradient,
    m: Tensor<2>,
    v: Tensor<2>,
    step: &AdamWStep,
    untouched: UntouchedRows,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let (mut param, mut m, mut v) = (owned(param), owned(m), owned(v));
    kernels::adamw::step_rows(
        simd::level(),
        param.storage_mut(),
        gradient,
        m.storage_mut(),
        v.storage_mut(),
        step,
        untouched,
    );
    let tensor = |primitive| Tensor::from_primitive::<Flex>(primitive);
    (tensor(param), tensor(m), tensor(v))
}

pub(crate) fn dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    let dense = |tensor: &Tensor<D>| {
        let tensor = tensor.clone();
        let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
        dense(primitive(tensor))
    };
    let (x, y) = (dense(x), dense(y));
    kernels::reduce::dot(simd::level(), numbers(&x), numbers(&y))
}
