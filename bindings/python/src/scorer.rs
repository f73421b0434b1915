//! A model that answers pairs.

use crate::errors::raised;
use crate::{columns, interruptible};
use arrow_array::RecordBatch;
use arrow_pyarrow::{IntoPyArrow, Table};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use sextant_core::{Prediction, Task};
use sextant_infer::Threads;
use sextant_kernels::{ScorePrecision, release_free_blocks};
use sextant_model::Device;
use sextant_score::{BatchError, append, predict_batch, scored_schema};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// The rows that are encoded and answered together: as many as `sextant score` takes.
const WINDOW: usize = 4096;

/// An opened bundle or ensemble.
#[pyclass(frozen, module = "sextant._sextant")]
pub(crate) struct Scorer {
    scorer: sextant_infer::Scorer,
}

/// Reads one of a closed set of names.
pub(crate) fn named<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> PyResult<T> {
    name.parse().map_err(|error: T::Err| PyValueError::new_err(error.to_string()))
}

#[pymethods]
impl Scorer {
    /// Opens the bundle or the ensemble in a folder.
    #[new]
    #[pyo3(signature = (path, precision, threads=None, device="cpu"))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        precision: &str,
        threads: Option<usize>,
        device: &str,
    ) -> PyResult<Self> {
        let precision: ScorePrecision = named(precision)?;
        let device: Device = named(device)?;
        let threads = match threads.map(NonZeroUsize::new) {
            None => Threads::Process,
            Some(Some(threads)) => Threads::Pool(threads),
            Some(None) => return Err(PyValueError::new_err("`threads` must be at least 1")),
        };
        let opened = interruptible::run_silently(py, || {
            sextant_infer::Scorer::open(&path, &device, precision)?.with_threads(threads)
        })?;
        let scorer = opened.map_err(|error| raised(&error))?;
        // What packing the weights has left, which a worker of an engine would hold beside the model.
        release_free_blocks();
        Ok(Self { scorer })
    }

    /// The tasks that the model answers.
    #[getter]
    fn tasks(&self) -> Vec<&'static str> {
        self.scorer.tasks().into_iter().map(Task::as_str).collect()
    }

    /// The SHA-256 of the manifest.
    #[getter]
    fn manifest_sha256(&self) -> &str {
        self.scorer.manifest_sha256()
    }

    /// How each model came to be, as a list in JSON.
    fn provenance(&self) -> String {
        let models = self.scorer.models().map(|model| model.provenance.clone());
        serde_json::Value::Array(models.collect()).to_string()
    }

    /// The probabilities of the three grades, `[n, 3]` in `f32`, of pairs in sequences.
    #[pyo3(signature = (lefts, rights, tasks=None, task=None, progress=None))]
    fn pairs<'py>(
        &self,
        py: Python<'py>,
        lefts: &Bound<'py, PyAny>,
        rights: &Bound<'py, PyAny>,
        tasks: Option<&Bound<'py, PyAny>>,
        task: Option<&str>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let task = self.task(task)?;
        let batch = columns::table(lefts, rights, tasks)?;
        let sides = columns::Sides::of(batch.schema_ref(), "left", "right")?;
        let answers = self.answer(py, vec![batch], &sides, task, progress)?;
        Ok(probabilities(py, &answers))
    }

    /// The probabilities of the three grades, `[n, 3]`, of the rows of a table.
    #[pyo3(signature = (table, left, right, task=None, progress=None))]
    fn table<'py>(
        &self,
        py: Python<'py>,
        table: &Bound<'py, PyAny>,
        left: &str,
        right: &str,
        task: Option<&str>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let task = self.task(task)?;
        let (schema, batches) = columns::batches(table)?;
        let sides = columns::Sides::of(&schema, left, right)?;
        let answers = self.answer(py, batches, &sides, task, progress)?;
        Ok(probabilities(py, &answers))
    }

    /// The table with the columns of the prediction appended, as a `pyarrow.Table`.
    #[pyo3(signature = (table, left, right, task=None, progress=None))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        table: &Bound<'py, PyAny>,
        left: &str,
        right: &str,
        task: Option<&str>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let task = self.task(task)?;
        let (schema, batches) = columns::batches(table)?;
        let sides = columns::Sides::of(&schema, left, right)?;
        let answers = self.answer(py, batches, &sides, task, progress)?;
        let scored = answers.into_iter().map(|(batch, predictions)| append(batch, &predictions));
        let scored =
            scored.collect::<Result<Vec<_>, _>>().map_err(|e| raised(&BatchError::from(e)))?;
        let table = Table::try_new(scored, Arc::new(scored_schema(&schema)));
        table.map_err(|error| raised(&BatchError::from(error)))?.into_pyarrow(py)
    }
}

impl Scorer {
    /// The task of rows that name none: the one that was given, or the only one that the model answers.
    fn task(&self, task: Option<&str>) -> PyResult<Option<Task>> {
        match task {
            Some(task) => named(task).map(Some),
            None => Ok(match self.scorer.tasks()[..] {
                [only] => Some(only),
                _ => None,
            }),
        }
    }

    /// The predictions of the rows of batches, beside the windows of rows.
    fn answer(
        &self,
        py: Python<'_>,
        batches: Vec<RecordBatch>,
        sides: &columns::Sides,
        task: Option<Task>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<(RecordBatch, Vec<Prediction>)>> {
        let work = |caller: &interruptible::Caller<usize>| {
            let (mut answers, mut before) = (Vec::new(), 0);
            for batch in batches {
                for start in (0..batch.num_rows()).step_by(WINDOW) {
                    let window = batch.slice(start, WINDOW.min(batch.num_rows() - start));
                    let pairs = sides.take(&window)?;
                    let found = predict_batch(&self.scorer, &pairs, task, |_| caller.flow());
                    let found = found.map_err(|error| match error {
                        BatchError::Row { row, source } => {
                            BatchError::Row { row: before + row, source }
                        }
                        other => other,
                    })?;
                    before += window.num_rows();
                    caller.tell(window.num_rows());
                    answers.push((window, found));
                }
            }
            Ok(answers)
        };
        let answers = interruptible::run(py, work, |rows| {
            if let Some(progress) = progress {
                progress.call1((rows,))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        answers.map_err(|error: BatchError| raised(&error))
    }
}

/// The probabilities of all rows, one row after the other, as the bytes of `f32`. (NumPy makes an array of them
/// without a copy, so that no crate for NumPy is needed.)
fn probabilities<'py>(
    py: Python<'py>,
    answers: &[(RecordBatch, Vec<Prediction>)],
) -> Bound<'py, PyByteArray> {
    let predictions = answers.iter().flat_map(|(_, predictions)| predictions);
    let bytes: Vec<u8> =
        predictions.flat_map(|prediction| prediction.probs).flat_map(f32::to_ne_bytes).collect();
    PyByteArray::new(py, &bytes)
}
