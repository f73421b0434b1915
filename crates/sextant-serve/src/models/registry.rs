//! All models of a server by their names.

use super::open::ModelSettings;
use super::slot::{Reload, Slot};
use crate::meters::Meters;
use sextant_model::SharedBases;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

/// A model's name and folder, as the command line states them: `NAME=PATH`, or a path, whose model is called
/// `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource {
    /// The name by which requests ask for the model.
    pub name: String,
    /// The folder of the bundle or of the ensemble.
    pub folder: PathBuf,
}

/// Why a text names no model, or a list of models cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// A name or a path is missing.
    #[error("`{0}` is not `NAME=PATH` or a path")]
    Incomplete(String),
    /// A name has characters that could not stand in a metric or a log.
    #[error("the name `{0}` has other characters than letters, digits, `-`, `_`, `.`, `/` and `:`")]
    BadName(String),
    /// Two models have the same name.
    #[error("two models are called `{0}`; give each a name of its own (`NAME=PATH`)")]
    Twice(String),
    /// There is nothing to serve.
    #[error("no model is named; name at least one bundle or ensemble")]
    None,
}

impl FromStr for ModelSource {
    type Err = SourceProblem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A path may have a `=` in it, too, but mostly behind a separator.
        let (name, folder) = match text.split_once('=') {
            Some((name, folder)) if !name.contains(['/', '\\']) => (name, folder),
            _ => ("default", text),
        };
        if name.is_empty() || folder.is_empty() {
            return Err(SourceProblem::Incomplete(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), folder: folder.into() })
    }
}

/// The models of a server, in the order in which they were named. There is at least one.
pub(crate) struct Registry {
    first: Arc<Slot>,
    others: Vec<Arc<Slot>>,
}

impl Registry {
    /// Slots for models, none of them open.
    ///
    /// # Errors
    /// There is no model, two have the same name, or a name cannot be used.
    pub(crate) fn new(
        sources: Vec<ModelSource>,
        settings: &ModelSettings,
    ) -> Result<Self, SourceProblem> {
        let bases = Arc::new(Mutex::new(SharedBases::default()));
        let mut slots: Vec<Arc<Slot>> = Vec::with_capacity(sources.len());
        for ModelSource { name, folder } in sources {
            let usable = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
            if name.is_empty() || !name.chars().all(usable) {
                return Err(SourceProblem::BadName(name));
            }
            if slots.iter().any(|slot| slot.name() == name) {
                return Err(SourceProblem::Twice(name));
            }
            slots.push(Arc::new(Slot::new(name, folder, settings.clone(), Arc::clone(&bases))));
        }
        let mut slots = slots.into_iter();
        let first = slots.next().ok_or(SourceProblem::None)?;
        Ok(Self { first, others: slots.collect() })
    }

    /// All models, the default one first.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The model that answers requests that name none.
    pub(crate) fn default_slot(&self) -> &Arc<Slot> {
        &self.first
    }

    /// The model of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Slot>> {
        self.slots().find(|slot| slot.name() == name)
    }

    /// Reloads every model, one after another, and tells the log what came of it. A model that cannot be opened
    /// leaves the old one in its place.
    pub(crate) async fn reload(&self, meters: &Meters) {
        for slot in self.slots() {
            reload(slot, meters).await;
        }
    }
}

/// Reloads a model, and tells the log and the meters what came of it.
pub(super) async fn reload(slot: &Arc<Slot>, meters: &Meters) {
    let name = slot.name();
    match slot.reload().await {
        Ok(Reload::Replaced) => {
            meters.reloaded(name, true);
            tracing::info!("model `{name}` was replaced");
        }
        Ok(Reload::Same) => tracing::info!("model `{name}` is open already as its folder has it"),
        Ok(Reload::StillClosed) => {}
        Err(error) => {
            meters.reloaded(name, false);
            tracing::error!(
                "model `{name}` was not replaced, and the one before it answers: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        let source = |text: &str| {
            text.parse::<ModelSource>().map(|s| (s.name, s.folder.display().to_string()))
        };
        let pair = |name: &str, folder: &str| Ok((name.to_owned(), folder.to_owned()));
        assert_eq!(source("runs/mine/bundle"), pair("default", "runs/mine/bundle"));
        assert_eq!(source("main=runs/mine"), pair("main", "runs/mine"));
        assert_eq!(source("runs/lr=0.1/bundle"), pair("default", "runs/lr=0.1/bundle"));
        assert_eq!(source("main=runs/lr=0.1"), pair("main", "runs/lr=0.1"));
        assert!(matches!(source("main="), Err(SourceProblem::Incomplete(_))));
        assert!(matches!(source("=x"), Err(SourceProblem::Incomplete(_))));
    }
}
