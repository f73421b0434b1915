//! What systems cost, and which of them are worth it.

use super::systems::{Judge, System};
use serde::Serialize;

/// What one seed of a system costs: the mean over seeds. Where each task has a model of its own, their
/// costs are added up.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// The system.
    pub system: String,
    /// Accuracy on all rows.
    pub accuracy: f64,
    /// Floating-point operations of training.
    pub flops: f64,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Test rows predicted in a second.
    pub rows_per_second: f64,
    /// Number of parameters of the model or models.
    pub parameters: u64,
    /// The most memory that the process held in any of the runs, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Whether no system that trains with fewer operations is as accurate.
    pub efficient: bool,
}

/// The costs of all systems that answer every row.
pub(crate) fn costs(systems: &[System], judge: &Judge<'_>) -> Vec<Cost> {
    let mut costs: Vec<Cost> = systems
        .iter()
        .filter_map(|system| {
            let accuracy = judge.plain(None, |row| judge.right_of(system, row))?;
            let seeds = system.members.len() as f64;
            let runs = || system.members.iter().flat_map(|member| &member.runs);
            let rows: usize = runs().map(|run| run.test_rows).sum();
            Some(Cost {
                system: system.label.clone(),
                accuracy,
                flops: runs().map(|run| run.flops).sum::<f64>() / seeds,
                train_seconds: runs().map(|run| run.seconds).sum::<f64>() / seeds,
                rows_per_second: rows as f64
                    / runs().map(|run| run.test_seconds).sum::<f64>().max(1e-9),
                parameters: system.members.first()?.runs.iter().map(|run| run.parameters).sum(),
                peak_memory_bytes: runs().filter_map(|run| run.peak_memory_bytes).max(),
                efficient: false,
            })
        })
        .collect();
    for index in 0..costs.len() {
        let (flops, accuracy) = (costs[index].flops, costs[index].accuracy);
        let beaten = |other: &Cost| {
            other.flops <= flops
                && other.accuracy >= accuracy
                && (other.flops < flops || other.accuracy > accuracy)
        };
        costs[index].efficient = !costs.iter().any(beaten);
    }
    costs
}
