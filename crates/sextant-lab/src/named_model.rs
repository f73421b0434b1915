//! Trained models under the names that tables give them.

use crate::{LabError, RunFacts};
use sextant_core::{Pair, Prediction};
use sextant_infer::{EnsembleManifest, Scorer};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use sextant_train::{RunFolder, Summary};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A model with its name in the tables: a folder, or several folders that divide the tasks among them.
#[derive(Debug)]
pub struct NamedModel {
    /// The name in the tables.
    pub name: String,
    folders: Vec<(RunFolder, Option<ScorePrecision>)>,
}

impl NamedModel {
    /// Reads `FOLDER`, which is named after the folder's last part, or `NAME=FOLDER,FOLDER,…`. `FOLDER@int8`
    /// predicts in that precision.
    ///
    /// # Errors
    /// An unknown precision.
    pub fn parse(text: &str) -> Result<Self, LabError> {
        let folder = |text: &str| match text.rsplit_once('@') {
            Some((folder, precision)) => match precision.parse() {
                Ok(precision) => Ok((RunFolder(folder.into()), Some(precision))),
                Err(error) => Err(LabError::Compare(format!("`{text}`: {error}"))),
            },
            None => Ok((RunFolder(text.into()), None)),
        };
        if let Some((name, folders)) = text.split_once('=') {
            let folders = folders.split(',').map(folder).collect::<Result<_, _>>()?;
            return Ok(Self { name: name.to_owned(), folders });
        }
        let found = folder(text)?;
        let name = found.0.0.file_name().map_or(text.into(), |name| name.to_string_lossy());
        Ok(Self { name: name.into_owned(), folders: vec![found] })
    }

    /// Predictions for all pairs, each from the model that knows its task, on a device and in a precision, unless
    /// a folder states its own. `place` says in errors where the pair at an index comes from. `observer` is called
    /// as by [`Scorer::answer`], and may break.
    ///
    /// # Errors
    /// A model cannot be opened; no model, or more than one, knows a task; a pair cannot be answered.
    pub fn predict(
        &self,
        pairs: &[Pair],
        place: &dyn Fn(usize) -> String,
        (device, precision): (&Device, ScorePrecision),
        observer: &mut (dyn FnMut(usize) -> ControlFlow<()> + Send),
    ) -> Result<Vec<Prediction>, LabError> {
        let mut found: Vec<Option<Prediction>> = vec![None; pairs.len()];
        for (folder, own) in &self.folders {
            let scorer = Scorer::open(&model_in(folder), device, own.unwrap_or(precision))?;
            let tasks = scorer.tasks();
            let rows: Vec<usize> =
                (0..pairs.len()).filter(|&row| tasks.contains(&pairs[row].task)).collect();
            let mine: Vec<Pair> = rows.iter().map(|&row| pairs[row].clone()).collect();
            let predictions = scorer.predict_while(&mine, &mut *observer).map_err(|error| {
                LabError::at_row(error, Some(&self.name), |row| place(rows[row]), &mine)
            })?;
            for (row, prediction) in rows.into_iter().zip(predictions) {
                if found[row].replace(prediction).is_some() {
                    return Err(LabError::Compare(format!(
                        "{}: task `{}` is answered by an earlier model of `{}` too",
                        folder.0.display(),
                        pairs[row].task,
                        self.name
                    )));
                }
            }
        }
        match found.iter().position(Option::is_none) {
            Some(row) => Err(LabError::Compare(format!(
                "`{}` has no model for task `{}`; add one, or compare on data without that task",
                self.name, pairs[row].task
            ))),
            None => Ok(found.into_iter().flatten().collect()),
        }
    }

    /// The training runs of the models, or of the members of an ensemble.
    fn trained(&self) -> Result<Vec<RunFolder>, LabError> {
        let mut runs = Vec::new();
        for (folder, _) in &self.folders {
            if !EnsembleManifest::is_at(&folder.0) {
                runs.push(folder.clone());
                continue;
            }
            for member in EnsembleManifest::read(&folder.0)?.members {
                let bundle = folder.0.join(member.path);
                runs.push(RunFolder(bundle.parent().unwrap_or(&bundle).to_owned()));
            }
        }
        Ok(runs)
    }

    /// What training cost: sums over the models, and the largest peak of memory.
    ///
    /// # Errors
    /// A run is not finished.
    pub fn facts(&self) -> Result<RunFacts, LabError> {
        let mut facts = RunFacts::default();
        let (mut rows, mut seconds) = (0, 0.0);
        for folder in self.trained()? {
            let path = folder.summary();
            let text = std::fs::read_to_string(&path).map_err(|error| {
                LabError::unusable(&path, format!("cannot be read; is the run finished? ({error})"))
            })?;
            let summary: Summary = serde_json::from_str(&text).map_err(|error| {
                LabError::unusable(&path, format!("is not a run's summary: {error}"))
            })?;
            facts.seed = Some(summary.seed);
            *facts.trainable_parameters.get_or_insert(0) += summary.trainable_parameters;
            *facts.train_rows.get_or_insert(0) += summary.train_rows as u64;
            facts.peak_memory_bytes = facts.peak_memory_bytes.max(summary.peak_memory_bytes);
            rows += summary.rows;
            seconds += summary.seconds;
        }
        facts.wall_seconds = Some(seconds);
        facts.rows_per_second = Some(rows as f64 / f64::max(seconds, 1e-9));
        Ok(facts)
    }
}

/// The bundle of a run's folder, or the folder itself if it is an ensemble.
fn model_in(folder: &RunFolder) -> PathBuf {
    if EnsembleManifest::is_at(&folder.0) { folder.0.clone() } else { folder.bundle() }
}
