//! The losses that training minimises.

use crate::{HeadKind, ModelError};
use burn::tensor::{Device, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use sextant_core::Grade;
use sextant_kernels::{self as kernels, ClassTargets};

/// The kind of loss; it decides the kind of head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Softmax cross-entropy over the grades.
    #[default]
    CrossEntropy,
    /// The sum of the binary cross-entropies of all steps of the scale (Cao, Mirjalili & Raschka 2020,
    /// CORAL), so that an error of two grades costs more than an error of one.
    Ordinal,
}

impl LossKind {
    /// The head that this loss trains.
    pub const fn head(self) -> HeadKind {
        match self {
            Self::CrossEntropy => HeadKind::Softmax,
            Self::Ordinal => HeadKind::Cumulative,
        }
    }
}

/// A loss and its options.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The kind of loss.
    pub kind: LossKind,
    /// The share of the target probability that is spread evenly over the grades; for cross-entropy only.
    pub label_smoothing: f32,
    /// The weight of each grade.
    pub class_weights: [f32; Grade::COUNT],
    /// The focusing parameter γ of the focal loss (Lin et al. 2017): the loss of a row, or of a step of the
    /// scale, is multiplied by `(1 − p)^γ`, where p is the probability of what is true, so that rows that the
    /// model answers well count less. 0 is the plain loss.
    #[serde(skip_serializing_if = "is_zero")]
    pub focal_gamma: f32,
    /// The β of the class-balanced loss (Cui et al. 2019): of a task with n training rows of a grade, a row of
    /// this grade counts `(1 − β) / (1 − β^n)`, scaled so that the task's rows count 1 on average. 0 counts all
    /// rows alike, 0.999 is usual, and 1 counts all grades alike, however many rows each has. It is applied to
    /// the weights of training rows, not in [`row_losses`].
    #[serde(skip_serializing_if = "is_zero")]
    pub class_balance: f32,
}

/// Whether an option has the value that files mean which do not state it.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            kind: LossKind::CrossEntropy,
            label_smoothing: 0.0,
            class_weights: [1.0; 3],
            focal_gamma: 0.0,
            class_balance: 0.0,
        }
    }
}

impl LossConfig {
    /// Checks the options; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(ModelError::Config(format!(
                "`label_smoothing` {} is not in [0, 1)",
                self.label_smoothing
            )));
        }
        if self.label_smoothing > 0.0 && self.kind == LossKind::Ordinal {
            return Err(ModelError::Config(
                "`label_smoothing` is for `kind = \"cross_entropy\"`; set it to 0 for the ordinal loss".into(),
            ));
        }
        if !(self.focal_gamma.is_finite() && self.focal_gamma >= 0.0) {
            return Err(ModelError::Config(format!(
                "`focal_gamma` {} is not a number of 0 or more",
                self.focal_gamma
            )));
        }
        if self.focal_gamma > 0.0 && self.label_smoothing > 0.0 {
            return Err(ModelError::Config(
                "`focal_gamma` and `label_smoothing` cannot be combined; set one of them to 0"
                    .into(),
            ));
        }
        if !(0.0..=1.0).contains(&self.class_balance) {
            return Err(ModelError::Config(format!(
                "`class_balance` {} is not in [0, 1]",
                self.class_balance
            )));
        }
        if !self.class_weights.iter().all(|w| w.is_finite() && *w > 0.0) {
            return Err(ModelError::Config(format!(
                "`class_weights` {:?} must be finite and positive",
                self.class_weights
            )));
        }
        Ok(())
    }
}

/// The loss of each row multiplied by the row's weight, `[rows]`.
///
/// Cross-entropy with smoothing and class weights is that of PyTorch's `CrossEntropyLoss` with
/// `reduction="none"`: with weights w, smoothing ε and K grades, row loss =
/// −(1−ε) w_y log p_y − ε/K · Σ_c w_c log p_c. The focal loss is that of torchvision's `sigmoid_focal_loss` for
/// the steps of the ordinal loss, and its counterpart of a softmax for cross-entropy.
pub fn row_losses(
    logits: Tensor<2>,
    grades: &[Grade],
    weights: &[f32],
    config: &LossConfig,
) -> Tensor<1> {
    let of_rows = |scale: Vec<f32>, device: &Device| {
        Tensor::<1>::from_data(TensorData::new(scale, [grades.len()]), device)
    };
    match config.kind {
        LossKind::CrossEntropy if config.focal_gamma > 0.0 => {
            let device = logits.device();
            let targets = ClassTargets {
                classes: grades.iter().map(|grade| grade.index() as u32).collect(),
                row_weights: vec![1.0; grades.len()],
                class_weights: vec![1.0; Grade::COUNT],
                label_smoothing: 0.0,
            };
            let scale = grades.iter().zip(weights);
            let scale = scale.map(|(grade, weight)| weight * config.class_weights[grade.index()]);
            let plain = kernels::cross_entropy(logits, &targets);
            focal(plain, config.focal_gamma) * of_rows(scale.collect(), &device)
        }
        LossKind::CrossEntropy => kernels::cross_entropy(
            logits,
            &ClassTargets {
                classes: grades.iter().map(|grade| grade.index() as u32).collect(),
                row_weights: weights.to_vec(),
                class_weights: config.class_weights.to_vec(),
                label_smoothing: config.label_smoothing,
            },
        ),
        LossKind::Ordinal => {
            let (device, outputs) = (logits.device(), config.kind.head().outputs());
            let matrix = |values: Vec<f32>| {
                Tensor::<2>::from_data(TensorData::new(values, [grades.len(), outputs]), &device)
            };
            let (mut passed, mut scale) = (Vec::new(), Vec::new());
            for (grade, weight) in grades.iter().zip(weights) {
                for step in 1..=outputs {
                    passed.push(if grade.index() >= step { 1.0 } else { 0.0 });
                    scale.push(weight * config.class_weights[grade.index()]);
                }
            }
            // The binary cross-entropy of logit c and target t as max(c, 0) − c·t + log(1 + e^−|c|), which
            // cannot overflow.
            let softplus = (logits.clone().abs().neg().exp() + 1.0).log();
            let loss = activation::relu(logits.clone()) - logits * matrix(passed) + softplus;
            let loss = focal(loss, config.focal_gamma);
            (loss * matrix(scale)).sum_dim(1).squeeze_dim::<1>(1)
        }
    }
}

/// The focal loss of negative log probabilities: each times `(1 − p)^γ`.
fn focal<const D: usize>(loss: Tensor<D>, gamma: f32) -> Tensor<D> {
    if gamma == 0.0 {
        return loss;
    }
    // Where p is 1, the slope of a power below 1 is infinite.
    let rest = (loss.clone().neg().exp().neg() + 1.0).clamp_min(1e-7);
    loss * rest.powf_scalar(gamma)
}
