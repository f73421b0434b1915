//! `POST /v1/relevance`: what is asked.

use super::{EntityInput, Readable, TaskName};
use serde::Deserialize;
use utoipa::ToSchema;

/// A request to judge pairs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelevanceRequest {
    /// The name of the model, as `/v1/models` lists it. Without it, the first model of the server answers.
    #[serde(default)]
    #[schema(example = "default")]
    pub model: Option<String>,
    /// The task of pairs that name none.
    #[serde(default)]
    pub task: Option<TaskName>,
    /// The pairs. They may be of several tasks. One that cannot be read gets an error in its place.
    #[schema(value_type = Vec<PairInput>)]
    pub pairs: Vec<Readable<PairInput>>,
    /// Whether to add what each member of an ensemble answered.
    #[serde(default)]
    pub votes: Option<bool>,
    /// After how many milliseconds the answer is of no use any more. The server may have a lower limit.
    #[serde(default)]
    #[schema(example = 2000)]
    pub timeout_ms: Option<u64>,
}

/// A pair to judge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairInput {
    /// The pair's task, if it is another one than the request's.
    #[serde(default)]
    pub task: Option<TaskName>,
    /// The entity that the task names first.
    pub left: EntityInput,
    /// The entity that the task names second.
    pub right: EntityInput,
    /// A name of the caller's own, which comes back with the answer.
    #[serde(default)]
    pub id: Option<String>,
}
