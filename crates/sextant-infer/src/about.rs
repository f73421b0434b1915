//! What a scorer consists of, for those who show it to people.

use crate::{Cascade, EnsembleManifest, Scorer};
use sextant_core::Task;
use sextant_eval::Vote;
use sextant_model::{ModelError, ModelSpec, bundle};
use sextant_text::Encoder;
use std::path::Path;

/// A model of a scorer.
#[derive(Debug, Clone, Copy)]
pub struct AboutModel<'a> {
    /// The path by which the ensemble names the model; none if the scorer is a single bundle.
    pub path: Option<&'a Path>,
    /// The SHA-256 of the manifest of the model's bundle, in hexadecimal.
    pub manifest_sha256: &'a str,
    /// How the model came to be, as its bundle says it. For people and reports.
    pub provenance: &'a serde_json::Value,
    /// The tasks that the model answers in this scorer.
    pub tasks: &'a [Task],
    /// The model's specification.
    pub spec: &'a ModelSpec,
    /// The encoder, which turns pairs into rows of tokens.
    pub encoder: &'a Encoder,
}

/// The tasks that the bundle or the ensemble in a folder answers, in the order of [`Task::ALL`]. Only the manifest is
/// read, so that this costs nothing beside opening the model.
///
/// # Errors
/// The folder is neither, or its manifest cannot be read.
pub fn tasks_in(folder: &Path) -> Result<Vec<Task>, ModelError> {
    let answered: Vec<Task> = if EnsembleManifest::is_at(folder) {
        let members = EnsembleManifest::read(folder)?.members;
        members.into_iter().flat_map(|member| member.tasks).collect()
    } else {
        bundle::read_manifest(folder)?.spec.tasks
    };
    Ok(Task::ALL.into_iter().filter(|task| answered.contains(task)).collect())
}

impl Scorer {
    /// The models of the scorer: those of an ensemble in the order of its manifest, or the one of a bundle.
    pub fn models(&self) -> impl ExactSizeIterator<Item = AboutModel<'_>> {
        self.members().list.iter().map(|member| AboutModel {
            path: member.path.as_deref(),
            manifest_sha256: &member.sha256,
            provenance: &member.provenance,
            tasks: &member.tasks,
            spec: member.predictor.spec(),
            encoder: member.predictor.encoder(),
        })
    }

    /// The rule by which the models of an ensemble vote; none if the scorer is a single bundle.
    pub fn rule(&self) -> Option<Vote> {
        let members = self.members();
        members.list.iter().any(|member| member.path.is_some()).then_some(members.rule)
    }

    /// How the members of a cascade divide the work; none unless the scorer is a cascade.
    pub fn cascade(&self) -> Option<&Cascade> {
        self.members().cascade.as_ref()
    }

    /// The SHA-256 of the manifest of the bundle or of the ensemble, in hexadecimal. Two scorers with the same
    /// hash, on the same machine and with the same precision, give the same answers.
    pub fn manifest_sha256(&self) -> &str {
        &self.members().sha256
    }
}
