//! Pairs to classify: what the APIs of classifiers have in common.

use super::document::Document;
use crate::error::ApiError;
use crate::native::{
    EntityInput, PairAnswer, PairInput, RelevanceRequest, RelevanceResponse, TaskName,
};
use crate::service::Service;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sextant_core::Unrepeated;

/// The inputs of a classifier, as Hugging Face's APIs write them: a pair is a list of two texts or an object.
#[derive(Debug)]
pub(super) enum Sides {
    /// Several pairs.
    Many(Vec<Pair>),
    /// One pair.
    One(Pair),
    /// Several pairs, of which the one in this place is none.
    Bad(usize),
    /// A text alone, or several of them, which no model of this server can judge.
    Alone,
}

/// One pair.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Pair {
    Listed(Document, Document),
    Named { text: Document, text_pair: Document },
}

impl<'de> Deserialize<'de> for Sides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unrepeated(value) = Unrepeated::deserialize(deserializer)?;
        Ok(match value {
            Value::Array(list) if list.iter().any(is_pair) => {
                let mut pairs = Vec::with_capacity(list.len());
                for (index, pair) in list.into_iter().enumerate() {
                    match Pair::deserialize(pair) {
                        Ok(pair) => pairs.push(pair),
                        Err(_) => return Ok(Self::Bad(index)),
                    }
                }
                Self::Many(pairs)
            }
            // No inputs at all are no pairs, and not a text alone.
            Value::Array(list) if list.is_empty() => Self::Many(Vec::new()),
            one => Pair::deserialize(one).map_or(Self::Alone, Self::One),
        })
    }
}

/// Whether a value in a list looks like a pair: two products or texts side by side do not.
fn is_pair(value: &Value) -> bool {
    value.is_array() || value.get("text_pair").is_some()
}

/// How pairs are written.
const FORMS: &str =
    "[\"left\", \"right\"], {\"text\": …, \"text_pair\": …}, or a list of such pairs";

impl Sides {
    /// The pairs. `key` names them in an error.
    ///
    /// # Errors
    /// A text stands alone, or a part of a list is no pair.
    pub(super) fn into_pairs(self, key: &str) -> Result<Vec<(Document, Document)>, ApiError> {
        match self {
            Self::One(pair) => Ok(vec![pair.into()]),
            Self::Many(pairs) => Ok(pairs.into_iter().map(Into::into).collect()),
            Self::Bad(index) => Err(ApiError::invalid(format!(
                "pair {index} of `{key}` (counted from 0) is no pair of two texts or products; give {FORMS}"
            ))),
            Self::Alone => Err(ApiError::invalid(format!(
                "`{key}` is no pair, and the models of this server compare two texts; give {FORMS}"
            ))),
        }
    }
}

impl From<Pair> for (Document, Document) {
    fn from(pair: Pair) -> Self {
        match pair {
            Pair::Listed(left, right) => (left, right),
            Pair::Named { text, text_pair } => (text, text_pair),
        }
    }
}

/// Answers pairs of one task. Unlike a ranking, it has no place for a pair without an answer.
///
/// # Errors
/// The request or one of its pairs has no answer.
pub(super) async fn classify(
    service: &Service,
    model: Option<String>,
    task: Option<TaskName>,
    pairs: Vec<(Document, Document)>,
) -> Result<(Vec<PairAnswer>, RelevanceResponse), ApiError> {
    let task = task.map_or(service.default_task, |TaskName(task)| task);
    let (left_kind, right_kind) = task.kinds();
    let inputs = pairs.iter().enumerate().map(|(index, (left, right))| {
        let at = |problem| ApiError::invalid(format!("pair {index} (counted from 0): {problem}"));
        let left = EntityInput(left.entity(left_kind, None).map_err(at)?);
        let right = EntityInput(right.entity(right_kind, None).map_err(at)?);
        Ok(PairInput { task: None, left, right, id: None }.into())
    });
    let request = RelevanceRequest {
        model,
        task: Some(TaskName(task)),
        pairs: inputs.collect::<Result<_, ApiError>>()?,
        votes: None,
        timeout_ms: None,
    };
    let mut response = service.relevance(request, service.unknown).await?;
    let outcomes = std::mem::take(&mut response.results).into_iter();
    let answers = outcomes.map(|outcome| match (outcome.answer, outcome.error) {
        (Some(answer), _) => Ok(answer),
        (None, Some(error)) => {
            let message = format!("pair {} (counted from 0): {}", outcome.index, error.message);
            Err(ApiError::new(error.code, message))
        }
        (None, None) => Err(ApiError::internal()),
    });
    Ok((answers.collect::<Result<_, _>>()?, response))
}
