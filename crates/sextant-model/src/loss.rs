//! The losses that training minimises.

use crate::{HeadKind, ModelError};
use burn::tensor::{Tensor, TensorData, activation};
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
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { kind: LossKind::CrossEntropy, label_smoothing: 0.0, class_weights: [1.0; 3] }
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
/// −(1−ε) w_y log p_y − ε/K · Σ_c w_c log p_c.
pub fn row_losses(
    logits: Tensor<2>,
    grades: &[Grade],
    weights: &[f32],
    config: &LossConfig,
) -> Tensor<1> {
    match config.kind {
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
            (loss * matrix(scale)).sum_dim(1).squeeze_dim::<1>(1)
        }
    }
}
