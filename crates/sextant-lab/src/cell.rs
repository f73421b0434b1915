//! One run of a grid.

use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_train::Recipe;

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
    /// The same with the multi-task model's number of steps.
    EqualSteps {
        /// The task.
        task: Task,
    },
    /// A routing with other keys.
    Variant,
    /// A point of a learning curve.
    Curve {
        /// The task whose rows are made fewer.
        task: Task,
        /// The share that is kept.
        share: f64,
        /// Whether the model knows this task alone.
        single: bool,
    },
    /// A trial of the search.
    Trial {
        /// Which of the settings drawn.
        trial: usize,
        /// Which round, from 0.
        round: usize,
    },
}

/// One run: an ordinary recipe and its place in the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The backbone's label.
    pub backbone: String,
    /// The routing's label, or what stands in its place: `single`, a variant's label.
    pub routing: String,
    /// Why it is there.
    pub role: Role,
    /// What is run. Its name is the cell's: `BACKBONE-ROUTING-sSEED`.
    pub recipe: Recipe,
}

impl Cell {
    /// Its folder's name.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// `BACKBONE-ROUTING`: what its seeds have in common.
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
