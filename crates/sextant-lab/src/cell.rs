//! One run of a grid.

use crate::recipe::{BackboneAxis, LabRecipe};
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_model::Routing;
use sextant_train::{Plan, Recipe};
use std::path::PathBuf;

/// A function that finds a backbone's folder by its name, as [`Plan::new`] takes it.
pub type Resolve = fn(&str) -> Result<PathBuf, String>;

/// Why a run is in the grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Role {
    /// A backbone with a routing.
    Routing,
    /// A baseline of one task, on the rows that a multi-task model gets.
    Single {
        /// The task.
        task: Task,
    },
    /// A baseline of one task with the multi-task model's number of steps.
    EqualSteps {
        /// The task.
        task: Task,
    },
    /// A routing with other keys of the training recipe.
    Variant,
    /// A point of a learning curve.
    Curve {
        /// The task whose training rows are reduced.
        task: Task,
        /// The share of its training rows that is kept.
        share: f64,
        /// Whether the model is trained on this task alone.
        single: bool,
    },
    /// A model of two tasks, by which the gain of each from the other is measured.
    Pair {
        /// The tasks.
        tasks: [Task; 2],
    },
    /// A multi-task model that measures on its way how far the gradients of its tasks agree.
    Gradients,
    /// A trial of the search.
    Trial {
        /// The number of the trial's settings in the order of drawing, from 0.
        trial: usize,
        /// The round, from 0.
        round: usize,
    },
}

/// One run: an ordinary recipe and its place in the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The backbone's label.
    pub backbone: String,
    /// The routing's label, or what takes its place: a label such as `single-query-type`, or that of a
    /// variant.
    pub routing: String,
    /// Why the run is in the grid.
    pub role: Role,
    /// The recipe of the run. Its name is the cell's: `BACKBONE-ROUTING-sSEED`.
    pub recipe: Recipe,
}

impl Cell {
    /// A run: the base recipe, changed by the backbone's keys, then by `set`.
    pub(crate) fn new(
        lab: &LabRecipe,
        axis: &BackboneAxis,
        label: &str,
        routing: Routing,
        seed: u64,
        role: Role,
        set: &[&toml::Table],
    ) -> Result<Self, String> {
        let (backbone, label) = (file_safe(&axis.label()), file_safe(label));
        let name = match role {
            Role::Trial { .. } => label.clone(),
            _ => format!("{backbone}-{label}-s{seed}"),
        };
        let mut table = lab.base.clone();
        merge(&mut table, &axis.set);
        let seed_value =
            i64::try_from(seed).map_err(|_| format!("{name}: seed {seed} is too large"))?;
        table.insert("name".into(), name.clone().into());
        table.insert("seed".into(), seed_value.into());
        let routing = toml::Value::try_from(routing).map_err(|error| format!("{name}: {error}"))?;
        let model = table.entry("model").or_insert_with(|| toml::Table::new().into());
        let model = model.as_table_mut().ok_or_else(|| "base.model must be a table".to_owned())?;
        model.insert("backbone".into(), axis.backbone.clone());
        model.insert("routing".into(), routing);
        for keys in set {
            merge(&mut table, keys);
        }
        let recipe: Recipe =
            table.try_into().map_err(|error| format!("{name}: {}", error.to_string().trim()))?;
        Ok(Self { backbone, routing: label, role, recipe })
    }

    /// The mistake in the cell's recipe, if there is one.
    pub(crate) fn mistake(&self, resolve: Resolve) -> Option<String> {
        let error = Plan::new(self.recipe.clone(), resolve).err()?;
        Some(format!("{}: {error}", self.name()))
    }

    /// The name of the run and of its folder.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// `BACKBONE-ROUTING`: the part of the name that runs with other seeds have too.
    pub fn label(&self) -> String {
        format!("{}-{}", self.backbone, self.routing)
    }
}

/// A label that can be part of a folder's name: letters, digits and `.+_-`; anything else becomes
/// one `-`.
pub(crate) fn file_safe(label: &str) -> String {
    let mut safe = String::new();
    for c in label.chars() {
        let c = if c.is_ascii_alphanumeric() || ".+_-".contains(c) { c } else { '-' };
        if c != '-' || !safe.ends_with('-') {
            safe.push(c);
        }
    }
    safe.trim_matches(['-', '.']).to_owned()
}

/// Puts keys into a table: inner tables are merged, all other values are replaced.
pub(crate) fn merge(table: &mut toml::Table, keys: &toml::Table) {
    for (key, value) in keys {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(keys)) => merge(inner, keys),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_folder_names() {
        for (label, expected) in [
            ("mhp-2+prefix", "mhp-2+prefix"),
            ("mhp-2 (fresh)", "mhp-2-fresh"),
            ("../x/y", "x-y"),
            ("mmoe [4]", "mmoe-4"),
        ] {
            assert_eq!(file_safe(label), expected);
        }
    }
}
