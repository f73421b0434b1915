//! `sextant train`.

use crate::arguments::Overwrite;
use crate::device::DeviceArgs;
use crate::get;
use crate::interrupt::{self, Stopped};
use crate::ranks;
use crate::say::{complain, say};
use anyhow::Context;
use clap::Args;
use sextant_cli::Progress;
use sextant_files::Existing;
use sextant_lab::leave_curves;
use sextant_model::{Device, ParameterCounts};
use sextant_train::{
    ExampleSource, JsonLog, Observers, Plan, Prepared, Recipe, Reducer, RunFolder, Start,
    StoppableSource, Summary, TrainError, Trainer, agree, open_source, parse_recipe, peak_memory,
    rank_0_first,
};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// `train`
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// The recipe
    recipe: PathBuf,
    /// Change a key of the recipe: `--set seed=2 --set model.routing.private_layers=1`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The run's folder; `runs/NAME` unless given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the run in that folder
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    on: DeviceArgs,
}

impl Train {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let origin = self.recipe.display().to_string();
        let text = std::fs::read_to_string(&self.recipe)
            .with_context(|| format!("cannot read the recipe {origin}"))?;
        let recipe = parse_recipe(&text, &origin, &self.settings)?;
        let folder =
            RunFolder(self.out.unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name)));
        let reducer = ranks::join()?;
        let leads = reducer.rank() == 0;
        let source = agree(&*reducer, open_source(&recipe.data.path, &recipe.data.read_options()))?;
        let device = &self.on.device;
        // Signals are caught only once the source is open: until then standard input may stay silent for
        // any length of time, and a signal must end the program at once.
        interrupt::install()?;
        let existing = self.overwrite.existing();
        let start = match existing {
            _ if self.resume => Start::Resume,
            Existing::Refuse => Start::New,
            Existing::Overwrite | Existing::Own => Start::Again,
        };
        if self.resume && leads && !folder.checkpoint().exists() {
            complain(&format!(
                "{}: there is no checkpoint to go on from; the run begins at its start",
                folder.0.display()
            ));
        }
        let how = if self.resume {
            "run the same command again to go on from there"
        } else {
            "add `--resume` to the same command to go on from there"
        };
        let summary =
            train(recipe, source.as_ref(), folder.clone(), (start, existing), device, reducer)
                .map_err(|error| interrupted(error, &folder, how))?;
        if !leads {
            return Ok(()); // rank 0 says it
        }
        say(&format!(
            "{}: {} steps, {:.0} rows/s, best dev {} at step {}, peak memory {} MiB",
            folder.bundle().display(),
            summary.steps,
            summary.rows as f64 / summary.seconds.max(1e-9),
            summary.best.map_or("none".into(), |(value, _)| format!("{value:.4}")),
            summary.best.map_or(0, |(_, step)| step),
            peak_memory().unwrap_or(0) >> 20,
        ));
        Ok(())
    }
}

/// Turns the error of a training that was asked to stop into one that says where it stopped and how to
/// go on. All other errors stay as they are.
fn interrupted(error: anyhow::Error, folder: &RunFolder, how: &str) -> anyhow::Error {
    let said = match error.downcast_ref::<TrainError>() {
        Some(TrainError::Interrupted { step: 0, .. }) => "before the first step".to_owned(),
        Some(TrainError::Interrupted { step, steps }) => {
            format!("after step {step} of {steps}; {how}")
        }
        _ => return error,
    };
    Stopped(format!("{}: stopped, as asked, {said}", folder.0.display())).into()
}

/// Runs a recipe on a data set, until it is finished or somebody asks the program to stop.
fn train(
    recipe: Recipe,
    source: &dyn ExampleSource,
    folder: RunFolder,
    (start, existing): (Start, Existing),
    device: &Device,
    reducer: Arc<dyn Reducer>,
) -> anyhow::Result<Summary> {
    let (name, metric) = (recipe.name.clone(), recipe.dev.metric.to_string());
    let has_teacher = recipe.teacher.is_some();
    let plan = rank_0_first(&*reducer, || Plan::new(recipe, get::resolve))?;
    let source = StoppableSource::new(source, &interrupt::flow);
    let prepare = || Prepared::new(plan, &source, device);
    let prepared =
        if has_teacher { rank_0_first(&*reducer, prepare)? } else { agree(&*reducer, prepare())? };
    let counts = ParameterCounts::of(&prepared.model);
    let mut observers = Observers(vec![Box::new(interrupt::Stop)]);
    if reducer.rank() == 0 {
        let spread = match reducer.ranks() {
            1 => String::new(),
            ranks => format!(", by {ranks} processes"),
        };
        // This is shown like progress, which follows it: if it cannot be shown, that is no reason to end a
        // run.
        let _ = writeln!(
            std::io::stderr(),
            "{name}: {} of {} parameters are trained ({:.2} %){spread}",
            counts.trainable,
            counts.all,
            100.0 * counts.trainable as f64 / counts.all as f64
        );
    }
    // The folder stays locked until the curves are drawn.
    let lock = agree(&*reducer, (reducer.rank() == 0).then(|| folder.lock()).transpose())?;
    let start = (start, existing);
    let ranks = Arc::clone(&reducer);
    let trainer = Trainer::spread_locked(prepared, folder.clone(), lock.clone(), start, ranks)?;
    if let Some(log) = agree(&*reducer, rank_0_opens(&*reducer, &trainer))? {
        observers.0.insert(0, Box::new(log));
        observers.0.insert(0, Box::new(Progress::new(&name)));
    }
    let outcome = trainer.run(&mut observers);
    let ended = matches!(outcome, Ok(_) | Err(TrainError::Interrupted { .. }));
    if ended && reducer.rank() == 0 {
        leave_curves(&folder, &name, &metric, existing);
    }
    drop(lock);
    Ok(outcome?)
}

/// The log of the run, which rank 0 alone writes.
fn rank_0_opens(reducer: &dyn Reducer, trainer: &Trainer) -> Result<Option<JsonLog>, TrainError> {
    (reducer.rank() == 0).then(|| JsonLog::open(trainer)).transpose()
}
