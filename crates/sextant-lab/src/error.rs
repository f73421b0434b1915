//! Why runs cannot be made or compared, or a report not be written.

use sextant_core::Pair;
use sextant_model::ModelError;
use std::path::{Path, PathBuf};

/// What went wrong in the lab.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// Two rows of one table would have the same name.
    #[error("two runs are called `{name}`; give each its own name")]
    SameName {
        /// The name.
        name: String,
    },
    /// Two runs were evaluated on different data sets.
    #[error(
        "`{first}` was evaluated on {first_dataset}, `{second}` on {second_dataset}; evaluate both on the same rows to compare them"
    )]
    Datasets {
        /// A run of the comparison.
        first: String,
        /// Its data set.
        first_dataset: String,
        /// The run that was added.
        second: String,
        /// Its data set.
        second_dataset: String,
    },
    /// Two runs were evaluated on different numbers of rows of a task.
    #[error(
        "`{first}` was evaluated on {first_rows} rows of {task}, `{second}` on {second_rows}; evaluate both on the same rows to compare them"
    )]
    Rows {
        /// A run of the comparison.
        first: String,
        /// Its rows.
        first_rows: usize,
        /// The run that was added.
        second: String,
        /// Its rows.
        second_rows: usize,
        /// The task.
        task: sextant_core::Task,
    },
    /// Two runs have intervals of different coverage.
    #[error(
        "`{first}` has {first_level} % intervals, `{second}` has {second_level} %; evaluate both with the same level"
    )]
    Levels {
        /// A run of the comparison.
        first: String,
        /// Its level, in percent.
        first_level: f64,
        /// The run that was added.
        second: String,
        /// Its level, in percent.
        second_level: f64,
    },
    /// A lab recipe that cannot be run, with every mistake that was found.
    #[error("the lab recipe cannot be run:\n{}", .0.iter().map(|m| format!("  - {m}")).collect::<Vec<_>>().join("\n"))]
    Recipe(Vec<String>),
    /// A file or folder that cannot be used.
    #[error("{}: {problem}", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Rows or models that cannot be compared or evaluated.
    #[error("{0}")]
    Compare(String),
    /// A row that a model cannot answer.
    #[error("{}{place} ({pair}): {fault}", run.as_ref().map_or_else(String::new, |run| format!("{run}: ")))]
    Row {
        /// The name of the model, if there are several.
        run: Option<String>,
        /// The file and line of the row.
        place: String,
        /// The task and the names of both entities.
        pair: String,
        /// What is wrong.
        fault: String,
    },
    /// A plot that cannot be drawn.
    #[error("cannot draw `{title}`: {reason}")]
    Plot {
        /// The plot.
        title: String,
        /// What is wrong.
        reason: String,
    },
    /// The report's template cannot be rendered.
    #[error("cannot write the report: {0}")]
    Template(String),
    /// An error of the training crate.
    #[error(transparent)]
    Train(#[from] sextant_train::TrainError),
    /// An error of the crate for files.
    #[error(transparent)]
    Files(#[from] sextant_files::FileError),
    /// An error of the model crate.
    #[error(transparent)]
    Model(#[from] sextant_model::ModelError),
    /// Rows of two runs that cannot be compared one by one.
    #[error(transparent)]
    Eval(#[from] sextant_eval::EvalError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] sextant_data::DataError),
    /// A table cannot be written as CSV.
    #[error("cannot write the table as CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A table cannot be written as JSON.
    #[error("cannot write the table as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl LabError {
    /// A file or folder that cannot be used.
    pub(crate) fn unusable(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), problem: problem.into() }
    }

    /// Says in an error about one row where the row comes from; `place` and `pairs` are looked up at its index.
    pub(crate) fn at_row(
        error: ModelError,
        run: Option<&str>,
        place: impl FnOnce(usize) -> String,
        pairs: &[Pair],
    ) -> Self {
        match error.of_row() {
            Ok((row, fault)) => Self::Row {
                run: run.map(str::to_owned),
                place: place(row),
                pair: pairs[row].to_string(),
                fault,
            },
            Err(other) => other.into(),
        }
    }

    /// Turns an I/O error into one that names the file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
