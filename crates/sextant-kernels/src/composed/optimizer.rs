use burn::tensor::{ElementConversion, Tensor};

use crate::AdamWStep;

/// See [`crate::adamw`].
pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    step: &AdamWStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let grad = grad * step.grad_scale;
    let m = m * step.beta1 + grad.clone() * (1.0 - step.beta1);
    let v = v * step.beta2 + grad.square() * (1.0 - step.beta2);
    let (first, second) = step.bias_corrections();
    let denominator = v.clone().sqrt() / second.sqrt() + step.eps;
    let param =
        param * (1.0 - step.lr * step.weight_decay) - m.clone() / denominator * (step.lr / first);
    (param, m, v)
}

/// See [`crate::dot`].
pub fn dot<const D: usize>(x: &Tensor<D>, y: &Tensor<D>) -> f64 {
    (x.clone() * y.clone()).sum().into_scalar::<f32>().elem()
}
