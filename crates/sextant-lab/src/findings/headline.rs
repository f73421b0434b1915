//! The table of the paper: backbones and routings by tasks.

use super::systems::{Judge, System};
use super::{AccuracyColumn, Score, columns};
use crate::LabError;
use crate::recipe::ReportRecipe;
use serde::Serialize;
use sextant_eval::Bootstrap;

/// The headline table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Headline {
    /// The six tasks, then all rows.
    pub columns: Vec<AccuracyColumn>,
    /// The system that the others are tested against.
    pub reference: Option<String>,
    /// A row for each system.
    pub rows: Vec<HeadlineRow>,
    /// How many tests Holm's correction is over.
    pub tests: usize,
}

/// A system's accuracies: means over its seeds.
#[derive(Debug, Clone, Serialize)]
pub struct HeadlineRow {
    /// The system.
    pub system: String,
    /// Its backbone.
    pub backbone: String,
    /// Its routing.
    pub routing: String,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// Number of parameters of the model, or of the models of all tasks together.
    pub parameters: u64,
    /// A score for each column; `None` where a row has no answer.
    pub scores: Vec<Option<Score>>,
}

/// Lays the table out.
pub(crate) fn headline(
    systems: &[System],
    judge: &Judge<'_>,
    reference: Option<&System>,
    report: &ReportRecipe,
) -> Result<Headline, LabError> {
    let columns = columns(judge);
    // Holm's correction multiplies p-values by up to the number of tests, so that it takes more
    // resamples for them to be small enough.
    let tester = Judge {
        test: judge.test,
        tasks: judge.tasks.clone(),
        bootstrap: Bootstrap { replicates: report.test_replicates, ..judge.bootstrap },
    };
    let mut rows = Vec::new();
    for system in systems {
        let mut scores = Vec::new();
        for column in &columns {
            let found = judge.mean(column.task, |row| judge.right_of(system, row))?;
            let Some(found) = found else {
                scores.push(None);
                continue;
            };
            let mut by_seed = Vec::new();
            for member in &system.members {
                let mine = judge.plain(column.task, |row| judge.right(row, member.test[row]));
                by_seed.extend(mine);
            }
            let mut score = Score::new(found.mean, by_seed);
            if let Some(reference) = reference.filter(|other| other.label != system.label) {
                let paired = tester.paired(column.task, reference, system)?;
                score.difference = paired.map(|found| found.difference);
                score.cohens_h = paired.map(|found| found.cohens_h);
                score.p_value = paired.and_then(|found| found.p_value);
            }
            scores.push(Some(score));
        }
        rows.push(HeadlineRow {
            system: system.label.clone(),
            backbone: system.backbone.clone(),
            routing: system.routing_label.clone(),
            seeds: system.seeds(),
            parameters: system
                .members
                .first()
                .map_or(0, |member| member.runs.iter().map(|run| run.parameters).sum()),
            scores,
        });
    }
    let mut all: Vec<&mut Score> =
        rows.iter_mut().flat_map(|row| row.scores.iter_mut().flatten()).collect();
    let tests = super::correct(&mut all, report.alpha);
    for column in 0..columns.len() {
        super::mark_best(rows.iter_mut().filter_map(|row| row.scores[column].as_mut()));
    }
    let reference = reference.map(|system| system.label.clone());
    Ok(Headline { columns, reference, rows, tests })
}
