//! An opened ensemble: who is asked about a row, and how the answers are put together.

use crate::manifest::EnsembleManifest;
use crate::scorer::ScorerRow;
use burn::tensor::Device;
use sextant_core::{Pair, Prediction, Task};
use sextant_kernels::ScorePrecision;
use sextant_model::{ModelError, NonFinite, Predictor, SharedBases, bundle};
use sextant_text::EncodedRow;
use std::path::Path;

/// An opened ensemble.
#[derive(Debug)]
pub struct Ensemble {
    manifest: EnsembleManifest,
    members: Vec<Predictor>,
}

impl Ensemble {
    pub(crate) fn open(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
    ) -> Result<Self, ModelError> {
        let manifest = EnsembleManifest::read(folder)?;
        let mut members = Vec::new();
        let mut bases = SharedBases::default();
        for member in &manifest.members {
            let path = folder.join(&member.path);
            let refused = |problem: String| ModelError::Bundle { path: path.clone(), problem };
            // members that adapt one base hold it once
            let opened = bundle::open_sharing(&path, device, &mut bases)?;
            if opened.manifest_sha256 != member.sha256 {
                return Err(refused(
                    "is not the bundle that the ensemble was made of (its SHA-256 differs); make the ensemble anew with `sextant ensemble`".into(),
                ));
            }
            let known = &opened.manifest.spec.tasks;
            if let Some(task) = member.tasks.iter().find(|task| !known.contains(task)) {
                return Err(refused(format!(
                    "does not know the task `{task}` that it is to answer"
                )));
            }
            members.push(Predictor::new(opened, precision));
        }
        Ok(Self { manifest, members })
    }

    /// What it is.
    pub fn manifest(&self) -> &EnsembleManifest {
        &self.manifest
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        let answered = |task: &Task| self.manifest.members.iter().any(|m| m.tasks.contains(task));
        Task::ALL.into_iter().filter(answered).collect()
    }

    /// The members that answer a task.
    fn asked(&self, task: Task) -> impl Iterator<Item = usize> {
        let members = self.manifest.members.iter().enumerate();
        members.filter(move |(_, member)| member.tasks.contains(&task)).map(|(index, _)| index)
    }

    pub(crate) fn encode(&self, pair: &Pair) -> Result<Vec<(usize, EncodedRow)>, ModelError> {
        let rows: Vec<_> = self
            .asked(pair.task)
            .map(|member| Ok((member, self.members[member].encoder().encode(pair)?)))
            .collect::<Result<_, ModelError>>()?;
        if rows.is_empty() {
            return Err(ModelError::Config(format!(
                "no member of the ensemble answers the task `{}`",
                pair.task
            )));
        }
        Ok(rows)
    }

    pub(crate) fn predict_rows(&self, rows: Vec<ScorerRow>) -> Result<Vec<Prediction>, ModelError> {
        let tasks: Vec<Task> = rows.iter().map(|row| row.task).collect();
        let mut of_member = vec![Vec::new(); self.members.len()];
        for row in rows {
            for (member, encoded) in row.rows {
                of_member[member].push(encoded);
            }
        }
        self.gather(&tasks, |member, _| self.members[member].predict_rows(&of_member[member]))
    }

    /// Encodes and predicts pairs, in their order.
    pub(crate) fn predict(&self, pairs: &[Pair]) -> Result<Vec<Prediction>, ModelError> {
        let tasks: Vec<Task> = pairs.iter().map(|pair| pair.task).collect();
        if let Some(pair) = pairs.iter().find(|pair| self.asked(pair.task).next().is_none()) {
            self.encode(pair)?; // says which task
        }
        self.gather(&tasks, |member, rows| {
            let pairs: Vec<Pair> = rows.iter().map(|&row| pairs[row].clone()).collect();
            self.members[member].predict(&pairs)
        })
    }

    /// Puts together what members say about rows of these tasks. `predict` is given a member and
    /// the rows that it is asked about, and answers them in that order.
    fn gather(
        &self,
        tasks: &[Task],
        predict: impl Fn(usize, &[usize]) -> Result<Vec<Prediction>, ModelError>,
    ) -> Result<Vec<Prediction>, ModelError> {
        // Answers in the order of members, which weights share.
        let mut answers: Vec<Vec<Prediction>> = vec![Vec::new(); tasks.len()];
        for (member, entry) in self.manifest.members.iter().enumerate() {
            let rows: Vec<usize> =
                (0..tasks.len()).filter(|&row| entry.tasks.contains(&tasks[row])).collect();
            // No rule may hide it: a majority would outvote a member that answers no number.
            let predictions =
                predict(member, &rows).map_err(|error| match error.with_row(|row| rows[row]) {
                    ModelError::NonFinite { row, fault } => {
                        let fault = NonFinite { member: Some(entry.path.clone()), ..fault };
                        ModelError::NonFinite { row, fault }
                    }
                    other => other,
                })?;
            for (&row, prediction) in rows.iter().zip(predictions) {
                answers[row].push(prediction);
            }
        }
        let weights: Vec<Vec<f64>> = Task::ALL
            .into_iter()
            .map(|task| self.asked(task).map(|m| self.manifest.members[m].weight).collect())
            .collect();
        let vote = |(task, answers): (&Task, &Vec<Prediction>)| {
            self.manifest.rule.combine(answers, &weights[task.index()])
        };
        Ok(tasks.iter().zip(&answers).map(vote).collect())
    }
}
