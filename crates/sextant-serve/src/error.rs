//! Errors of requests: a status for machines, a code for programs, a message for people.

use crate::engine::{PairFault, Refused};
use crate::native::{ErrorBody, ErrorCode, ErrorDetail, Unreadable};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sextant_core::Task;
use sextant_text::Side;
use std::time::Duration;

/// Why a request has no answer. The message says what, where and how to mend it; it repeats no text of the
/// request and names no path of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The kind of the error.
    pub(crate) code: ErrorCode,
    /// What is wrong.
    pub(crate) message: String,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
    /// The side of a pair that is blank.
    pub(crate) blank: Option<Side>,
}

impl ApiError {
    /// An error of some kind.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let status = match code {
            ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
            ErrorCode::EmptyText | ErrorCode::UnknownTask => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::UnknownModel | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::QueueFull | ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::NoAnswer | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code, message: message.into(), retry_after: None, blank: None }
    }

    /// A request that is not what the API expects.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// A fault of the server, which its log tells.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::Internal, "a fault of the server; its log says more")
    }

    /// A part of a request that cannot be read, such as `pairs[3]`.
    pub(crate) fn of_part(list: &str, index: usize, unreadable: &Unreadable) -> Self {
        let Unreadable { place, problem, .. } = unreadable;
        let dot = if place.is_empty() || place.starts_with('[') { "" } else { "." };
        Self::invalid(format!("`{list}[{index}]{dot}{place}`: {problem}"))
    }

    /// The answer was not ready in time.
    pub(crate) fn timeout(after: Duration) -> Self {
        let message = format!(
            "the answer was not ready within {} ms; send fewer pairs, or raise `timeout_ms` or the server's limit",
            after.as_millis()
        );
        Self::new(ErrorCode::Timeout, message)
    }

    /// The key's allowance is used up for some time.
    pub(crate) fn rate_limited(wait: Duration) -> Self {
        let message = format!(
            "the API key has used up its allowance; try again in {} s",
            wait.as_secs_f64().ceil().max(1.0)
        );
        // Whole seconds, and not too few of them.
        let wait = Duration::from_secs(wait.as_secs() + 1);
        Self { retry_after: Some(wait), ..Self::new(ErrorCode::RateLimited, message) }
    }

    /// The error without its status, as it stands beside a single pair.
    pub(crate) fn detail(self) -> ErrorDetail {
        ErrorDetail { code: self.code, message: self.message, blank: self.blank }
    }

    /// Why a pair has no answer.
    pub(crate) fn of_pair(fault: &PairFault, task: Task) -> Self {
        match fault {
            PairFault::Empty(side) => {
                let message = format!(
                    "the {side} text of the {task} pair has no word; give a text that is not blank"
                );
                Self { blank: Some(*side), ..Self::new(ErrorCode::EmptyText, message) }
            }
            PairFault::UnknownTask => Self::new(
                ErrorCode::UnknownTask,
                format!(
                    "the model was not trained for {task}; `GET /v1/models` lists the tasks of each model"
                ),
            ),
            PairFault::NotFinite => Self::new(
                ErrorCode::NoAnswer,
                format!(
                    "the model's answer to the {task} pair is no number; the server's log says more"
                ),
            ),
            PairFault::TooManyTokens => Self::new(
                ErrorCode::TooLarge,
                "the request has more tokens than the server takes; send it in parts",
            ),
            PairFault::Internal => Self::internal(),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full { retry_after } => {
                let message =
                    format!("the server is busy; try again in {} s", retry_after.as_secs());
                Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::QueueFull, message) }
            }
            Refused::Stopping => {
                let message = "the server is about to stop; try another one";
                Self::new(ErrorCode::Unavailable, message)
            }
        }
    }
}

/// The body is that of the native API. The error goes along as an extension, so that a dialect can write it in
/// its own form.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = self.clone().detail();
        let body = ErrorBody { error, message: self.message.clone(), detail: self.message.clone() };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response.extensions_mut().insert(self);
        response
    }
}
