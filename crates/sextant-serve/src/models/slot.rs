//! A name, and the model that answers under it.

use super::folder::FolderState;
use super::open::{ModelSettings, OpenModel};
use crate::native::{ModelInfo, ModelState, TaskName};
use arc_swap::ArcSwapOption;
use sextant_model::{ModelError, SharedBases};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;

/// What an attempt to reload a model came to.
#[derive(Debug)]
pub(crate) enum Reload {
    /// The folder holds what is open already.
    Same,
    /// Another model answers from now on.
    Replaced,
    /// The model is opened at its first request, which has not come yet.
    StillClosed,
}

/// A named model. Requests that began with the old model end with it.
pub(crate) struct Slot {
    name: String,
    folder: PathBuf,
    settings: ModelSettings,
    bases: Arc<Mutex<SharedBases>>,
    open: ArcSwapOption<OpenModel>,
    /// What the folder held before the open model was opened from it.
    opened_from: Mutex<Option<FolderState>>,
    /// Held while the model is opened, so that it is opened once however many requests come.
    opening: AsyncMutex<()>,
    /// When the last attempt to open or reload the model failed, if it did.
    failed: Mutex<Option<Instant>>,
}

/// How long a model that could not be opened is not tried again by requests: each attempt reads the whole folder.
const RETRY: Duration = Duration::from_secs(5);

impl Slot {
    pub(super) fn new(
        name: String,
        folder: PathBuf,
        settings: ModelSettings,
        bases: Arc<Mutex<SharedBases>>,
    ) -> Self {
        let (open, opening, failed) =
            (ArcSwapOption::empty(), AsyncMutex::new(()), Mutex::new(None));
        let opened_from = Mutex::new(None);
        Self { name, folder, settings, bases, open, opened_from, opening, failed }
    }

    /// The name by which requests ask for the model.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The model, if it is open.
    pub(crate) fn opened(&self) -> Option<Arc<OpenModel>> {
        self.open.load_full()
    }

    /// The model, which is opened if it is not open yet.
    ///
    /// # Errors
    /// The model cannot be opened.
    pub(crate) async fn get(self: &Arc<Self>) -> Result<Arc<OpenModel>, ModelError> {
        if let Some(model) = self.opened() {
            return Ok(model);
        }
        let _opening = self.opening.lock().await;
        if let Some(model) = self.opened() {
            return Ok(model);
        }
        if self.failed().is_some_and(|at| at.elapsed() < RETRY) {
            let problem = "it could not be opened a moment ago; it is tried again in some seconds";
            return Err(ModelError::Config(problem.to_owned()));
        }
        self.replace().await
    }

    /// Opens what the folder holds now, warms it up, and lets it answer. Until then, and if it cannot be opened,
    /// the old model answers.
    ///
    /// # Errors
    /// The model cannot be opened.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<Reload, ModelError> {
        let _opening = self.opening.lock().await;
        if self.opened().is_none() {
            return Ok(Reload::StillClosed);
        }
        if self.look().is_ok_and(|found| self.is_open_as(&found)) {
            self.note(false);
            return Ok(Reload::Same);
        }
        self.replace().await?;
        Ok(Reload::Replaced)
    }

    /// What the folder holds now.
    pub(super) fn look(&self) -> std::io::Result<FolderState> {
        FolderState::of(&self.folder)
    }

    /// Whether the open model was opened from what was found in the folder.
    pub(super) fn is_open_as(&self, found: &FolderState) -> bool {
        let opened = self.opened_from.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref() == Some(found)
    }

    /// Whether the last attempt to open or reload the model failed.
    pub(super) fn has_problem(&self) -> bool {
        self.failed().is_some()
    }

    async fn replace(self: &Arc<Self>) -> Result<Arc<OpenModel>, ModelError> {
        let slot = Arc::clone(self);
        let opened = tokio::task::spawn_blocking(move || {
            // Before it is opened, so that what changes meanwhile is seen as a change afterwards.
            let found = slot.look().ok();
            let model = OpenModel::open(&slot.name, &slot.folder, &slot.settings, &slot.bases)?;
            Ok((model, found))
        });
        let opened = opened.await.unwrap_or_else(|error| {
            Err(ModelError::Config(format!("opening model `{}` panicked: {error}", self.name)))
        });
        self.note(opened.is_err());
        let (opened, found) = opened?;
        let opened = Arc::new(opened);
        *self.opened_from.lock().unwrap_or_else(PoisonError::into_inner) = found;
        self.open.store(Some(Arc::clone(&opened)));
        Ok(opened)
    }

    fn note(&self, failed: bool) {
        let at = failed.then(Instant::now);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn failed(&self) -> Option<Instant> {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the API says of the model. Of a model that is not open, only the name is known, and what tasks it will
    /// answer, if its folder says so.
    pub(crate) fn info(&self) -> ModelInfo {
        let opened = self.opened();
        let state = match (&opened, self.failed().is_some()) {
            (Some(_), _) => ModelState::Ready,
            (None, true) => ModelState::Failed,
            (None, false) => ModelState::Closed,
        };
        let problem = self.failed().map(|_| {
            let kept = if opened.is_some() { "; the one before it answers" } else { "" };
            format!("the model in the folder could not be opened{kept}; the server's log says why")
        });
        let scorer = opened.as_ref().map(|model| model.scorer());
        let tasks = scorer.map_or_else(
            || sextant_infer::tasks_in(&self.folder).unwrap_or_default(),
            sextant_infer::Scorer::tasks,
        );
        ModelInfo {
            id: self.name.clone(),
            object: "model",
            created: opened.as_ref().map_or(0, |model| model.created()),
            owned_by: "sextant",
            state,
            sha256: scorer.map(|scorer| scorer.manifest_sha256().to_owned()),
            tasks: tasks.into_iter().map(TaskName).collect(),
            rule: scorer.and_then(sextant_infer::Scorer::rule).map(|rule| rule.as_str().to_owned()),
            precision: self.settings.precision.as_str().to_owned(),
            members: opened.as_ref().map_or_else(Vec::new, |model| model.members().to_vec()),
            problem,
        }
    }
}
