//! Runs a grid: what is finished is kept, what was killed goes on, what is missing is trained.

mod flops;
mod ledger;
mod predictions;
mod watch;

pub use flops::training_flops;
pub use ledger::{Ledger, LedgerEntry};
pub use predictions::Predictions;
pub(crate) use predictions::file_name;
pub use watch::{LabEvent, Machine, Terminal, Watcher};

use crate::LabError;
use crate::grid::{Cell, Grid, Resolve, Role};
use crate::search::Search;
use burn::tensor::Device;
use sextant_core::{Example, Split, Task};
use sextant_data::{DataError, Dataset};
use sextant_files::{AtomicFile, hexadecimal, sha256};
use sextant_kernels::ScorePrecision;
use sextant_model::{
    ModelError, ParamInfo, Predictor, bundle, frozen_weights, is_trained, parameters,
};
use sextant_train::{
    Encoded, JsonLog, LoadedDataset, Observers, Plan, Recipe, RunFolder, Summary, Trainer,
    dev_positions, reset_peak_memory, tasks_of, train_positions,
};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A grid in a folder.
#[derive(Debug)]
pub struct Lab {
    /// The grid, with steps settled.
    pub grid: Grid,
    /// Its rows.
    pub data: LoadedDataset,
    /// SHA-256 of the data set's files.
    pub data_sha256: String,
    /// What is finished.
    pub ledger: Ledger,
    folder: PathBuf,
    resolve: Resolve,
}

/// How a run of a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Trained and evaluated.
    Finished,
    /// Trained; its predictions are missing or of other data.
    Trained,
    /// A checkpoint is there.
    Begun,
    /// Nothing is there.
    Waiting,
}

impl State {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Trained => "trained",
            Self::Begun => "begun",
            Self::Waiting => "waiting",
        }
    }
}

/// Why [`Lab::run`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every run is finished.
    Complete,
    /// The next run does not fit the time.
    OutOfTime,
}

impl Lab {
    /// Reads the data and the ledger. The folder keeps the recipe, so that reports need no other.
    ///
    /// # Errors
    /// Data that cannot be read, or a folder that belongs to a grid of another name.
    pub fn open(mut grid: Grid, folder: &Path, resolve: Resolve) -> Result<Self, LabError> {
        let (path, options) =
            grid.data().ok_or_else(|| LabError::Recipe(vec!["there are no runs".into()]))?;
        let data_sha256 = data_hash(path)?;
        let data = LoadedDataset::load(path, &options)?;
        grid.settle_steps(&data.dataset.train);
        std::fs::create_dir_all(folder.join("runs")).map_err(LabError::io("create", folder))?;
        let place = folder.join("lab.toml");
        if let Ok(text) = std::fs::read_to_string(&place) {
            let there = crate::LabRecipe::parse(&text, &place.display().to_string(), &[])?;
            if there.name != grid.recipe.name {
                return Err(LabError::Unusable {
                    path: folder.to_owned(),
                    problem: format!(
                        "holds the grid `{}`; choose another folder for `{}` with `--out`",
                        there.name, grid.recipe.name
                    ),
                });
            }
        }
        let ledger = Ledger::open(folder)?;
        Ok(Self { grid, data, data_sha256, ledger, folder: folder.to_owned(), resolve })
    }

    /// Writes the recipe into the folder, for `lab status` and `lab report`.
    fn keep_recipe(&self) -> Result<(), LabError> {
        let place = self.folder.join("lab.toml");
        let text = toml::to_string(&self.grid.recipe)
            .map_err(|error| LabError::Recipe(vec![error.to_string()]))?;
        let mut file = AtomicFile::create(&place)?;
        file.write_all(text.as_bytes()).map_err(|error| DataError::write(&place, error))?;
        Ok(file.commit()?)
    }

    /// The lab's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a run.
    pub fn run_folder(&self, name: &str) -> RunFolder {
        RunFolder(self.folder.join("runs").join(name))
    }

    /// The ledger's entry of a cell, if it is of this very recipe and this data.
    pub fn entry(&self, cell: &Cell) -> Option<&LedgerEntry> {
        self.ledger.get(cell.name()).filter(|entry| {
            entry.recipe_sha256 == recipe_hash(&cell.recipe)
                && entry.data_sha256 == self.data_sha256
        })
    }

    /// How a cell's run stands. A run of another recipe or other rows in its folder is an error,
    /// since it would have to be overwritten.
    pub fn state(&self, cell: &Cell) -> Result<State, LabError> {
        let folder = self.run_folder(cell.name());
        let path = folder.summary();
        let summary = match std::fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str::<Summary>(&text).map_err(|error| LabError::Unusable {
                    path: path.clone(),
                    problem: format!("is not a run's summary: {error}"),
                })?
            }
            Err(_) if folder.checkpoint().exists() => return Ok(State::Begun),
            Err(_) => return Ok(State::Waiting),
        };
        let known = self.entry(cell).filter(|entry| entry.fingerprint == summary.fingerprint);
        if known.is_none() {
            let plan = Plan::new(cell.recipe.clone(), self.resolve)?;
            let fingerprint = Encoded::new(plan, &self.data)?.fingerprint();
            if summary.fingerprint != fingerprint {
                return Err(LabError::Unusable {
                    path: folder.0,
                    problem: "holds a run of another recipe or of other data; move it away, or choose another folder with `--out`".into(),
                });
            }
            return Ok(State::Trained);
        }
        let both = [Split::Test, Split::Dev];
        let kept = both.iter().all(|&split| folder.0.join(file_name(split)).exists());
        Ok(if kept { State::Finished } else { State::Trained })
    }

    /// Trains and evaluates what is missing, in order, as long as runs fit the time.
    ///
    /// Killed at any point and called again, it goes on where it was, with the same results.
    pub fn run(
        &mut self,
        device: &Device,
        budget: Option<Duration>,
        watcher: &mut dyn Watcher,
    ) -> Result<Outcome, LabError> {
        let start = Instant::now();
        let cells = self.grid.cells.clone();
        // Runs that are trained but not evaluated come first: they are cheap and help estimates.
        let (mut open, mut untrained) = (Vec::new(), Vec::new());
        for cell in cells {
            match self.state(&cell)? {
                State::Finished => {}
                State::Trained => open.push(cell),
                State::Begun | State::Waiting => untrained.push(cell),
            }
        }
        open.extend(untrained);
        // Only now: a folder of other runs was refused above, and keeps its recipe.
        self.keep_recipe()?;
        let search = Search::new(&self.grid)?;
        let trials = self.grid.recipe.search.as_ref().map_or(0, Search::runs);
        let tried = search.as_ref().map_or(0, |search| search.finished(|cell| self.entry(cell)));
        let cells = self.grid.cells.len();
        let finished = cells - open.len() + tried;
        watcher.on_event(LabEvent::Opened { runs: cells + trials.max(tried), finished });
        let mut queue: std::collections::VecDeque<Cell> = open.into();
        let mut late = false;
        loop {
            let cell = match queue.pop_front() {
                Some(cell) => cell,
                None if late => return Ok(Outcome::OutOfTime),
                None => {
                    match search.as_ref().and_then(|search| search.next(|cell| self.entry(cell))) {
                        Some(cell) if self.state(&cell)? != State::Finished => cell,
                        _ => return Ok(Outcome::Complete),
                    }
                }
            };
            let seconds = self.estimate(&cell);
            let left = queue.iter().chain([&cell]).map(|cell| self.estimate(cell)).sum();
            if let Some(budget) = budget {
                let room = budget.saturating_sub(start.elapsed()).as_secs_f64();
                if room <= 0.0 || seconds.is_some_and(|seconds| seconds > room) {
                    watcher.on_event(LabEvent::OutOfTime { cell: &cell, seconds });
                    late = true;
                    if room <= 0.0 || matches!(cell.role, Role::Trial { .. }) {
                        return Ok(Outcome::OutOfTime);
                    }
                    continue; // a later one may be shorter
                }
            }
            watcher.on_event(LabEvent::Started { cell: &cell, seconds, left });
            let entry = self.finish(&cell, device, watcher)?;
            watcher.on_event(LabEvent::Finished(&entry));
            self.ledger.add(entry)?;
        }
    }

    /// Seconds that a cell may take, from finished runs of its backbone: their time per row trained
    /// on, or, where there is none, nothing. Of a run that is trained, its evaluation alone.
    fn estimate(&self, cell: &Cell) -> Option<f64> {
        let finished: Vec<&LedgerEntry> = self
            .grid
            .cells
            .iter()
            .filter(|other| other.backbone == cell.backbone)
            .filter_map(|other| self.entry(other))
            .collect();
        // The same routing and tasks cost the same; failing that, anything of the backbone.
        let alike = |entry: &&&LedgerEntry| entry.routing == cell.routing;
        let alike: Vec<_> = finished.iter().filter(alike).copied().collect();
        let (of, scale) = if alike.is_empty() { (finished, true) } else { (alike, false) };
        if of.is_empty() {
            return None;
        }
        let trained = self.run_folder(cell.name()).summary().exists();
        let cost = |entry: &LedgerEntry| {
            if trained { entry.test_seconds } else { entry.seconds + entry.test_seconds }
        };
        let total: f64 = of.iter().map(|entry| cost(entry)).sum();
        if !scale {
            return Some(total / of.len() as f64);
        }
        let rows: u64 = of.iter().map(|entry| entry.rows).sum();
        Some(total / rows.max(1) as f64 * self.rows_of(cell))
    }

    /// About how many rows a cell trains on, repetitions counted.
    fn rows_of(&self, cell: &Cell) -> f64 {
        let recipe = &cell.recipe;
        if let Some(steps) = recipe.schedule.steps {
            return (steps * recipe.batch.rows as u64) as f64;
        }
        let rows =
            train_positions(&tasks_of(&self.data.dataset.train), recipe, &recipe.tasks).len();
        rows as f64 * recipe.schedule.epochs
    }

    /// Trains the run if it is not trained, and predicts test and dev rows once.
    fn finish(
        &self,
        cell: &Cell,
        device: &Device,
        watcher: &mut dyn Watcher,
    ) -> Result<LedgerEntry, LabError> {
        let folder = self.run_folder(cell.name());
        let summary = if folder.summary().exists() {
            let path = folder.summary();
            let text = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
            serde_json::from_str(&text)?
        } else {
            reset_peak_memory();
            let plan = Plan::new(cell.recipe.clone(), self.resolve)?;
            let prepared = Encoded::new(plan, &self.data)?.build(device)?;
            let trainer = Trainer::new(prepared, folder.clone(), true)?;
            let log = JsonLog::open(&folder.log(), trainer.steps_done())?;
            let mut observers = Observers(vec![watcher.observer(cell), Box::new(log)]);
            trainer.run(&mut observers)?
        };
        let bundle = bundle::open(&folder.bundle(), device)?;
        let predictor = Predictor::new(bundle, ScorePrecision::F32);
        let tasks = predictor.model().spec().tasks.clone();
        let dev = dev_positions(&tasks_of(&self.data.dataset.dev), &cell.recipe, &tasks);
        predict(&predictor, &self.data, Split::Dev, dev, &folder)?;
        let rows = positions(&self.data.dataset.test, &tasks);
        let start = Instant::now();
        let test = predict(&predictor, &self.data, Split::Test, rows, &folder)?;
        let test_seconds = start.elapsed().as_secs_f64();
        let right = |task: Option<Task>| {
            let rows = test.rows.iter().zip(&test.predictions);
            let mine = rows.filter(|&(&row, _)| {
                task.is_none_or(|task| self.data.dataset.test[row].pair.task == task)
            });
            let (mut all, mut right) = (0_usize, 0_usize);
            for (&row, prediction) in mine {
                all += 1;
                right += usize::from(prediction.grade() == self.data.dataset.test[row].grade);
            }
            (all > 0).then(|| right as f64 / all as f64)
        };
        let model = predictor.model();
        // What was trained, the recipe says, not the bundle.
        let freeze = &cell.recipe.model.freeze;
        let mut parameters = parameters(model);
        for info in &mut parameters {
            info.trainable = is_trained(model.spec(), freeze, &info.name);
        }
        parameters.extend(frozen_weights(model).into_iter().map(|(name, weight)| ParamInfo {
            name,
            shape: weight.dims().to_vec(),
            trainable: false,
        }));
        Ok(LedgerEntry {
            name: cell.name().to_owned(),
            backbone: cell.backbone.clone(),
            routing: cell.routing.clone(),
            role: cell.role,
            recipe_sha256: recipe_hash(&cell.recipe),
            fingerprint: summary.fingerprint,
            data_sha256: self.data_sha256.clone(),
            code: code_version(),
            seed: summary.seed,
            train_rows: summary.train_rows,
            rows: summary.rows,
            steps: summary.steps,
            tokens: summary.tokens,
            flops: training_flops(model.spec(), &parameters, summary.tokens, summary.rows),
            seconds: summary.seconds,
            peak_memory_bytes: summary.peak_memory_bytes,
            parameters: summary.parameters,
            trainable_parameters: summary.trainable_parameters,
            dev: summary.best.map(|(value, _)| value),
            dev_step: summary.best.map(|(_, step)| step),
            test_accuracy: right(None).unwrap_or(0.0),
            test_accuracy_by_task: tasks
                .iter()
                .filter_map(|&task| Some((task, right(Some(task))?)))
                .collect(),
            test_seconds,
            test_rows: test.rows.len(),
        })
    }
}

/// Predicts some rows of a split and keeps the answers in the run's folder.
fn predict(
    predictor: &Predictor,
    data: &LoadedDataset,
    split: Split,
    rows: Vec<usize>,
    run: &RunFolder,
) -> Result<Predictions, LabError> {
    let examples = data.dataset.part(split);
    let pairs: Vec<_> = rows.iter().map(|&row| examples[row].pair.clone()).collect();
    let predictions = predictor.predict(&pairs).map_err(|error| match error {
        ModelError::NonFinite { row, fault } => {
            let place = format!("{} ({})", data.origin(split, rows[row]), pairs[row]);
            LabError::Unusable { path: run.bundle(), problem: format!("{place}: {fault}") }
        }
        other => other.into(),
    })?;
    let found = Predictions { rows, predictions };
    found.write(&run.0.join(file_name(split)), examples)?;
    Ok(found)
}

/// Rows of some tasks.
fn positions(examples: &[Example], tasks: &[Task]) -> Vec<usize> {
    (0..examples.len()).filter(|&row| tasks.contains(&examples[row].pair.task)).collect()
}

/// SHA-256 of a recipe as JSON.
pub fn recipe_hash(recipe: &Recipe) -> String {
    let json = serde_json::to_vec(recipe).unwrap_or_default();
    hexadecimal(&Sha256::digest(&json))
}

/// SHA-256 over the hashes of a data set's files, in the order of splits.
fn data_hash(path: &Path) -> Result<String, LabError> {
    let mut hasher = Sha256::new();
    for (_, file) in Dataset::files(path)? {
        hasher.update(sha256(&file)?);
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// The program's version, and its commit where the build knew it.
pub fn code_version() -> String {
    match option_env!("SEXTANT_COMMIT") {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    }
}
