//! Errors as they stand in answers.

use serde::Serialize;
use sextant_text::Side;
use utoipa::ToSchema;

/// The kind of an error, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body is not what the API expects.
    InvalidRequest,
    /// A text is empty, or the tokenizer finds nothing in it.
    EmptyText,
    /// The model does not answer the task.
    UnknownTask,
    /// There is no model of this name.
    UnknownModel,
    /// There is no such page.
    NotFound,
    /// The page does not take this method.
    MethodNotAllowed,
    /// The API key is missing or wrong.
    Unauthorized,
    /// The request has more pairs, bytes or tokens than the server takes.
    TooLarge,
    /// The server is busy: try again after the seconds of `Retry-After`.
    QueueFull,
    /// The API key's allowance is used up: try again after the seconds of `Retry-After`.
    RateLimited,
    /// The answer was not ready in time.
    Timeout,
    /// The server is about to stop, or the model is being opened.
    Unavailable,
    /// The model answered with something that is no number.
    NoAnswer,
    /// A fault of the server.
    Internal,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// The kind of the error.
    pub code: ErrorCode,
    /// What is wrong, where, and how to mend it. It repeats no text of the request.
    pub message: String,
    /// The side of the pair that is blank, for answers that have other names for it.
    #[serde(skip)]
    pub(crate) blank: Option<Side>,
}

/// The body of an answer with an error status. The message stands in three places, because clients look for it
/// in different ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
    /// The message once more.
    pub message: String,
    /// The message once more.
    pub detail: String,
}
