//! The models of a scorer, and the tasks that each of them answers.

use crate::{Cascade, EnsembleManifest};
use sextant_core::{Decisions, PairRef, Prediction, Task};
use sextant_eval::Vote;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError, NonFinite, Predictor, SharedBases, bundle};
use sextant_text::EncodedRow;
use std::path::{Path, PathBuf};

/// A model that answers some tasks.
#[derive(Debug)]
pub(crate) struct OpenMember {
    pub(crate) predictor: Predictor,
    /// The SHA-256 of the manifest of the model's bundle.
    pub(crate) sha256: String,
    /// How the model came to be, as its bundle says it.
    pub(crate) provenance: serde_json::Value,
    /// The tasks that the model answers in this scorer.
    pub(crate) tasks: Vec<Task>,
    /// The model's weight, if the voting rule uses weights.
    pub(crate) weight: f64,
    /// The path by which the ensemble names the model; none if the scorer is a single bundle.
    pub(crate) path: Option<PathBuf>,
}

impl OpenMember {
    pub(crate) fn answers(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }

    /// The fault with the name of this member of the ensemble added.
    pub(crate) fn sign(&self, fault: NonFinite) -> NonFinite {
        NonFinite { member: self.path.clone(), ..fault }
    }
}

/// All models of a scorer, and the rule that combines their answers.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) list: Vec<OpenMember>,
    pub(crate) rule: Vote,
    /// Which members are asked only about rows that the others are not sure of.
    pub(crate) cascade: Option<Cascade>,
    /// The ensemble's own rules for the grades of its answers. (Those of a bundle are applied by its
    /// predictor.)
    pub(crate) decisions: Decisions,
    /// The SHA-256 of the manifest of the bundle or of the ensemble.
    pub(crate) sha256: String,
}

impl Members {
    /// Opens the models of the bundle or the ensemble in a folder.
    pub(crate) fn open(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
        bases: &mut SharedBases,
    ) -> Result<Self, ModelError> {
        if EnsembleManifest::is_at(folder) {
            return Self::open_ensemble(folder, device, precision, bases);
        }
        let opened = bundle::open_sharing(folder, device, bases)?;
        let tasks = opened.manifest.spec.tasks.clone();
        let sha256 = opened.manifest_sha256.clone();
        let provenance = opened.manifest.provenance.clone();
        let predictor = Predictor::new(opened, precision);
        // With a single model, every rule gives the model's answer.
        Ok(Self {
            list: vec![OpenMember {
                predictor,
                sha256: sha256.clone(),
                provenance,
                tasks,
                weight: 1.0,
                path: None,
            }],
            rule: Vote::Soft,
            cascade: None,
            decisions: Decisions::new(),
            sha256,
        })
    }

    fn open_ensemble(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
        bases: &mut SharedBases,
    ) -> Result<Self, ModelError> {
        let (manifest, sha256) = EnsembleManifest::read_hashed(folder)?;
        let EnsembleManifest { members, rule, cascade, decisions, .. } = manifest;
        let mut list = Vec::with_capacity(members.len());
        for member in members {
            let path = folder.join(&member.path);
            let refused = |problem: String| ModelError::Bundle { path: path.clone(), problem };
            let opened = bundle::open_sharing(&path, device, bases)?;
            if opened.manifest_sha256 != member.sha256 {
                let (what, command) = match cascade {
                    Some(_) => ("cascade", "sextant cascade"),
                    None => ("ensemble", "sextant ensemble"),
                };
                return Err(refused(format!(
                    "is not the bundle that the {what} was made of (its SHA-256 differs); make the {what} anew with `{command}`"
                )));
            }
            let known = &opened.manifest.spec.tasks;
            if let Some(task) = member.tasks.iter().find(|task| !known.contains(task)) {
                return Err(refused(format!(
                    "does not know the task `{task}` that it is to answer"
                )));
            }
            list.push(OpenMember {
                provenance: opened.manifest.provenance.clone(),
                predictor: Predictor::new(opened, precision),
                sha256: member.sha256,
                tasks: member.tasks,
                weight: member.weight,
                path: Some(member.path),
            });
        }
        Ok(Self { list, rule, cascade, decisions, sha256 })
    }

    /// The members that answer a task, with their indices in the list.
    pub(crate) fn asked(&self, task: Task) -> impl Iterator<Item = (usize, &OpenMember)> {
        self.list.iter().enumerate().filter(move |(_, member)| member.answers(task))
    }

    /// Combines the answers of members to a row of a task: each answer beside its member's index.
    pub(crate) fn combine(&self, task: Task, votes: &[(usize, Prediction)]) -> Prediction {
        let (answers, weights): (Vec<_>, Vec<_>) =
            votes.iter().map(|&(number, answer)| (answer, self.list[number].weight)).unzip();
        let answer = self.rule.combine(&answers, &weights);
        self.decisions.get(&task).map_or(answer, |rule| rule.decide(answer))
    }

    /// Encodes a pair for each member that answers its task. Returns the rows with the members' indices.
    pub(crate) fn encode(&self, pair: PairRef<'_>) -> Result<Vec<(usize, EncodedRow)>, ModelError> {
        let rows: Vec<_> = self
            .asked(pair.task)
            .map(|(number, member)| Ok((number, member.predictor.encoder().encode(pair)?)))
            .collect::<Result<_, ModelError>>()?;
        if rows.is_empty() {
            return Err(self.unknown_task(pair.task));
        }
        Ok(rows)
    }

    fn unknown_task(&self, task: Task) -> ModelError {
        match self.list.as_slice() {
            [OpenMember { predictor, path: None, .. }] => predictor.spec().unknown_task(task),
            _ => ModelError::Config(format!("no member of the ensemble answers the task `{task}`")),
        }
    }
}
