//! An opened model.

use crate::drift::Drift;
use crate::native::{MemberInfo, TaskName};
use sextant_core::Task;
use sextant_infer::{Scorer, Threads};
use sextant_kernels::{ScorePrecision, release_free_blocks};
use sextant_model::{Device, ModelError, ModelSpec, SharedBases};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How models are opened.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Where models compute.
    pub device: Device,
    /// The precision of products.
    pub precision: ScorePrecision,
}

/// A model that is open and warmed up. It does not change; a reload opens another one.
#[derive(Debug)]
pub(crate) struct OpenModel {
    /// Tells this opening from all others of the process.
    number: u64,
    name: String,
    /// Equal for models that answer in the same bits.
    identity: String,
    scorer: Scorer,
    created: u64,
    max_tokens: usize,
    members: Vec<MemberInfo>,
    drift: Drift,
}

impl OpenModel {
    /// Opens the bundle or the ensemble in a folder and warms it up. Frozen bases are shared with models that
    /// were opened with the same `bases`.
    ///
    /// # Errors
    /// The folder is neither, it is damaged, or the model cannot be run.
    pub(crate) fn open(
        name: &str,
        folder: &Path,
        settings: &ModelSettings,
        bases: &Mutex<SharedBases>,
    ) -> Result<Self, ModelError> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let opened = {
            // The lock is held while a model is opened, so that two that share a base do not both read it. The
            // registry of bases is whole even after a panic: it is a list of weak handles.
            let mut bases = bases.lock().unwrap_or_else(PoisonError::into_inner);
            Scorer::open_sharing(folder, &settings.device, settings.precision, &mut bases)?
        };
        let scorer = opened.with_threads(Threads::Caller)?;
        scorer.warm_up()?;
        // What reading and packing weights has left is larger than anything that answering asks for.
        release_free_blocks();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            name: name.to_owned(),
            identity: format!("{} {}", scorer.manifest_sha256(), settings.precision.as_str()),
            created: since_1970.as_secs(),
            max_tokens: scorer
                .models()
                .map(|model| model.encoder.config().max_tokens)
                .max()
                .unwrap_or(0),
            members: members(&scorer),
            drift: drift(&scorer),
            scorer,
        })
    }

    /// Tells this opening from all others of the process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The name by which requests ask for the model.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Equal for models that answer in the same bits: the hash of the manifest, and the precision.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The model.
    pub(crate) fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// When the model was opened, in seconds since 1970.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    /// The most tokens of a row of one member.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// How the scores of requests compare with those of the model's dev rows.
    pub(crate) fn drift(&self) -> &Drift {
        &self.drift
    }

    /// The bundles that answer.
    pub(crate) fn members(&self) -> &[MemberInfo] {
        &self.members
    }

    /// How many members answer a task.
    pub(crate) fn members_asked(&self, task: Task) -> usize {
        self.members.iter().filter(|member| member.tasks.contains(&TaskName(task))).count()
    }
}

fn members(scorer: &Scorer) -> Vec<MemberInfo> {
    let models = scorer.models().enumerate();
    models
        .map(|(number, model)| MemberInfo {
            name: format!("member-{}", number + 1),
            sha256: model.manifest_sha256.to_owned(),
            tasks: model.tasks.iter().copied().map(TaskName).collect(),
            routing: model.spec.routing.label(),
            family: family(model.spec),
            max_tokens: model.encoder.config().max_tokens,
        })
        .collect()
}

/// The dev scores of a bundle. An ensemble has none of its own.
fn drift(scorer: &Scorer) -> Drift {
    let mut models = scorer.models();
    match (models.next(), scorer.rule()) {
        (Some(only), None) => Drift::of(&scorer.tasks(), only.provenance),
        _ => Drift::of(&scorer.tasks(), &serde_json::Value::Null),
    }
}

/// The name of a model's family, as its `config.json` has it.
fn family(spec: &ModelSpec) -> String {
    let name = serde_json::to_value(spec.backbone.family).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}
