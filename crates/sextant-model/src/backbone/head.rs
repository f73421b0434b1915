//! How the classification head of a pretrained checkpoint is used.
//!
//! | the checkpoint's head | becomes |
//! |---|---|
//! | three labels, which are named like Sextant's grades in any order or are unnamed | a head of three grades, with the rows in the order of the grades |
//! | one label, the relevance z of a reranker | a head of three grades with logits −z, 0 and z, so that the expected grade rises with z; or the weights of a cumulative head, whose middle grade lies around 0 |
//! | two labels, irrelevant and relevant or unnamed | the same as one label, with z = logit of the higher label − logit of the lower one |
//! | anything else (topics, entailment) | unused: heads start with random weights, and `import` refuses the checkpoint |

use super::labels::{Labels, Order};
use crate::branch::THRESHOLDS_APART;
use crate::families::{Format, Source};
use crate::{Archive, BackboneConfig, ModelError, NormKind};
use sextant_core::Grade;

/// The classification head of a checkpoint.
pub(super) enum Found {
    /// No head.
    Absent,
    /// A head whose labels are not grades of relevance; the text describes the labels.
    Other(String),
    /// A head that judges relevance.
    Relevance(Head),
}

/// A head's weights in the model's layout: each column belongs to a label, the lowest grade first.
pub(super) struct Head {
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// The labels in the checkpoint's numbering, the lowest grade first.
    order: Vec<usize>,
}

/// The names in the plain backbone of the parameters between the backbone and the logits that exist with this
/// configuration.
pub(super) fn parts(config: &BackboneConfig) -> impl Iterator<Item = &'static str> {
    let dense = config.dense;
    let shifted = config.block.norm == NormKind::Layer;
    let parts = [
        ("dense.weight", true),
        ("dense.bias", dense.bias),
        ("dense_norm.gamma", dense.norm),
        ("dense_norm.beta", dense.norm && shifted),
        ("classifier.weight", true),
        ("classifier.bias", !config.head_bias_absent),
    ];
    parts.into_iter().filter_map(|(name, present)| present.then_some(name))
}

/// The checkpoint's name of a parameter, if the family stores it as a single tensor.
pub(super) fn tensor(format: &Format, archive: &Archive, part: &str) -> Option<String> {
    match (format.source)(part)? {
        Source::Plain(name) | Source::Transposed(name) => Some(format.place(archive, &name)),
        Source::Concat(_) | Source::ConcatTransposed(_) => None,
    }
}

impl Head {
    /// Reads the checkpoint's head. It is an error if a part of the head is missing, has a wrong shape or is
    /// not finite, and if labels contradict each other or the head.
    pub(super) fn find(
        format: &Format,
        archive: &Archive,
        config: &BackboneConfig,
        labels: &Labels,
    ) -> Result<Found, ModelError> {
        let name = |part: &str| tensor(format, archive, part).unwrap_or_default();
        let (weight, bias) = (name("classifier.weight"), name("classifier.bias"));
        let Some(shape) = archive.shape(&weight) else {
            return match archive.shape(&bias) {
                Some(_) if !format.is_passed_over(&bias) => Err(archive.problem(format!(
                    "tensor `{weight}` is missing, though `{bias}` is there; was the checkpoint saved whole?"
                ))),
                _ => Ok(Found::Absent),
            };
        };
        let (count, inputs) = match *shape {
            [count, inputs] if count > 0 && inputs == config.hidden_size => (count, inputs),
            _ => {
                return Err(archive.problem(format!(
                    "tensor `{weight}` has shape {shape:?}; a head needs [labels, {}]",
                    config.hidden_size
                )));
            }
        };
        let order = labels.order(count).map_err(|reason| {
            archive.problem(format!(
                "the head has {count} labels, but in config.json {reason}; correct or remove `id2label` and `label2id` there"
            ))
        })?;
        let Order::Relevance(rows) = order else {
            let names = match labels.names() {
                [] => "unnamed".to_owned(),
                names => names.join(", "),
            };
            return Ok(Found::Other(format!("{count} labels ({names})")));
        };
        let matrix = archive.get(&weight, &[count, inputs])?;
        let shifts = if config.head_bias_absent {
            vec![0.0; count]
        } else {
            archive.get(&bias, &[count])?.into_owned()
        };
        let weight = (0..inputs)
            .flat_map(|input| rows.iter().map(move |row| (input, row)))
            .map(|(input, row)| matrix[row * inputs + input])
            .collect();
        let bias = rows.iter().map(|&row| shifts[row]).collect();
        Ok(Found::Relevance(Self { weight, bias, order: rows }))
    }

    /// The labels in the checkpoint's numbering, the lowest grade first.
    pub(super) fn into_order(self) -> Vec<usize> {
        self.order
    }

    /// The values for the weight `[hidden, outputs]` or the bias `[outputs]` of a head of the model; `None`
    /// if the checkpoint's head cannot be converted to this number of outputs.
    pub(super) fn values(
        &self,
        canonical: &str,
        shape: &[usize],
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(&outputs) = shape.last() else { return Ok(None) };
        let values = if canonical.ends_with("weight") { &self.weight } else { &self.bias };
        if values.len() / self.order.len() * outputs != shape.iter().product::<usize>() {
            return Err(ModelError::Config(format!(
                "the checkpoint's head reads {} numbers, the model's {}",
                self.weight.len() / self.order.len(),
                shape[0]
            )));
        }
        // Converts the weights of one input (or the biases) from the checkpoint's labels to the outputs.
        let spread = |labels: &[f32]| -> Option<Vec<f32>> {
            let z = match *labels {
                [one] => one,
                [zero, one] => one - zero,
                _ if labels.len() == outputs => return Some(labels.to_vec()),
                _ => return None,
            };
            match outputs {
                // The relevance of 0 lies in the middle of the scale, as it does with three logits.
                1 if canonical.ends_with("bias") => Some(vec![z + THRESHOLDS_APART / 2.0]),
                1 => Some(vec![z]),
                Grade::COUNT => Some(vec![-z, 0.0, z]),
                _ => None,
            }
        };
        let columns: Option<Vec<Vec<f32>>> =
            values.chunks_exact(self.order.len()).map(spread).collect();
        Ok(columns.map(|columns| columns.concat()))
    }
}
