//! Everything that can go wrong between a recipe and a bundle.

use std::path::{Path, PathBuf};

/// Why a run cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A recipe that is not valid TOML, or has an unknown or missing key.
    #[error("{origin}: {reason}")]
    Recipe {
        /// The file, or the `--set` that is wrong.
        origin: String,
        /// What is wrong, with its place.
        reason: String,
    },
    /// A recipe that cannot be run, with every mistake found in it.
    #[error("the recipe cannot be run:\n{}", .0.iter().map(|m| format!("  - {m}")).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<String>),
    /// The run's folder cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: "read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// An observer asked the run to stop. Nothing is wrong: a checkpoint holds this step, if there was
    /// any, and a run that resumes goes on from it.
    #[error("stopped, as asked, after step {step} of {steps}; resume the run to go on from there")]
    Interrupted {
        /// Steps done.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
    },
    /// The source of the rows was asked to stop before training began. Nothing was written.
    #[error("stopped, as asked, while rows were read")]
    Stopped,
    /// Training has diverged: the norm of a step's gradient is not finite.
    #[error(
        "step {step}: the gradient's norm is {norm}: training has diverged; lower `optimizer.learning_rate` or lengthen `schedule.warmup`, then start again or resume from the last checkpoint"
    )]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// The norm: infinite, or not a number.
        norm: f64,
    },
    /// Training has diverged: the answer to a dev row is not finite.
    #[error(
        "step {step}: {row}: {}: training has diverged; lower `optimizer.learning_rate` or lengthen `schedule.warmup`, then start again or resume from the last checkpoint",
        fault.finding()
    )]
    DivergedAtDev {
        /// Steps done.
        step: u64,
        /// The place of the row: its file and line.
        row: String,
        /// What is not finite in the answer.
        fault: sextant_model::NonFinite,
    },
    /// Another process of the same training has failed; it says more.
    #[error("rank {rank} has failed: {problem}")]
    OtherRank {
        /// The number of the process.
        rank: usize,
        /// What it said.
        problem: String,
    },
    /// The processes of a training do not belong together.
    #[error("rank {rank} {problem}")]
    Ranks {
        /// The first process that differs from rank 0.
        rank: usize,
        /// How it differs, and what to do.
        problem: String,
    },
    /// The processes of a training have lost each other.
    #[error("the other processes of this training are gone: {0}; start them again with `--resume`")]
    Reduce(#[from] crate::ReduceError),
    /// A row whose pair cannot be encoded.
    #[error("{place}: {source}")]
    Row {
        /// The file and line of the row; for rows in memory, its split and number.
        place: String,
        /// What is wrong with the row.
        source: Box<sextant_text::TextError>,
    },
    /// An error of `sextant-data`.
    #[error(transparent)]
    Data(#[from] sextant_data::DataError),
    /// An error of `sextant-text`.
    #[error(transparent)]
    Text(#[from] sextant_text::TextError),
    /// An error of `sextant-files`.
    #[error(transparent)]
    Files(#[from] sextant_files::FileError),
    /// An error of `sextant-model`.
    #[error(transparent)]
    Model(#[from] sextant_model::ModelError),
    /// An error of `sextant-eval`.
    #[error(transparent)]
    Eval(#[from] sextant_eval::EvalError),
}

impl TrainError {
    /// Turns an I/O error into one that names the file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
