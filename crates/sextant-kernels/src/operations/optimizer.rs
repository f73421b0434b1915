//! The optimizer's arithmetic. These functions are not [`Operation`](crate::operation::Operation)s: they
//! return several tensors or a plain number instead of one tensor, change their inputs in place, and have no
//! gradient.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;

use crate::device::has_kernels;
use crate::flex::buffer::{dense, numbers};
use crate::{AdamWStep, Moments, RowGradient, RowMoments, UntouchedRows, composed, kernels, simd};

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

/// [`adamw`](crate::adamw) on moments that are stored in any [`MomentFormat`](crate::MomentFormat). Returns the
/// updated parameter.
///
/// Every step computes in `f32`; moments of other formats are rounded when they are stored again. The results do not
/// depend on the number of threads.
///
/// # Panics
/// When the shapes differ, or a tensor is on an autodiff device.
pub fn adamw_stored<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    moments: &mut Moments,
    step: &AdamWStep,
) -> Tensor<D> {
    let shape = param.shape();
    let (count, device) = (shape.num_elements(), param.device());
    assert!(
        grad.shape() == shape && moments.lines() * moments.width() == count,
        "adamw_stored: parameter {shape:?}, gradient {:?}, moments of {} numbers differ in shape",
        grad.shape(),
        moments.lines() * moments.width()
    );
    assert!(step.step > 0, "adamw_stored: steps are counted from 1");
    assert!(!device.is_autodiff(), "adamw_stored: the parameter is tracked by autodiff");
    let level = simd::level();
    if !has_kernels(&device) {
        let [m, v] = kernels::moments::read(level, moments)
            .map(|numbers| Tensor::from_data(TensorData::new(numbers, shape.clone()), &device));
        let (param, m, v) = composed::adamw(param, grad, m, v, step);
        let values = |tensor: Tensor<D>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        kernels::moments::write(level, moments, &[values(m), values(v)], step.step);
        return param;
    }
    let (mut param, grad) = (owned(param), dense(primitive(grad)));
    kernels::adamw::step_stored(level, param.storage_mut(), numbers(&grad), moments, step);
    Tensor::from_primitive::<Flex>(param)
}

/// [`adamw`](crate::adamw) on an embedding table of which only some rows have a gradient. Returns the updated table.
///
/// `param` is `[vocabulary, width]`, on a flex device without autodiff.
///
/// # Panics
/// When the shapes differ, a row of the gradient is outside the table, or the table is on another device.
pub fn adamw_rows(
    param: Tensor<2>,
    gradient: &RowGradient,
    moments: &mut RowMoments,
    step: &AdamWStep,
    untouched: UntouchedRows,
) -> Tensor<2> {
    let shape = param.dims();
    assert!(
        [moments.rows(), moments.width()] == shape && gradient.width() == shape[1],
        "adamw_rows: parameter {shape:?}, moments of {} rows of {}, gradient of width {}",
        moments.rows(),
        moments.width(),
        gradient.width()
    );
    let device = param.device();
    assert!(
        has_kernels(&device) && !device.is_autodiff(),
        "adamw_rows: runs on the flex device without autodiff, not on {device:?}"
    );
    assert!(step.step > 0, "adamw_rows: steps are counted from 1");
    let mut param = owned(param);
    let level = simd::level();
    kernels::adamw::step_rows(level, param.storage_mut(), gradient, moments, step, untouched);
    Tensor::from_primitive::<Flex>(param)
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

fn flex_dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    let dense = |tensor: &Tensor<D>| {
        let tensor = tensor.clone();
        let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
        dense(primitive(tensor))
    };
    let (x, y) = (dense(x), dense(y));
    kernels::reduce::dot(simd::level(), numbers(&x), numbers(&y))
}
