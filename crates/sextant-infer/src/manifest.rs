//! An ensemble is a folder whose `ensemble.json` names bundles and the rule that combines their answers. It can
//! be used wherever a bundle can.
//!
//! Each member answers only the tasks that the manifest lists for it. So six models of one task each can form
//! one model of six tasks, without any vote.

use crate::Cascade;
use serde::{Deserialize, Serialize};
use sextant_core::{Decisions, Task};
use sextant_eval::Vote;
use sextant_files::{Existing, FolderKind, hexadecimal, replace_folder};
use sextant_model::{ModelError, bundle};
use sha2::{Digest, Sha256};
use std::path::{Component, Path, PathBuf};

/// The format that this version writes and reads.
const FORMAT_VERSION: u32 = 1;
const MANIFEST: &str = "ensemble.json";

/// The content of `ensemble.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleManifest {
    /// The version of the file's format.
    pub format_version: u32,
    /// The version of Sextant that wrote the file.
    pub sextant_version: String,
    /// The rule that combines the members' answers.
    pub rule: Vote,
    /// The models of the ensemble.
    pub members: Vec<Member>,
    /// Which members are asked only about rows that the others are not sure of; none if all are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Cascade>,
    /// The rules by which grades are decided; for a task without one, the members' vote decides.
    #[serde(default, skip_serializing_if = "Decisions::is_empty")]
    pub decisions: Decisions,
    /// How the ensemble was made, for example on which rows its weights were fitted. No program reads this.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub provenance: serde_json::Value,
}

/// A model of an ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The path of the model's bundle, either absolute or relative to the ensemble's folder.
    pub path: PathBuf,
    /// The SHA-256 of the bundle's `bundle.json`, in hexadecimal.
    pub sha256: String,
    /// The model's weight, if the rule uses weights. Only the ratios of weights matter.
    #[serde(default = "one")]
    pub weight: f64,
    /// The tasks that the model answers, in the order of [`Task::ALL`].
    pub tasks: Vec<Task>,
}

fn one() -> f64 {
    1.0
}

impl EnsembleManifest {
    /// Whether a folder holds an ensemble.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(MANIFEST).exists()
    }

    /// A manifest of bundles, each of which answers all tasks that it knows, with weight 1. Paths are relative
    /// to `folder` if the bundle and the folder share an ancestor below the root, else absolute.
    pub fn of(bundles: &[PathBuf], rule: Vote, folder: &Path) -> Result<Self, ModelError> {
        let members = bundles
            .iter()
            .map(|path| {
                let (bundle, sha256) = bundle::read_manifest_hashed(path)?;
                let (path, tasks) = (seen_from(folder, path)?, bundle.spec.tasks);
                Ok(Member { path, sha256, weight: 1.0, tasks })
            })
            .collect::<Result<_, ModelError>>()?;
        Ok(Self {
            format_version: FORMAT_VERSION,
            sextant_version: env!("CARGO_PKG_VERSION").to_owned(),
            rule,
            members,
            cascade: None,
            decisions: Decisions::new(),
            provenance: serde_json::Value::Null,
        })
    }

    /// Reads and checks the manifest of a folder.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        Ok(Self::read_hashed(folder)?.0)
    }

    /// Reads and checks the manifest of a folder, and computes the SHA-256 of the manifest's bytes. The hash
    /// identifies the ensemble, because the manifest holds the hashes of its bundles.
    pub fn read_hashed(folder: &Path) -> Result<(Self, String), ModelError> {
        let path = folder.join(MANIFEST);
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| ModelError::Json { path: path.clone(), reason: error.to_string() })?;
        match manifest.problem() {
            Some(problem) => Err(ModelError::Bundle { path, problem }),
            None => Ok((manifest, hexadecimal(&Sha256::digest(&bytes)))),
        }
    }

    /// The same ensemble as the manifest of the folder `to` states it, if this one is the manifest of the
    /// folder `from`: the paths of members are relative to the folder.
    pub fn moved(mut self, from: &Path, to: &Path) -> Result<Self, ModelError> {
        for member in &mut self.members {
            member.path = seen_from(to, &from.join(&member.path))?;
        }
        Ok(self)
    }

    /// Writes the manifest into `folder`, which becomes an ensemble. `existing` decides whether something that
    /// is there may be replaced.
    pub fn write(&self, folder: &Path, existing: Existing) -> Result<(), ModelError> {
        let refused = |problem: String| ModelError::Bundle { path: folder.to_owned(), problem };
        if let Some(problem) = self.problem() {
            return Err(refused(problem));
        }
        let kind = FolderKind { names: &[MANIFEST], head: MANIFEST };
        replace_folder(folder, existing, kind, |staging| {
            let path = staging.join(MANIFEST);
            let json = serde_json::to_vec_pretty(self).map_err(|error| ModelError::Json {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            std::fs::write(&path, json).map_err(|source| ModelError::Io {
                action: "write",
                path,
                source,
            })
        })
    }

    fn problem(&self) -> Option<String> {
        if self.format_version != FORMAT_VERSION {
            let found = self.format_version;
            return Some(format!(
                "has format version {found}; this Sextant reads version {FORMAT_VERSION}"
            ));
        }
        if self.members.is_empty() {
            return Some("has no members; name at least one".into());
        }
        let cascade = self.cascade.as_ref();
        if let Some(problem) = cascade.and_then(|cascade| cascade.problem(self.members.len())) {
            return Some(problem);
        }
        self.members.iter().find_map(|member| {
            let path = member.path.display();
            if !(member.weight.is_finite() && member.weight >= 0.0) {
                return Some(format!("{path}: weight {} is not 0 or more", member.weight));
            }
            if member.tasks.is_empty() || !member.tasks.is_sorted_by(|a, b| a.index() < b.index()) {
                return Some(format!("{path}: `tasks` must name tasks in their order, each once"));
            }
            None
        })
    }
}

/// A bundle's path as the manifest of an ensemble in `folder` states it.
fn seen_from(folder: &Path, bundle: &Path) -> Result<PathBuf, ModelError> {
    let absolute = |path: &Path| {
        let absolute = std::path::absolute(path).map_err(|source| ModelError::Io {
            action: "find",
            path: path.to_owned(),
            source,
        })?;
        // What has `..` in it is compared by its real name, if there is such a folder.
        let climbs = absolute.components().any(|part| part == Component::ParentDir);
        let real = if climbs { absolute.canonicalize().ok() } else { None };
        Ok::<_, ModelError>(real.unwrap_or(absolute))
    };
    let (folder, bundle) = (absolute(folder)?, absolute(bundle)?);
    let Some(parent) = folder.parent().filter(|parent| parent.parent().is_some()) else {
        return Ok(bundle);
    };
    // Goes up from the folder to the nearest ancestor that it shares with the bundle, unless that is the root.
    for (ups, shared) in parent.ancestors().enumerate() {
        if shared.parent().is_none() {
            break;
        }
        if let Ok(rest) = bundle.strip_prefix(shared) {
            return Ok(std::iter::repeat_n("..", ups + 1).collect::<PathBuf>().join(rest));
        }
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_ensemble() {
        let seen = |folder: &str, bundle: &str| {
            seen_from(Path::new(folder), Path::new(bundle)).unwrap().display().to_string()
        };
        assert_eq!(seen("/a/b/vote", "/a/b/x/bundle"), "../x/bundle");
        assert_eq!(seen("/a/b/ensembles/vote", "/a/b/x/bundle"), "../../x/bundle");
        assert_eq!(seen("/a/vote", "/c/x"), "/c/x");
    }
}
