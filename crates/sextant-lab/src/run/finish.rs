//! One run of a grid: it is trained, predicts the dev and test rows, and is summed up in a line of the
//! ledger.

use super::{Lab, LabEvent, Predictions, Watcher, code_version, predicted, training_flops};
use crate::LabError;
use crate::cell::Cell;
use crate::ledger::LedgerEntry;
use sextant_core::{Example, Split, Task};
use sextant_files::{Existing, Lock};
use sextant_model::{Device, ParamInfo, Predictor, bundle, frozen_weights, is_trained, parameters};
use sextant_train::{
    Encoded, ExampleSource, JsonLog, LoadedDataset, Observers, Plan, RunFolder, Start,
    StoppableSource, TrainError, Trainer, candidates, dev_positions, reset_peak_memory,
};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

impl Lab {
    /// Trains the run if it is not trained, and predicts test and dev rows once. `lock` is the lock of
    /// the run's folder.
    ///
    /// # Errors
    /// A watcher that breaks is an error too: [`TrainError::Interrupted`] where a checkpoint was saved,
    /// [`TrainError::Stopped`] or [`sextant_model::ModelError::Stopped`] elsewhere.
    pub(super) fn finish(
        &self,
        cell: &Cell,
        lock: &Arc<Lock>,
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
            let encoded = watched(&self.data, watcher, |source| Encoded::new(plan, source))?;
            let prepared = encoded.build(device)?;
            let trainer = Trainer::locked(
                prepared,
                folder.clone(),
                Arc::clone(lock),
                Start::Resume,
                Existing::Refuse,
            )?;
            let log = JsonLog::open(&trainer)?;
            let mut observers = Observers(vec![watcher.observer(cell), Box::new(log)]);
            trainer.run(&mut observers)?
        };
        let bundle = bundle::open(&folder.bundle(), device)?;
        let spec = bundle.manifest.spec.clone();
        // The recipe says which parameters were trained; the bundle does not.
        let freeze = &cell.recipe.model.freeze;
        let mut parameters = parameters(&bundle.model);
        for info in &mut parameters {
            info.trainable = is_trained(&spec, freeze, &info.name);
        }
        let frozen = frozen_weights(&bundle.model).into_iter();
        parameters.extend(frozen.map(|(name, weight)| ParamInfo {
            name,
            shape: weight.dims().to_vec(),
            trainable: false,
        }));
        let predictor = Predictor::new(bundle, self.grid.recipe.score_precision);
        let tasks = spec.tasks.clone();
        let (mut test, mut test_seconds) = (None, 0.0);
        for &split in predicted(cell) {
            let rows = match split {
                Split::Dev => dev_positions(
                    &candidates(&self.data.dataset.dev, &cell.recipe),
                    &cell.recipe,
                    &tasks,
                ),
                split => positions(self.data.dataset.part(split), &tasks),
            };
            let start = Instant::now();
            let found = predict(&predictor, &self.data, split, rows, &folder, watcher)?;
            if split == Split::Test {
                (test, test_seconds) = (Some(found), start.elapsed().as_secs_f64());
            }
        }
        let right = |task: Option<Task>| {
            let test = test.as_ref()?;
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
        Ok(LedgerEntry {
            name: cell.name().to_owned(),
            backbone: cell.backbone.clone(),
            routing: cell.routing.clone(),
            role: cell.role,
            recipe_sha256: self.recipe_hash(cell),
            fingerprint: summary.fingerprint,
            data_sha256: self.data_sha256.clone(),
            code: code_version(),
            seed: summary.seed,
            train_rows: summary.train_rows,
            rows: summary.rows,
            steps: summary.steps,
            tokens: summary.tokens,
            flops: training_flops(&spec, &parameters, summary.tokens, summary.rows),
            seconds: summary.seconds,
            peak_memory_bytes: summary.peak_memory_bytes,
            parameters: summary.parameters,
            trainable_parameters: summary.trainable_parameters,
            dev: summary.best.map(|(value, _)| value),
            dev_step: summary.best.map(|(_, step)| step),
            test_accuracy: right(None),
            test_accuracy_by_task: tasks
                .iter()
                .filter_map(|&task| Some((task, right(Some(task))?)))
                .collect(),
            test_seconds,
            test_rows: test.as_ref().map_or(0, |test| test.rows.len()),
        })
    }
}

/// Calls `read` with a source of rows that stops when the watcher breaks.
pub(super) fn watched<T>(
    data: &LoadedDataset,
    watcher: &mut dyn Watcher,
    read: impl FnOnce(&dyn ExampleSource) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    let watcher = RefCell::new(watcher);
    let ask = || watcher.borrow_mut().on_event(LabEvent::Busy);
    read(&StoppableSource::new(data, &ask))
}

/// Predicts some rows of a split and keeps the answers in the run's folder.
fn predict(
    predictor: &Predictor,
    data: &LoadedDataset,
    split: Split,
    rows: Vec<usize>,
    run: &RunFolder,
    watcher: &mut dyn Watcher,
) -> Result<Predictions, LabError> {
    let examples = data.dataset.part(split);
    let pairs: Vec<_> = rows.iter().map(|&row| examples[row].pair.clone()).collect();
    let answers = predictor.predict_watched(&pairs, |_| watcher.on_event(LabEvent::Busy));
    let predictions = answers.map_err(|error| match error.of_row() {
        Ok((row, fault)) => {
            let place = format!("{} ({})", data.origin(split, rows[row]), pairs[row]);
            LabError::Unusable { path: run.bundle(), problem: format!("{place}: {fault}") }
        }
        Err(other) => other.into(),
    })?;
    let found = Predictions { rows, predictions };
    found.write(&run.0, split, examples)?;
    Ok(found)
}

/// The positions of the rows of some tasks.
fn positions(examples: &[Example], tasks: &[Task]) -> Vec<usize> {
    (0..examples.len()).filter(|&row| tasks.contains(&examples[row].pair.task)).collect()
}
