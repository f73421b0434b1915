//! What the prefix is worth: how far accuracy drops without it, where heads and blocks are private
//! and where they are not, and how much these drops differ.

use super::systems::{Judge, System};
use crate::LabError;
use serde::Serialize;
use sextant_core::Task;
use sextant_eval::RowMean;
use sextant_model::Routing;

/// The ablation of the prefix.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ablation {
    /// Drops, for each pair of systems that differ in the prefix alone.
    pub drops: Vec<Drop>,
    /// Differences of two drops, both computed on the same resamples.
    pub asymmetries: Vec<Asymmetry>,
}

/// Accuracy with the prefix minus accuracy without, means over seeds.
#[derive(Debug, Clone, Serialize)]
pub struct Drop {
    /// The backbone.
    pub backbone: String,
    /// The routing without the prefix.
    pub routing: String,
    /// The system with the prefix.
    pub with: String,
    /// The system without the prefix.
    pub without: String,
    /// The drop on each task; `None` stands for all rows.
    pub values: Vec<(Option<Task>, RowMean)>,
}

/// A drop minus another.
#[derive(Debug, Clone, Serialize)]
pub struct Asymmetry {
    /// The system without the prefix whose drop it is.
    pub of: String,
    /// The system without the prefix whose drop is subtracted.
    pub minus: String,
    /// The difference on all rows.
    pub difference: RowMean,
}

/// Finds the pairs and computes all drops.
pub(crate) fn ablation(systems: &[System], judge: &Judge<'_>) -> Result<Ablation, LabError> {
    let mut found = Ablation::default();
    let mut pairs: Vec<(&System, &System, Routing)> = Vec::new();
    for without in systems {
        let Some(routing) = without.routing.filter(|routing| !routing.prefix) else { continue };
        // Variants are left out: their other keys would be part of the difference.
        if without.routing_label != crate::cell::file_safe(&routing.label()) {
            continue;
        }
        let prefixed = Routing { prefix: true, ..routing };
        let with = systems.iter().find(|system| {
            system.backbone == without.backbone
                && system.routing == Some(prefixed)
                && system.routing_label == crate::cell::file_safe(&prefixed.label())
        });
        if let Some(with) = with {
            pairs.push((with, without, routing));
        }
    }
    for (with, without, _) in &pairs {
        let mut values = Vec::new();
        for task in std::iter::once(None).chain(Task::ALL.map(Some)) {
            values.extend(judge.difference(task, without, with)?.map(|drop| (task, drop)));
        }
        found.drops.push(Drop {
            backbone: with.backbone.clone(),
            routing: without.routing_label.clone(),
            with: with.label.clone(),
            without: without.label.clone(),
            values,
        });
    }
    for (first, (with, without, routing)) in pairs.iter().enumerate() {
        for (other_with, other_without, other_routing) in &pairs[first + 1..] {
            // Drops are compared for any two routings within a backbone, but for the same routing
            // between backbones.
            if with.backbone != other_with.backbone && routing != other_routing {
                continue;
            }
            let drop = |with: &System, without: &System, row: usize| {
                Some(judge.right_of(with, row)? - judge.right_of(without, row)?)
            };
            let difference = judge.mean(None, |row| {
                Some(drop(with, without, row)? - drop(other_with, other_without, row)?)
            })?;
            found.asymmetries.extend(difference.map(|difference| Asymmetry {
                of: without.label.clone(),
                minus: other_without.label.clone(),
                difference,
            }));
        }
    }
    Ok(found)
}
