//! What becomes of a published checkpoint's classification head.
//!
//! | the checkpoint's head | becomes |
//! |---|---|
//! | three labels that are our grades, or unnamed | a head of three grades: as it is |
//! | one label (a reranker's relevance) | a head of three grades: logits of −z, 0 and z, so that the expected grade rises with z as the reranker's order does; a cumulative head: its direction |
//! | two unnamed labels | as one label, z = logit 1 − logit 0 |
//! | anything else (topics, entailment) | nothing: heads start fresh |

use super::{Format, Source};
use crate::{Archive, ModelError};
use serde_json::Value;
use sextant_core::Grade;

/// A head's weights in our layout: columns are labels.
pub(super) struct Head {
    weight: Vec<f32>,
    bias: Vec<f32>,
    labels: usize,
}

/// The labels that `config.json` names, in the order of their numbers.
pub(super) fn labels(json: &Value) -> Vec<String> {
    let Some(map) = json.get("id2label").and_then(Value::as_object) else { return Vec::new() };
    (0..map.len()).map_while(|id| Some(map.get(&id.to_string())?.as_str()?.to_owned())).collect()
}

/// Whether a head with these labels judges relevance, as far as their names say.
fn judges_relevance(count: usize, labels: &[String]) -> bool {
    let unnamed = labels.iter().all(|label| label.starts_with("LABEL_"));
    let grades = labels.iter().map(String::as_str).eq(Grade::ALL.map(Grade::as_str));
    match count {
        1 => true,
        2 => unnamed,
        3 => unnamed || grades,
        _ => false,
    }
}

impl Head {
    /// The checkpoint's head, if it has one that ours can start from.
    pub(super) fn find(format: &Format, archive: &Archive, labels: &[String]) -> Option<Self> {
        let name = |canonical: &str| match (format.source)(canonical)? {
            Source::Plain(name) | Source::Transposed(name) => Some(name),
            _ => None,
        };
        let weight = name("classifier.weight")?;
        let shape = archive.shape(&weight)?.to_vec();
        let &[count, inputs] = shape.as_slice() else { return None };
        let matrix = archive.get(&weight, &shape).ok()?;
        let bias = name("classifier.bias").and_then(|bias| archive.get(&bias, &[count]).ok());
        let bias = bias.map_or_else(|| vec![0.0; count], std::borrow::Cow::into_owned);
        if !judges_relevance(count, labels) {
            tracing::warn!(
                "the checkpoint's head has {count} labels ({}), which are not grades of relevance: heads start fresh",
                labels.join(", ")
            );
            return None;
        }
        let weight = (0..inputs)
            .flat_map(|row| {
                let matrix = &matrix;
                (0..count).map(move |column| matrix[column * inputs + row])
            })
            .collect();
        Some(Self { weight, bias, labels: count })
    }

    /// The values of our head's weight `[hidden, outputs]` or bias `[outputs]`.
    pub(super) fn values(
        &self,
        canonical: &str,
        shape: &[usize],
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(&outputs) = shape.last() else { return Ok(None) };
        let values = if canonical.ends_with("weight") { &self.weight } else { &self.bias };
        if values.len() / self.labels * outputs != shape.iter().product::<usize>() {
            return Err(ModelError::Config(format!(
                "the checkpoint's head reads {} numbers, the model's {}",
                self.weight.len() / self.labels,
                shape[0]
            )));
        }
        // Of each input, what every output makes of it.
        let spread = |labels: &[f32]| -> Option<Vec<f32>> {
            let z = match *labels {
                [one] => one,
                [zero, one] => one - zero,
                _ if labels.len() == outputs => return Some(labels.to_vec()),
                _ => return None,
            };
            match outputs {
                1 => Some(vec![z]),
                Grade::COUNT => Some(vec![-z, 0.0, z]),
                _ => None,
            }
        };
        let columns: Option<Vec<Vec<f32>>> = values.chunks_exact(self.labels).map(spread).collect();
        Ok(columns.map(|columns| columns.concat()))
    }
}
