use burn::tensor::Tensor;

use super::has_kernels;
use crate::{AdamWStep, RowGradient, UntouchedRows, composed, flex};

/// One AdamW step on a parameter and its two moments, all of one shape: returns them updated, in
/// place where nothing else holds their buffers.
///
/// Takes inner tensors (without autodiff).
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
        flex::adamw(param, grad, m, v, step)
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
    flex::adamw_rows(param, gradient, m, v, step, untouched)
}

/// The sum of the squares of all elements, in `f64`, for clipping by global norm.
///
/// The result does not depend on the number of threads.
pub fn sum_of_squares<const D: usize>(tensor: &Tensor<D>) -> f64 {
    dot(tensor, tensor)
}

/// The sum of the products of two tensors' elements, in `f64`: how far gradients point the same way.
///
/// The result does not depend on the number of threads.
///
/// # Panics
/// When the shapes differ.
pub fn dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    assert_eq!(x.dims(), y.dims(), "dot: shapes differ");
    if has_kernels(&x.device()) { flex::dot(x, y) } else { composed::dot(x, y) }
}
