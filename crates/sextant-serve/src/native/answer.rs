//! `POST /v1/relevance`: what is answered.

use super::{ErrorDetail, TaskName};
use serde::Serialize;
use sextant_core::{Grade, Prediction};
use utoipa::ToSchema;

/// The answers to a request's pairs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RelevanceResponse {
    /// The name of the model that answered.
    #[schema(example = "default")]
    pub model: String,
    /// The SHA-256 of the manifest of the bundle or ensemble that answered, in hexadecimal. It changes when the
    /// model is replaced.
    pub sha256: String,
    /// An outcome for each pair, in the order of the pairs.
    pub results: Vec<PairOutcome>,
    /// What the answers took.
    pub usage: Usage,
    /// How long the answers took.
    pub timing: Timing,
}

/// What came of a pair: an answer or an error.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PairOutcome {
    /// The pair's position in the request, from 0. In a stream, it is the position among its pairs.
    pub index: usize,
    /// The caller's name for the pair, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The answer, if there is one.
    #[serde(flatten)]
    pub answer: Option<PairAnswer>,
    /// Why there is no answer. One bad pair does not spoil the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
}

/// The answer to a pair.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PairAnswer {
    /// The pair's task.
    pub task: TaskName,
    /// The most probable grade: 0, 1 or 2.
    #[schema(value_type = u8, maximum = 2)]
    pub grade: Grade,
    /// The grade's name: irrelevant, partial or relevant.
    #[schema(value_type = String, example = "relevant")]
    pub label: &'static str,
    /// The expected grade divided by 2, in [0, 1].
    pub score: f32,
    /// The probability of each grade.
    pub probabilities: Probabilities,
    /// How many tokens the models read for this pair.
    pub tokens: usize,
    /// How many tokens were cut from each side because the pair is too long. All are counted for the member
    /// that lost most. Of a text many times longer than the model reads, only a part is tokenized, and what lies
    /// behind that part is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutTokens>,
    /// Whether the answer came from the cache.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// What each member answered, if `votes` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Vec<MemberVote>>,
}

/// The probabilities of the three grades; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Probabilities {
    /// Of grade 0.
    pub irrelevant: f32,
    /// Of grade 1.
    pub partial: f32,
    /// Of grade 2.
    pub relevant: f32,
}

impl Probabilities {
    /// The probabilities in the order of the grades.
    pub fn in_order(self) -> [f32; 3] {
        [self.irrelevant, self.partial, self.relevant]
    }
}

impl From<Prediction> for Probabilities {
    fn from(prediction: Prediction) -> Self {
        let [irrelevant, partial, relevant] = prediction.probs;
        Self { irrelevant, partial, relevant }
    }
}

/// Numbers of tokens that were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct CutTokens {
    /// From the left side.
    pub left: u32,
    /// From the right side.
    pub right: u32,
}

/// What a member of an ensemble answered.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MemberVote {
    /// The member's name, as `/v1/models` lists it.
    pub member: String,
    /// Its most probable grade.
    #[schema(value_type = u8, maximum = 2)]
    pub grade: Grade,
    /// The grade's name.
    #[schema(value_type = String, example = "relevant")]
    pub label: &'static str,
    /// Its score.
    pub score: f32,
    /// Its probabilities.
    pub probabilities: Probabilities,
}

/// What a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// Pairs in the request.
    pub pairs: usize,
    /// Tokens that models read; pairs from the cache count none.
    pub tokens: usize,
    /// Pairs of which something was cut.
    pub cut: usize,
    /// Pairs that the cache answered.
    pub cached: usize,
    /// Pairs without an answer.
    pub errors: usize,
}

/// How long a request took in the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Timing {
    /// From the request's arrival to its answer, in milliseconds.
    pub total_ms: f64,
    /// Thereof until its first pair was begun, in milliseconds.
    pub queue_ms: f64,
}
