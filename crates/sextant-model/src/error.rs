//! The errors about models, checkpoints and bundles.

use sextant_core::Task;
use sextant_kernels::ScorePrecision;
use sextant_text::TextError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a model cannot be built, loaded, run or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A setting that is out of range, or settings that do not fit together.
    #[error("model: {0}")]
    Config(String),
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, ….
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A JSON file that does not parse, or has a wrong value.
    #[error("{}: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// A file that is not safetensors, or is cut off.
    #[error("{} is not a whole safetensors file: {reason}; fetch or copy it again", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// The parser's message.
        reason: String,
    },
    /// Weights that do not fit the model.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Which tensor, what is wrong, what would be right.
        problem: String,
    },
    /// An architecture that is none of the supported families.
    #[error("{}: `model_type` is `{found}`; supported: {supported}", path.display())]
    UnknownFamily {
        /// The `config.json`.
        path: PathBuf,
        /// The `model_type` in that file.
        found: String,
        /// The values of `model_type` that are supported.
        supported: String,
    },
    /// A folder that is not a bundle, or one that this version cannot read.
    #[error("{}: {problem}", path.display())]
    Bundle {
        /// The bundle's folder or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A model that cannot be written in another program's format.
    #[error("cannot export: {0}")]
    Export(String),
    /// A pack with rows of a task for which the model has no head.
    #[error("the model was not trained for `{task}`; it knows {known}")]
    UnknownTask {
        /// The task asked for.
        task: Task,
        /// The tasks that the model has.
        known: String,
    },
    /// A pack that is not well formed.
    #[error("pack: {0}")]
    Pack(String),
    /// A row for which the model's answer is infinite or not a number. A caller that knows where its rows
    /// come from can name that place instead of `row`, and print `fault` alone.
    #[error("row {row} (counted from 0): {fault}")]
    NonFinite {
        /// The row's index in the slice of rows that was to be predicted.
        row: usize,
        /// What is wrong, and what to do.
        fault: NonFinite,
    },
    /// An error of `sextant-files`.
    #[error(transparent)]
    Files(#[from] sextant_files::FileError),
    /// The caller's observer asked to stop.
    #[error("stopped, as asked, while rows were answered")]
    Stopped,
    /// Text that cannot be encoded.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// An answer of a model that is infinite or not a number.
///
/// Such an answer is never turned into a grade: otherwise a model with damaged weights or overflowing
/// products would look like one that is sure of its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// The row's task.
    pub task: Task,
    /// The logits of the row.
    pub logits: Vec<f32>,
    /// The precision in which products were computed.
    pub precision: ScorePrecision,
    /// The folder of the member that answered, if the model is an ensemble.
    pub member: Option<PathBuf>,
}

impl NonFinite {
    /// What is wrong, without the advice that [`Display`](fmt::Display) adds.
    pub fn finding(&self) -> String {
        let logits: Vec<String> = self.logits.iter().map(ToString::to_string).collect();
        let whose = match &self.member {
            Some(path) => format!("the ensemble's member {}", path.display()),
            None => "the model".to_owned(),
        };
        format!(
            "{whose} answers no number for `{}` (its logits are {})",
            self.task,
            logits.join(", ")
        )
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finding = self.finding();
        write!(f, "{finding}: its weights are damaged or have diverged in training; ")?;
        if self.precision == ScorePrecision::F32 {
            f.write_str("copy, import or train it again")
        } else {
            write!(
                f,
                "copy, import or train it again; or {} is too coarse for them: try `--precision f32`",
                self.precision
            )
        }
    }
}

impl ModelError {
    /// Splits an error about one of the rows that were to be predicted into the row's index and a message
    /// without the index, for callers that name the row by where it comes from.
    ///
    /// # Errors
    /// Any other error, unchanged.
    pub fn of_row(self) -> Result<(usize, String), Self> {
        match self {
            Self::NonFinite { row, fault } => Ok((row, fault.to_string())),
            Self::Text(TextError::Row { row, source }) => Ok((row, source.to_string())),
            other => Err(other),
        }
    }

    /// Converts the row's index, if the error has one, to the index in another list of rows.
    #[must_use]
    pub fn with_row(self, index: impl FnOnce(usize) -> usize) -> Self {
        match self {
            Self::NonFinite { row, fault } => Self::NonFinite { row: index(row), fault },
            Self::Text(TextError::Row { row, source }) => {
                Self::Text(TextError::Row { row: index(row), source })
            }
            other => other,
        }
    }

    /// Turns an I/O error into one that names the path and the action.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
