//! `POST /v1/consistency`: do the answers about three related entities contradict each other?

use super::{EntityInput, ErrorDetail, PairAnswer, Readable, TaskName, Timing, Usage};
use serde::{Deserialize, Serialize};
use sextant_eval::TripleKind;
use utoipa::ToSchema;

/// A request to judge triples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyRequest {
    /// The name of the model. Without it, the first model of the server answers.
    #[serde(default)]
    #[schema(example = "default")]
    pub model: Option<String>,
    /// The triples. One that cannot be read gets an error in its place.
    #[schema(value_type = Vec<Triple>)]
    pub triples: Vec<Readable<Triple>>,
    /// After how many milliseconds the answer is of no use any more.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Three related entities: a query, a product and a type, or two queries and a product.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Triple {
    /// The query.
    pub query: EntityInput,
    /// The product.
    pub product: EntityInput,
    /// The type, or else `other_query`.
    #[serde(default, rename = "type")]
    pub product_type: Option<EntityInput>,
    /// The second query, or else `type`.
    #[serde(default)]
    pub other_query: Option<EntityInput>,
    /// A name of the caller's own, which comes back with the answer.
    #[serde(default)]
    pub id: Option<String>,
}

/// The answers to a request's triples.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ConsistencyResponse {
    /// The name of the model that answered.
    pub model: String,
    /// The SHA-256 of the model's manifest, in hexadecimal.
    pub sha256: String,
    /// An outcome for each triple, in the order of the triples.
    pub results: Vec<TripleOutcome>,
    /// How many triples are contradictory.
    pub contradictory: usize,
    /// What the answers took.
    pub usage: Usage,
    /// How long the answers took.
    pub timing: Timing,
}

/// What came of a triple: an answer or an error.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TripleOutcome {
    /// The triple's position in the request, from 0.
    pub index: usize,
    /// The caller's name for the triple, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The answer, if all three pairs have one.
    #[serde(flatten)]
    pub answer: Option<TripleAnswer>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
}

/// The answer to a triple.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TripleAnswer {
    /// Which entities the triple has: `query-product-type` or `query-query-product`.
    #[schema(value_type = String, example = "query-product-type")]
    pub kind: TripleKind,
    /// Whether exactly two pairs are relevant and the third is irrelevant.
    pub contradictory: bool,
    /// The position in `pairs` of the pair that is irrelevant, if the triple is contradictory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd: Option<usize>,
    /// The task of that pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd_task: Option<TaskName>,
    /// The answers to the three pairs. A query, a product and a type give query-product, query-type and
    /// product-type; two queries and a product give query-query and query-product of either query.
    pub pairs: Vec<PairAnswer>,
}
