//! Evaluating a model, and comparing several.

use crate::errors::raised;
use crate::interruptible::{self, Caller};
use crate::scorer::named;
use pyo3::prelude::*;
use sextant_core::{Split, Task};
use sextant_data::{Labels, LoadedDataset, ReadOptions};
use sextant_eval::Metric;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_lab::{
    Compared, LabError, NamedModel, Report, evaluate_rows, labelled_rows, retain_tasks,
};
use sextant_model::Device;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Options for reading labelled rows.
fn options(task: Option<&str>) -> PyResult<ReadOptions> {
    let default_task: Option<Task> = task.map(named).transpose()?;
    Ok(ReadOptions { default_task, labels: Labels::Required, ..ReadOptions::default() })
}

/// Runs work whose messages are numbers of rows, which a Python function is told.
fn run<T: Send>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Caller<usize>) -> Result<T, LabError> + Send,
) -> PyResult<T> {
    let done = interruptible::run(py, work, |rows| {
        if let Some(progress) = progress {
            progress.call1((rows,))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    done.map_err(|error| raised(&error))
}

/// Evaluates a bundle on labelled rows; returns the report as JSON and as text, and how many rows were of tasks
/// that the model does not know.
#[pyfunction]
#[pyo3(signature = (bundle, data, name, split, task, precision, device, progress))]
pub(crate) fn evaluate(
    py: Python<'_>,
    bundle: PathBuf,
    data: PathBuf,
    name: &str,
    split: Option<&str>,
    task: Option<&str>,
    precision: &str,
    device: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, String, usize)> {
    let (options, split) = (options(task)?, split.map(named::<Split>).transpose()?);
    let (precision, device): (ScorePrecision, Device) = (named(precision)?, named(device)?);
    run(py, progress, |caller| {
        let mut rows = labelled_rows(&data, split, &options)?;
        let scorer = Scorer::open(&bundle, &device, precision)?;
        let left_out = retain_tasks(&mut rows, &scorer.tasks(), &data)?;
        let report = evaluate_rows(&scorer, &rows, name, |rows| {
            caller.tell(rows);
            caller.flow()
        })?;
        Ok((report.to_json()?, report.render_text(), left_out))
    })
}

/// Puts runs side by side on the same rows; returns the accuracy table as JSON, the differences from the first run
/// as JSON, and the report as Markdown.
#[pyfunction]
#[pyo3(signature = (runs, data, split, task, precision, device, title, progress))]
pub(crate) fn compare(
    py: Python<'_>,
    runs: Vec<String>,
    data: PathBuf,
    split: &str,
    task: Option<&str>,
    precision: &str,
    device: &str,
    title: &str,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(String, String, String)> {
    let (options, split): (_, Split) = (options(task)?, named(split)?);
    let (precision, device): (ScorePrecision, Device) = (named(precision)?, named(device)?);
    run(py, progress, |caller| {
        let models = runs.iter().map(|text| NamedModel::parse(text));
        let models = models.collect::<Result<Vec<_>, _>>()?;
        let loaded = LoadedDataset::load(&data, &options)?;
        let path = data.display().to_string();
        let mut observer = |rows| {
            caller.tell(rows);
            caller.flow()
        };
        let on = (&device, precision);
        let found = Compared::new(&models, (&loaded, &path), split, on, &mut observer)?;
        let table = found.comparison.table(Metric::Accuracy).to_json()?;
        let differences = match &found.paired {
            Some(paired) => paired.to_json()?,
            None => "[]".to_owned(),
        };
        let report = Report {
            title: title.to_owned(),
            metrics: Report::METRICS.to_vec(),
            paired: found.paired,
            ..Report::default()
        };
        Ok((table, differences, report.to_markdown(&found.comparison)))
    })
}
