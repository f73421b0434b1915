//! Grids of runs.

use crate::errors::{SextantError, Stopped, is_stop, raised};
use crate::interruptible::{self, Caller};
use crate::scorer::named;
use crate::train::{Teller, hear, resolve};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sextant_files::Existing;
use sextant_lab::{
    Cell, Grid, Lab, LabError, LabEvent, LabRecipe, Outcome, ReportFiles, Share, Watcher,
};
use sextant_model::Device;
use sextant_train::Observer;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tells the caller of the events of a lab, and of those of its runs.
struct Told(Caller<String>);

impl Watcher for Told {
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()> {
        if let Some(event) = event.to_json() {
            self.0.tell(event.to_string());
        }
        self.0.flow()
    }

    fn observer(&mut self, _: &Cell) -> Box<dyn Observer> {
        Box::new(Teller(self.0.clone()))
    }
}

/// The recipe's name and the names of its runs; every mistake in it is an error.
#[pyfunction]
pub(crate) fn lab_cells(path: PathBuf, settings: Vec<String>) -> PyResult<(String, Vec<String>)> {
    let recipe = LabRecipe::read(&path, &settings).map_err(|error| raised(&error))?;
    let name = recipe.name.clone();
    let grid = Grid::new(recipe, resolve).map_err(|error| raised(&error))?;
    Ok((name, grid.cells.iter().map(|cell| cell.name().to_owned()).collect()))
}

/// Runs what is missing of a lab's share; returns `complete` or `out of time`.
#[pyfunction]
#[pyo3(signature = (path, settings, out, shard, budget, overwrite, device, function))]
pub(crate) fn lab_run(
    py: Python<'_>,
    path: PathBuf,
    settings: Vec<String>,
    out: PathBuf,
    shard: &str,
    budget: Option<f64>,
    overwrite: bool,
    device: &str,
    function: &Bound<'_, PyAny>,
) -> PyResult<&'static str> {
    let share: Share = named(shard)?;
    let device: Device = named(device)?;
    let budget = budget.map(Duration::try_from_secs_f64).transpose();
    let budget = budget.map_err(|error| PyValueError::new_err(format!("budget: {error}")))?;
    let existing = if overwrite { Existing::Overwrite } else { Existing::Refuse };
    let work = |caller: &Caller<String>| -> Result<Outcome, LabError> {
        let grid = Grid::new(LabRecipe::read(&path, &settings)?, resolve)?;
        let mut lab = Lab::open(grid, &out, resolve)?.with_share(share);
        lab.run(&device, budget, existing, &mut Told(caller.clone()))
    };
    match interruptible::run(py, work, |event| hear(function, event))? {
        Ok(Outcome::Complete) => Ok("complete"),
        Ok(Outcome::OutOfTime) => Ok("out of time"),
        Ok(Outcome::Interrupted { within }) => {
            let place = within.map_or_else(
                || "while no run was trained".to_owned(),
                |(run, step)| format!("after step {step} of {run}"),
            );
            Err(Stopped::new_err(format!("stopped, as asked, {place}; run the lab again to go on")))
        }
        Err(error) if is_stop(&error) => Err(Stopped::new_err(error.to_string())),
        Err(error) => Err(raised(&error)),
    }
}

/// The lab of a folder, by the recipe that is kept there.
fn open(folder: &Path) -> Result<Lab, LabError> {
    let recipe = LabRecipe::read(&folder.join("lab.toml"), &[])?;
    Lab::open(Grid::new(recipe, resolve)?, folder, resolve)
}

/// The state and the ledger's entry of each run of a lab's folder, as JSON.
#[pyfunction]
pub(crate) fn lab_status(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    let found = interruptible::run_silently(py, || {
        let lab = open(&folder)?;
        let runs = lab.grid.cells.iter().map(|cell| {
            let state = lab.state(cell)?.as_str();
            Ok(serde_json::json!({
                "run": cell.name(), "state": state, "holder": lab.holder(cell),
                "entry": lab.ledger.get(cell.name()),
            }))
        });
        runs.collect::<Result<Vec<_>, LabError>>()
    })?;
    let runs = found.map_err(|error| raised(&error))?;
    serde_json::to_string(&runs).map_err(|error| SextantError::new_err(error.to_string()))
}

/// Writes the report of a lab's folder; returns the paths of the HTML, Markdown, JSON and tables.
#[pyfunction]
pub(crate) fn lab_report(
    py: Python<'_>,
    folder: PathBuf,
    overwrite: bool,
) -> PyResult<[PathBuf; 4]> {
    let existing = if overwrite { Existing::Overwrite } else { Existing::Refuse };
    let files = interruptible::run_silently(py, || ReportFiles::write(&open(&folder)?, existing))?;
    let files = files.map_err(|error| raised(&error))?;
    Ok([files.html, files.markdown, files.json, files.tables])
}
