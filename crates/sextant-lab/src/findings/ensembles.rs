//! Ensembles over seeds, and over routings.

use super::systems::{Judge, System};
use super::{AccuracyColumn, Score, columns};
use crate::LabError;
use crate::weights::fit_weights;
use serde::Serialize;
use sextant_core::{Example, Grade, Prediction};
use sextant_eval::{Agreement, Estimate, Vote};

/// The ensembles of a lab.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ensembles {
    /// The six tasks, then all rows.
    pub columns: Vec<AccuracyColumn>,
    /// A row for each ensemble.
    pub rows: Vec<EnsembleRow>,
}

/// One ensemble.
#[derive(Debug, Clone, Serialize)]
pub struct EnsembleRow {
    /// The name of the ensemble and of its folder.
    pub name: String,
    /// The systems whose seeds are its members.
    pub systems: Vec<String>,
    /// The rule.
    pub rule: Vote,
    /// The runs of each member: several where each run answers one task.
    pub members: Vec<Vec<String>>,
    /// The members' weights: fitted on dev rows for [`Vote::Weighted`], equal for every other rule.
    pub weights: Vec<f64>,
    /// A score for each column; `None` where a row has no answer.
    pub scores: Vec<Option<Score>>,
    /// Accuracy on all rows minus the mean of the members' accuracies.
    pub gain: Option<Estimate>,
    /// How much members differ; the same for every rule.
    pub diversity: Option<Agreement>,
}

/// Forms the ensembles: the seeds of every system, and those of every list of systems, by each rule.
pub(crate) fn ensembles(
    systems: &[System],
    mixed: &[Vec<String>],
    rules: &[Vote],
    judge: &Judge<'_>,
    dev: &[Example],
) -> Result<Ensembles, LabError> {
    let columns = columns(judge);
    let mut rows = Vec::new();
    let mut sets: Vec<(String, Vec<&System>)> =
        systems.iter().map(|system| (system.label.clone(), vec![system])).collect();
    for labels in mixed {
        let chosen: Vec<&System> =
            systems.iter().filter(|system| labels.contains(&system.label)).collect();
        let backbones: std::collections::BTreeSet<_> =
            chosen.iter().map(|system| &system.backbone).collect();
        let name = |system: &&System| match backbones.len() {
            1 => system.routing_label.clone(),
            _ => system.label.clone(),
        };
        let names: Vec<_> = chosen.iter().map(name).collect();
        sets.push((format!("mixed: {}", names.join(", ")), chosen));
    }
    for (name, chosen) in sets {
        let members: Vec<_> = chosen.iter().flat_map(|system| &system.members).collect();
        if members.len() < 2 {
            continue;
        }
        let answers = |split: fn(&super::systems::Member) -> &Vec<Option<Prediction>>| {
            members.iter().map(|member| split(member).clone()).collect::<Vec<_>>()
        };
        let (test, on_dev) = (answers(|member| &member.test), answers(|member| &member.dev));
        let grades: Vec<Grade> = dev.iter().map(|example| example.grade).collect();
        let diversity = super::diversity(&test, judge);
        for &rule in rules {
            let weights = if rule == Vote::Weighted {
                fit_weights(&on_dev, &grades)
            } else {
                vec![1.0 / members.len() as f64; members.len()]
            };
            let together = combined(rule, &test, &weights);
            let mut scores = Vec::new();
            for column in &columns {
                let found = judge.mean(column.task, |row| judge.right(row, together[row]))?;
                scores.push(found.map(|found| Score::new(found.mean, Vec::new())));
            }
            let mean_of_members = |row: usize| {
                let right: Option<f64> =
                    test.iter().map(|answers| judge.right(row, answers[row])).sum();
                right.map(|right| right / test.len() as f64)
            };
            let gain = judge
                .mean(None, |row| Some(judge.right(row, together[row])? - mean_of_members(row)?))?;
            rows.push(EnsembleRow {
                name: crate::cell::file_safe(&format!("{name}-{rule}")),
                systems: chosen.iter().map(|system| system.label.clone()).collect(),
                rule,
                members: members
                    .iter()
                    .map(|member| member.runs.iter().map(|run| run.name.clone()).collect())
                    .collect(),
                weights,
                scores,
                gain: gain.map(|found| found.mean),
                diversity,
            });
        }
    }
    for column in 0..columns.len() {
        super::mark_best(rows.iter_mut().filter_map(|row| row.scores[column].as_mut()));
    }
    Ok(Ensembles { columns, rows })
}

/// An ensemble's answer to each row; `None` where a member has no answer.
pub(crate) fn combined(
    rule: Vote,
    answers: &[Vec<Option<Prediction>>],
    weights: &[f64],
) -> Vec<Option<Prediction>> {
    let rows = answers.first().map_or(0, Vec::len);
    let row = |row: usize| {
        let given: Option<Vec<Prediction>> = answers.iter().map(|answers| answers[row]).collect();
        given.map(|given| rule.combine(&given, weights))
    };
    (0..rows).map(row).collect()
}
