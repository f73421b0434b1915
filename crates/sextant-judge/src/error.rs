//! What can go wrong while judging.

use sextant_data::DataError;
use sextant_eval::EvalError;
use sextant_files::FileError;
use std::path::PathBuf;

/// Why judging failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A file of rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file or folder cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Agreement cannot be computed.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A file has content that cannot be used.
    #[error("{path}: {problem}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A prompt that cannot be used.
    #[error("prompt {name}: {problem}")]
    Prompt {
        /// The prompt's name or file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server refused a request in a way that would not change if it were sent again.
    #[error("{url} answered {status}: {body}{hint}")]
    Refused {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of what it said.
        body: String,
        /// What to do about it; empty if nothing is known.
        hint: &'static str,
    },
    /// The server cannot be reached, or fails again and again.
    #[error(
        "{url}: {problem}, at {attempts} attempts; every answer so far is kept: run the command again to go on"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What happened at the last attempt.
        problem: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The server's answer holds no grade.
    #[error("{0}")]
    NoGrade(String),
    /// The server offers none of the ways to be asked.
    #[error("{url}: no way to be asked works for the model `{model}`:\n{tried}")]
    NoMethod {
        /// The address.
        url: String,
        /// The model.
        model: String,
        /// Each way with what came of it, one a line.
        tried: String,
    },
    /// The budget ended while examples were tried.
    #[error(
        "the budget is met before all sets of examples were tried, and nothing is judged yet; every answer so far is kept: run the command again with a larger one to go on"
    )]
    Budget,
    /// The observer stopped the run.
    #[error("stopped; every answer so far is kept: run the command again to go on")]
    Stopped,
}

impl JudgeError {
    /// Whether the error is about one row's answer, so that other rows may do better.
    pub fn is_of_row(&self) -> bool {
        matches!(self, Self::NoGrade(_))
    }
}
