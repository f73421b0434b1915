//! `/v1/models` and `/info`: what the server has.

use super::TaskName;
use serde::Serialize;
use utoipa::ToSchema;

/// The models of the server, in the form of OpenAI's list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    #[schema(value_type = String, example = "list")]
    pub object: &'static str,
    /// The models; the first one answers requests that name none.
    pub data: Vec<ModelInfo>,
}

/// Whether a model can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// The model is opened at its first request.
    Closed,
    /// The model answers.
    Ready,
    /// The model could not be opened.
    Failed,
}

/// A model of the server.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelInfo {
    /// The model's name.
    #[schema(example = "default")]
    pub id: String,
    /// Always `model`.
    #[schema(value_type = String, example = "model")]
    pub object: &'static str,
    /// When the model was opened, in seconds since 1970; 0 if it is not open.
    pub created: u64,
    /// Always `sextant`.
    #[schema(value_type = String, example = "sextant")]
    pub owned_by: &'static str,
    /// Whether the model can answer.
    pub state: ModelState,
    /// The SHA-256 of the manifest of the bundle or ensemble, in hexadecimal; absent if it is not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The tasks that the model answers; none if it is not open and its folder does not say.
    pub tasks: Vec<TaskName>,
    /// How members' answers are combined; absent for a single bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The precision of products: f32, bf16, int8, or int8-weights and int4-weights.
    pub precision: String,
    /// The bundles that answer; one for a single bundle.
    pub members: Vec<MemberInfo>,
    /// Why the last attempt to open or reload the model failed; without paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A bundle of a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MemberInfo {
    /// The member's name: `member-1`, `member-2`, … in the order of the manifest.
    pub name: String,
    /// The SHA-256 of the bundle's manifest, in hexadecimal.
    pub sha256: String,
    /// The tasks that it answers.
    pub tasks: Vec<TaskName>,
    /// How it knows the task: `text prefix`, `multi-head`, `multi-head with private layers`, ….
    pub routing: String,
    /// Its family of transformers.
    pub family: String,
    /// The most tokens of a row.
    pub max_tokens: usize,
}

/// What the server is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ServerInfo {
    /// Always `sextant`.
    #[schema(value_type = String, example = "sextant")]
    pub server: &'static str,
    /// The version of Sextant.
    pub version: &'static str,
    /// The name of the model that answers requests that name none.
    pub default_model: String,
    /// The task of pairs in requests of other APIs that name none.
    pub default_task: TaskName,
    /// The models.
    pub models: Vec<ModelInfo>,
    /// The most pairs of a request.
    pub max_pairs: usize,
    /// The most bytes of a request, unpacked.
    pub max_body_bytes: usize,
    /// The most tokens of a request.
    pub max_request_tokens: usize,
}
