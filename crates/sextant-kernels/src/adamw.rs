/// One step of AdamW (Loshchilov and Hutter 2019), with PyTorch's semantics.
///
/// ```text
/// g = grad_scale · grad
/// m = beta1 · m + (1 - beta1) · g            v = beta2 · v + (1 - beta2) · g²
/// p = (1 - lr · weight_decay) · p - lr · m̂ / (sqrt(v̂) + eps)
/// m̂ = m / (1 - beta1^step)                   v̂ = v / (1 - beta2^step)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay: 0 for parameters that must not decay.
    pub weight_decay: f64,
    /// The number of this step, counted from 1. The moments start at zero, and the step corrects their bias.
    pub step: u64,
    /// The factor that the gradient is multiplied by first. It is meant for the mean over accumulated batches and
    /// for norm clipping.
    pub grad_scale: f32,
}

impl AdamWStep {
    /// `1 - beta^step`.
    pub(crate) fn bias_corrections(&self) -> (f64, f64) {
        let power = |beta: f64| 1.0 - beta.powf(self.step as f64);
        (power(self.beta1), power(self.beta2))
    }

    /// The factor by which weight decay multiplies a parameter.
    pub(crate) fn keep(&self) -> f32 {
        (1.0 - self.lr * self.weight_decay) as f32
    }
}
