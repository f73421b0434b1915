//! Fits the thresholds of a decision rule on rows that the model was not trained on.

use crate::bootstrap::number_units;
use crate::confusion::Confusion;
use crate::{Objective, Scored};
use serde::{Deserialize, Serialize};
use sextant_core::{DecisionRule, Decisions, Grade, Task};
use std::collections::BTreeMap;

/// The most thresholds that are tried; of more different scores, so many at equal distances by rank are.
const CANDIDATES: usize = 1000;
/// The parts of the rows for the estimate of what a rule is worth on other rows.
const FOLDS: u32 = 5;

/// A rule, and what it is worth on the rows that it was fitted on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FittedDecision {
    /// The rule.
    pub rule: DecisionRule,
    /// The objective when the most probable grade is taken. `None` where it is undefined, as kappa is if all
    /// is one grade.
    pub before: Option<f64>,
    /// The objective with the rule, on the rows that it was fitted on: too good an estimate.
    pub fitted: Option<f64>,
    /// The objective where the grade of every row was decided by a rule that was fitted without its group: an
    /// estimate for other rows.
    pub cross_fitted: Option<f64>,
    /// Whether the cross-fitted value is better than that of the most probable grade.
    pub helps: bool,
}

/// The thresholds on the expected grade under which the objective is best on rows of one task, over all pairs
/// of thresholds (if there are more than 1,000 different expected grades, over 1,000 of them). Of equally good
/// pairs, the one that is nearest to 0.5 and 1.5 is taken. `None` without rows.
///
/// Rows of a group stay together in the five parts that the cross-fitted value is computed from.
pub fn fit_decision(rows: &[Scored<'_>], objective: &Objective) -> Option<FittedDecision> {
    if rows.is_empty() {
        return None;
    }
    let mut before = Confusion::default();
    for row in rows {
        before.0[row.grade.index()][row.prediction.most_probable().index()] +=
            f64::from(row.weight);
    }
    let (units, count) = number_units(rows.iter().map(|row| row.group));
    let all: Vec<Row> = rows.iter().map(Row::new).collect();
    let rule = fit(all.clone(), objective)?;
    let folds = FOLDS.min(count as u32);
    let mut crossed = Confusion::default();
    for fold in 0..folds {
        let is_held = |index: &usize| units[*index] % folds == fold;
        let (held, kept): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(is_held);
        // With a single unit there is nothing to fit on, and nothing is known of other rows.
        let without = fit(kept.iter().map(|&row| all[row]).collect(), objective).unwrap_or(rule);
        for row in held.into_iter().map(|row| all[row]) {
            row.count(without.grade_of(row.expected), &mut crossed);
        }
    }
    let mut fitted = Confusion::default();
    for row in &all {
        row.count(rule.grade_of(row.expected), &mut fitted);
    }
    Some(FittedDecision {
        rule,
        before: objective.value(&before),
        fitted: objective.value(&fitted),
        cross_fitted: objective.value(&crossed),
        helps: folds > 1 && objective.merit(&crossed) > objective.merit(&before),
    })
}

/// The fitted rule of each task that has rows.
pub fn fit_decisions(rows: &[Scored<'_>], objective: &Objective) -> BTreeMap<Task, FittedDecision> {
    let of_task = |task: Task| {
        let rows: Vec<_> = rows.iter().filter(|row| row.task == task).copied().collect();
        Some((task, fit_decision(&rows, objective)?))
    };
    Task::ALL.into_iter().filter_map(of_task).collect()
}

/// The rules that help.
pub fn helpful(fitted: &BTreeMap<Task, FittedDecision>) -> Decisions {
    let helpful = fitted.iter().filter(|(_, fitted)| fitted.helps);
    helpful.map(|(&task, fitted)| (task, fitted.rule)).collect()
}

/// What the fit needs of a row.
#[derive(Clone, Copy)]
struct Row {
    expected: f32,
    grade: Grade,
    weight: f64,
}

impl Row {
    fn new(row: &Scored<'_>) -> Self {
        let expected = row.prediction.expected_grade();
        Self { expected, grade: row.grade, weight: f64::from(row.weight) }
    }

    fn count(&self, decided: Grade, into: &mut Confusion) {
        into.0[self.grade.index()][decided.index()] += self.weight;
    }
}

/// A threshold, and the weight of the rows of each grade below it.
#[derive(Clone, Copy)]
struct Cut {
    threshold: f32,
    below: [f64; Grade::COUNT],
}

fn fit(mut rows: Vec<Row>, objective: &Objective) -> Option<DecisionRule> {
    rows.sort_by(|a, b| a.expected.total_cmp(&b.expected));
    let cuts = cuts(&rows);
    let all = cuts.last()?.below;
    let mut best: Option<(f64, f32, [f32; 2])> = None;
    for (index, low) in cuts.iter().enumerate() {
        for high in &cuts[index..] {
            let mut confusion = Confusion::default();
            let below = low.below.into_iter().zip(high.below).zip(all);
            for (row, ((low, high), all)) in confusion.0.iter_mut().zip(below) {
                *row = [low, high - low, all - high];
            }
            let merit = objective.merit(&confusion);
            let unusual = (low.threshold - 0.5).abs() + (high.threshold - 1.5).abs();
            let better = best
                .is_none_or(|(most, least, _)| merit > most || (merit == most && unusual < least));
            if better {
                best = Some((merit, unusual, [low.threshold, high.threshold]));
            }
        }
    }
    best.and_then(|(_, _, thresholds)| DecisionRule::new(thresholds).ok())
}

/// The thresholds to try: below all rows, between any two neighbours that differ, and above all rows.
fn cuts(rows: &[Row]) -> Vec<Cut> {
    let mut cuts = vec![Cut { threshold: 0.0, below: [0.0; Grade::COUNT] }];
    let mut below = [0.0; Grade::COUNT];
    for (index, row) in rows.iter().enumerate() {
        below[row.grade.index()] += row.weight;
        let next = rows.get(index + 1).map(|next| next.expected);
        let threshold = match next {
            None => row.expected.max(2.0).next_up(),
            Some(next) if next == row.expected => continue,
            // Between neighbouring numbers, the middle may be the lower one.
            Some(next) => match f32::midpoint(row.expected, next) {
                middle if middle > row.expected => middle,
                _ => next,
            },
        };
        cuts.push(Cut { threshold, below });
    }
    let last = cuts.len() - 1;
    if last < CANDIDATES {
        return cuts;
    }
    // The first and the last are among them.
    let taken = (0..CANDIDATES).map(|number| cuts[number * last / (CANDIDATES - 1)]);
    taken.collect()
}
