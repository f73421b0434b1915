//! Everything that can be wrong with a model, a checkpoint or a bundle.

use sextant_core::Task;
use sextant_kernels::ScorePrecision;
use sextant_text::TextError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a model cannot be built, loaded, run or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A setting that cannot be, or settings that do not fit together.
    #[error("model: {0}")]
    Config(String),
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, ….
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A JSON file that is not what it should be.
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
        /// What the parser says.
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
    /// An architecture that no family here covers.
    #[error("{}: `model_type` is `{found}`; supported: {supported}", path.display())]
    UnknownFamily {
        /// The `config.json`.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What it could say.
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
        /// The tasks that it has.
        known: String,
    },
    /// A pack that is not well formed.
    #[error("pack: {0}")]
    Pack(String),
    /// A row to which the model has no answer that is a number. A caller that knows where its rows come
    /// from says so in place of `row`, and then prints `fault` alone.
    #[error("row {row} (counted from 0): {fault}")]
    NonFinite {
        /// The row's index in the slice that was given to predict.
        row: usize,
        /// What is wrong, and what to do.
        fault: NonFinite,
    },
    /// As the crate of files says.
    #[error(transparent)]
    Files(#[from] sextant_files::FileError),
    /// Whoever watched asked for an end.
    #[error("stopped, as asked, while rows were answered")]
    Stopped,
    /// Text that cannot be encoded.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// An answer of a model that is infinite or not a number.
///
/// It never stands for a grade: damaged weights and overflowing products would otherwise look like a
/// model that is sure of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// The row's task.
    pub task: Task,
    /// What the head put out for the row.
    pub logits: Vec<f32>,
    /// The precision of the products.
    pub precision: ScorePrecision,
    /// The member that answered, where the model is an ensemble.
    pub member: Option<PathBuf>,
}

impl NonFinite {
    /// What was found, without advice.
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
    /// An error about one row of those that were given to predict, taken apart: the row's index, and what
    /// is wrong with it in words. Whoever knows where rows come from says so in place of the index.
    ///
    /// # Errors
    /// Any other error, as it was.
    pub fn of_row(self) -> Result<(usize, String), Self> {
        match self {
            Self::NonFinite { row, fault } => Ok((row, fault.to_string())),
            Self::Text(TextError::Row { row, source }) => Ok((row, source.to_string())),
            other => Err(other),
        }
    }

    /// The same error with the row's index, if it has one, in another list of rows.
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

    /// Turns an I/O error into one that says where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
