//! Losses by which a model learns the probabilities of a teacher.

use crate::ModelError;
use burn::tensor::{Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use sextant_core::Grade;

/// The least probability of a teacher, so that its logarithm is a number.
const LEAST: f32 = 1e-6;

/// How far a model's answer is from a teacher's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistillationKind {
    /// The Kullback–Leibler divergence of the teacher's probabilities from the model's, both at the temperature,
    /// times the temperature squared, so that gradients stay of one size (Hinton, Vinyals & Dean 2015).
    #[default]
    Kl,
    /// The mean squared distance of the logits (Ba & Caruana 2014). Logits mean the same with any number added
    /// to all of them, so those of each side are taken from their mean. There is no temperature.
    Mse,
}

/// A loss of distillation and its options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distillation {
    /// The kind of loss.
    pub kind: DistillationKind,
    /// The temperature T of [`DistillationKind::Kl`]: probabilities are taken of logits divided by T.
    pub temperature: f32,
}

impl Distillation {
    /// Checks the options; the error names the key.
    pub fn validate(&self) -> Result<(), ModelError> {
        if self.temperature.is_finite() && self.temperature > 0.0 {
            return Ok(());
        }
        let temperature = self.temperature;
        Err(ModelError::Config(format!("`temperature` {temperature} is not a positive number")))
    }
}

/// The loss of each row multiplied by the row's weight, `[rows]`. `logits` are those of a softmax head,
/// `[rows, 3]`; `teacher` has the probabilities of each row's grades, which sum to 1.
pub fn distillation_losses(
    logits: Tensor<2>,
    teacher: &[[f32; Grade::COUNT]],
    weights: &[f32],
    config: &Distillation,
) -> Tensor<1> {
    let (device, rows) = (logits.device(), teacher.len());
    let matrix = |of: &dyn Fn(&[f32; Grade::COUNT]) -> [f32; Grade::COUNT]| {
        let values: Vec<f32> = teacher.iter().flat_map(of).collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows, Grade::COUNT]), &device)
    };
    let logarithms = |probs: &[f32; Grade::COUNT]| probs.map(|p| p.max(LEAST).ln());
    let losses = match config.kind {
        DistillationKind::Kl => {
            let temperature = config.temperature;
            let soft = |probs: &[f32; Grade::COUNT]| softened(logarithms(probs), temperature);
            let (p, log_p) = (matrix(&soft), matrix(&|probs| logarithms(&soft(probs))));
            let log_q = activation::log_softmax(logits / temperature, 1);
            ((log_p - log_q) * p).sum_dim(1) * (temperature * temperature)
        }
        DistillationKind::Mse => {
            let centred = |probs: &[f32; Grade::COUNT]| {
                let logits = logarithms(probs);
                let mean = logits.iter().sum::<f32>() / Grade::COUNT as f32;
                logits.map(|logit| logit - mean)
            };
            let apart = logits.clone() - logits.mean_dim(1) - matrix(&centred);
            (apart.clone() * apart).mean_dim(1)
        }
    };
    let weights = Tensor::<1>::from_data(TensorData::new(weights.to_vec(), [rows]), &device);
    losses.squeeze_dim::<1>(1) * weights
}

/// The probabilities of logits divided by a temperature.
fn softened(logits: [f32; Grade::COUNT], temperature: f32) -> [f32; Grade::COUNT] {
    let most = logits.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| ((logit - most) / temperature).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}
