//! Training a model.

use crate::errors::{SextantError, Stopped, is_stop, raised};
use crate::interruptible::{self, Caller};
use crate::scorer::named;
use pyo3::prelude::*;
use sextant_files::Existing;
use sextant_hub::Store;
use sextant_lab::leave_curves;
use sextant_model::Device;
use sextant_train::{
    Event, JsonLog, Observer, Plan, Prepared, RunFolder, Start, StoppableSource, TrainError,
    Trainer, open_source, parse_recipe,
};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// The folder of a backbone: a path, or a name that was fetched.
pub(crate) fn resolve(name: &str) -> Result<PathBuf, String> {
    Store::from_environment().resolve(name).map_err(|error| error.to_string())
}

/// Tells the caller of every event, and breaks when the caller wants to stop.
pub(crate) struct Teller(pub(crate) Caller<String>);

impl Observer for Teller {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if let Some(event) = event.to_json() {
            self.0.tell(event.to_string());
        }
        self.0.flow()
    }
}

/// Writes the log, and tells the caller.
struct Watched {
    log: JsonLog,
    teller: Teller,
}

impl Observer for Watched {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        let logged = self.log.on_event(event);
        let told = self.teller.on_event(event);
        if logged.is_break() { logged } else { told }
    }
}

/// Calls a Python function with an event, as JSON; it breaks if the function returns false.
pub(crate) fn hear(function: &Bound<'_, PyAny>, event: String) -> PyResult<ControlFlow<()>> {
    let goes_on = function.call1((event,))?;
    let stop = !goes_on.is_none() && !goes_on.is_truthy()?;
    Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

/// A recipe as JSON, with the settings applied; every mistake in it is an error.
#[pyfunction]
pub(crate) fn recipe(text: &str, origin: &str, settings: Vec<String>) -> PyResult<String> {
    let recipe = parse_recipe(text, origin, &settings).map_err(|error| raised(&error))?;
    serde_json::to_string(&recipe).map_err(|error| SextantError::new_err(error.to_string()))
}

/// Runs a recipe in a folder, and returns the summary as JSON. `start` is `new`, `resume` or `again`.
#[pyfunction]
#[pyo3(signature = (text, origin, settings, out, start, device, function))]
pub(crate) fn train(
    py: Python<'_>,
    text: &str,
    origin: &str,
    settings: Vec<String>,
    out: PathBuf,
    start: &str,
    device: &str,
    function: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let device: Device = named(device)?;
    let (start, existing) = match start {
        "resume" => (Start::Resume, Existing::Refuse),
        "again" => (Start::Again, Existing::Overwrite),
        _ => (Start::New, Existing::Refuse),
    };
    let recipe = parse_recipe(text, origin, &settings).map_err(|error| raised(&error))?;
    let (name, metric) = (recipe.name.clone(), recipe.dev.metric.to_string());
    let work = |caller: &Caller<String>| -> Result<_, TrainError> {
        let source = open_source(&recipe.data.path, &recipe.data.read_options())?;
        let plan = Plan::new(recipe, resolve)?;
        let ask = || caller.flow();
        let source = StoppableSource::new(source.as_ref(), &ask);
        let prepared = Prepared::new(plan, &source, &device)?;
        let folder = RunFolder(out);
        // The folder stays locked until the curves are drawn.
        let lock = folder.lock()?;
        let trainer =
            Trainer::locked(prepared, folder.clone(), Arc::clone(&lock), start, existing)?;
        let log = JsonLog::open(&trainer)?;
        let outcome = trainer.run(&mut Watched { log, teller: Teller(caller.clone()) });
        if matches!(outcome, Ok(_) | Err(TrainError::Interrupted { .. })) {
            leave_curves(&folder, &name, &metric, existing);
        }
        drop(lock);
        outcome
    };
    let summary = interruptible::run(py, work, |event| hear(function, event))?;
    let summary = summary.map_err(|error| match error {
        error if is_stop(&error) => Stopped::new_err(error.to_string()),
        error => raised(&error),
    })?;
    serde_json::to_string(&summary).map_err(|error| SextantError::new_err(error.to_string()))
}
