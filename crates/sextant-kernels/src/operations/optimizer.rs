//! The optimizer's arithmetic. These functions are not [`Operation`](crate::operation::Operation)s: they
//! return several tensors or a plain number instead of one tensor, change their inputs in place, and have no
//! gradient.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::device::has_kernels;
use crate::flex::buffer::{dense, numbers};
use crate::{AdamWStep, RowGradient, UntouchedRows, composed, kernels, simd};

/// One AdamW step on a parameter and its two moments, all of one shape. Returns them updated; a buffer that
/// no other tensor shares is updated in place.
///
/// All tensors are inner tensors (without autodiff).
///
/// # Panics
/// When the shapes differ or a tensor is on an autodiff device.
pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    step: &AdamWStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let shape = param.dims();
    assert!(
        [grad.dims(), m.dims(), v.dims()] == [shape; 3],
        "adamw: parameter {shape:?}, gradient {:?}, moments {:?} and {:?} differ in shape",
        grad.dims(),
        m.dims(),
        v.dims()
    );
    assert!(step.step > 0, "adamw: steps are counted from 1");
    assert!(
        !param.device().is_autodiff(),
        "adamw: the parameter is tracked by autodiff; pass its inner tensor"
    );
    if has_kernels(&param.device()) {
        flex_adamw(param, grad, m, v, step)
    } else {
        composed::adamw(param, grad, m, v, step)
    }
}

/// [`adamw`](crate::adamw) on an embedding table of which only some rows have a gradient.
///
/// `param`, `m` and `v` are `[vocabulary, width]`, on a flex device without autodiff.
///
/// # Panics
/// When the shapes differ, a row of the gradient is outside the table, or the tensors are on
/// another device.
pub fn adamw_rows(
    param: Tensor<2>,
    gradient: &RowGradient,
    m: Tensor<2>,
    v: Tensor<2>,
    step: &AdamWStep,
    untouched: UntouchedRows,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let shape = param.dims();
    assert!(
        [m.dims(), v.dims()] == [shape; 2] && gradient.width() == shape[1],
        "adamw_rows: parameter {shape:?}, moments {:?} and {:?}, gradient of width {}",
        m.dims(),
        v.dims(),
        gradient.width()
    );
    let device = param.device();
    assert!(
        has_kernels(&device) && !device.is_autodiff(),
        "adamw_rows: runs on the flex device without autodiff, not on {device:?}"
    );
    assert!(step.step > 0, "adamw_rows: steps are counted from 1");
    flex_adamw_rows(param, gradient, m, v, step, untouched)
}

/// The sum of the squares of all elements, in `f64`, for clipping by global norm.
///
/// The result does not depend on the number of threads.
pub fn sum_of_squares<const D: usize>(tensor: &Tensor<D>) -> f64 {
    dot(tensor, tensor)
}

/// The dot product of two tensors, in `f64`: how far two gradients point the same way.
///
/// The result does not depend on the number of threads.
///
/// # Panics
/// When the shapes differ.
pub fn dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    assert_eq!(x.dims(), y.dims(), "dot: shapes differ");
    if has_kernels(&x.device()) { flex_dot(x, y) } else { composed::dot(x, y) }
}

/// The flex primitive of a tensor on a flex device without autodiff.
#[expect(clippy::expect_used, reason = "callers ask for the device first")]
fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor.try_into_primitive::<Flex>().expect("a flex tensor without autodiff")
}

/// The tensor in a buffer of its own size, so that `storage_mut` gives exactly its elements.
fn owned<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let tensor = dense(primitive(tensor));
    let whole = numbers(&tensor).len() == tensor.storage::<f32>().len();
    if whole {
        tensor
    } else {
        // the tensor is a view into a larger buffer
        FlexTensor::from_data(tensor.into_data())
    }
}

fn flex_adamw<const D: usize>(
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

fn flex_adamw_rows(
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

fn flex_dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    let dense = |tensor: &Tensor<D>| {
        let tensor = tensor.clone();
        let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
        dense(primitive(tensor))
    };
    let (x, y) = (dense(x), dense(y));
    kernels::reduce::dot(simd::level(), numbers(&x), numbers(&y))
}
