//! How far a judge agrees with people.

use crate::slices::slices;
use crate::{Agreed, JudgeError, Slice};
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_eval::{Bootstrap, Estimate, EvalOptions, EvalReport, Metric, Scored, evaluate};
use std::collections::{BTreeMap, BTreeSet};

/// What agreement must be for a judge to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreeOptions {
    /// The least quadratic-weighted kappa. The lower end of its interval must reach it.
    pub least_kappa: f64,
    /// The fewest groups of rows (rows without a group are groups of their own) from which trust may come: an interval
    /// is drawn from the groups, and of few of them it may be far too narrow, or a single point.
    pub least_groups: usize,
    /// How intervals are computed.
    pub bootstrap: Bootstrap,
}

impl Default for AgreeOptions {
    /// A kappa of 0.6, from which on agreement is commonly called substantial (Landis & Koch 1977), of 30 groups: if all
    /// of 30 agree, at most a tenth of all others do not, with 95 % confidence.
    fn default() -> Self {
        Self { least_kappa: 0.6, least_groups: 30, bootstrap: Bootstrap::default() }
    }
}

/// Agreement on the rows of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TaskAgreement {
    /// The number of rows.
    pub rows: usize,
    /// The number of their groups.
    pub groups: usize,
    /// The share of rows with the same grade.
    pub agreement: Option<Estimate>,
    /// Quadratic-weighted kappa.
    pub quadratic_kappa: Option<Estimate>,
    /// Cohen's kappa.
    pub cohen_kappa: Option<Estimate>,
    /// Whether the lower end of the interval of quadratic-weighted kappa reaches the least one wanted, and there are as
    /// many groups as wanted.
    pub trusted: bool,
}

/// The result of [`agree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeAgreement {
    /// The least kappa that was wanted.
    pub least_kappa: f64,
    /// The fewest groups that were wanted.
    pub least_groups: usize,
    /// Agreement on each task that has rows.
    pub tasks: BTreeMap<Task, TaskAgreement>,
    /// Agreement on all rows together.
    pub pooled: TaskAgreement,
    /// The mean probability of all labels together.
    pub label_mass: f64,
    /// Where the judge agrees and where it does not.
    pub slices: Vec<Slice>,
    /// The judge as a model that is evaluated on people's grades: confusion matrices (people by judge),
    /// calibration, every metric.
    pub report: EvalReport,
}

/// Measures how far a judge agrees with people.
///
/// # Errors
/// There are no rows, or the options give no interval.
pub fn agree(rows: &[Agreed<'_>], options: &AgreeOptions) -> Result<JudgeAgreement, JudgeError> {
    let scored: Vec<Scored<'_>> =
        rows.iter().map(|row| Scored::of(row.example, row.answer)).collect();
    let bootstrap = Some(options.bootstrap);
    let report = evaluate(&scored, &EvalOptions { bootstrap, ..EvalOptions::default() })?;
    let of = |task: Option<Task>, metrics: &sextant_eval::TaskMetrics| {
        let rows = scored.iter().filter(|row| task.is_none_or(|task| row.task == task));
        let (named, unnamed): (Vec<_>, Vec<_>) =
            rows.map(|row| row.group).partition(Option::is_some);
        let groups = named.into_iter().collect::<BTreeSet<_>>().len() + unnamed.len();
        let quadratic_kappa = metrics.estimate(Metric::QuadraticKappa);
        let low = quadratic_kappa.and_then(|kappa| kappa.interval).map(|interval| interval.low);
        TaskAgreement {
            rows: metrics.rows,
            groups,
            agreement: metrics.estimate(Metric::Accuracy),
            quadratic_kappa,
            cohen_kappa: metrics.estimate(Metric::CohenKappa),
            trusted: groups >= options.least_groups
                && low.is_some_and(|low| low >= options.least_kappa),
        }
    };
    Ok(JudgeAgreement {
        least_kappa: options.least_kappa,
        least_groups: options.least_groups,
        tasks: report.tasks.iter().map(|(&task, found)| (task, of(Some(task), found))).collect(),
        pooled: of(None, &report.pooled),
        label_mass: rows.iter().map(|row| row.label_mass).sum::<f64>() / rows.len() as f64,
        slices: slices(rows),
        report,
    })
}
