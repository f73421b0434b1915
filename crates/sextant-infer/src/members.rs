//! The models that a scorer asks, and who is asked about what.

use crate::EnsembleManifest;
use sextant_core::{PairRef, Task};
use sextant_eval::Vote;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError, NonFinite, Predictor, SharedBases, bundle};
use sextant_text::EncodedRow;
use std::path::{Path, PathBuf};

/// A model that answers some tasks.
#[derive(Debug)]
pub(crate) struct OpenMember {
    pub(crate) predictor: Predictor,
    /// What it is asked about.
    tasks: Vec<Task>,
    /// Its weight, where the rule weighs.
    weight: f64,
    /// What an ensemble calls it; none for a bundle of its own.
    path: Option<PathBuf>,
}

impl OpenMember {
    pub(crate) fn answers(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }

    /// The same fault with the name of the ensemble's member.
    pub(crate) fn sign(&self, fault: NonFinite) -> NonFinite {
        NonFinite { member: self.path.clone(), ..fault }
    }
}

/// Everybody who is asked, and the rule that puts their answers together.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) list: Vec<OpenMember>,
    pub(crate) rule: Vote,
}

impl Members {
    /// Those of the bundle or the ensemble in a folder.
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
        let predictor = Predictor::new(opened, precision);
        // One answer is the answer, by any rule.
        Ok(Self {
            list: vec![OpenMember { predictor, tasks, weight: 1.0, path: None }],
            rule: Vote::Soft,
        })
    }

    fn open_ensemble(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
        bases: &mut SharedBases,
    ) -> Result<Self, ModelError> {
        let EnsembleManifest { members, rule, .. } = EnsembleManifest::read(folder)?;
        let mut list = Vec::with_capacity(members.len());
        for member in members {
            let path = folder.join(&member.path);
            let refused = |problem: String| ModelError::Bundle { path: path.clone(), problem };
            let opened = bundle::open_sharing(&path, device, bases)?;
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
            list.push(OpenMember {
                predictor: Predictor::new(opened, precision),
                tasks: member.tasks,
                weight: member.weight,
                path: Some(member.path),
            });
        }
        Ok(Self { list, rule })
    }

    /// Those who answer a task, with their numbers.
    pub(crate) fn asked(&self, task: Task) -> impl Iterator<Item = (usize, &OpenMember)> {
        self.list.iter().enumerate().filter(move |(_, member)| member.answers(task))
    }

    /// Their weights for each task, in the order of [`Task::ALL`].
    pub(crate) fn weights(&self) -> Vec<Vec<f64>> {
        let of = |task| self.asked(task).map(|(_, member)| member.weight).collect();
        Task::ALL.into_iter().map(of).collect()
    }

    /// A pair as each who is asked reads it.
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
