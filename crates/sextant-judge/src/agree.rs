//! How far a judge agrees with people.

use crate::slices::slices;
use crate::{Agreed, JudgeError, Slice};
use serde::{Deserialize, Serialize};
use sextant_core::Task;
use sextant_eval::{Bootstrap, Estimate, EvalOptions, EvalReport, Metric, Scored, evaluate};
use std::collections::BTreeMap;

/// What agreement must be for a judge to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreeOptions {
    /// The least quadratic-weighted kappa. The lower end of its interval must reach it.
    pub least_kappa: f64,
    /// How intervals are computed.
    pub bootstrap: Bootstrap,
}

impl Default for AgreeOptions {
    /// A kappa of 0.6, from which on agreement is commonly called substantial (Landis & Koch 1977).
    fn default() -> Self {
        Self { least_kappa: 0.6, bootstrap: Bootstrap::default() }
    }
}

/// Agreement on the rows of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TaskAgreement {
    /// The number of rows.
    pub rows: usize,
    /// The share of rows with the same grade.
    pub agreement: Option<Estimate>,
    /// Quadratic-weighted kappa.
    pub quadratic_kappa: Option<Estimate>,
    /// Cohen's kappa.
    pub cohen_kappa: Option<Estimate>,
    /// Whether the lower end of the interval of quadratic-weighted kappa reaches the least one wanted.
    pub trusted: bool,
}

/// The result of [`agree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeAgreement {
    /// The least kappa that was wanted.
    pub least_kappa: f64,
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
    let of = |metrics: &sextant_eval::TaskMetrics| {
        let quadratic_kappa = metrics.estimate(Metric::QuadraticKappa);
        let low = quadratic_kappa.and_then(|kappa| kappa.interval).map(|interval| interval.low);
        TaskAgreement {
            rows: metrics.rows,
            agreement: metrics.estimate(Metric::Accuracy),
            quadratic_kappa,
            cohen_kappa: metrics.estimate(Metric::CohenKappa),
            trusted: low.is_some_and(|low| low >= options.least_kappa),
        }
    };
    Ok(JudgeAgreement {
        least_kappa: options.least_kappa,
        tasks: report.tasks.iter().map(|(&task, metrics)| (task, of(metrics))).collect(),
        pooled: of(&report.pooled),
        label_mass: rows.iter().map(|row| row.label_mass).sum::<f64>() / rows.len() as f64,
        slices: slices(rows),
        report,
    })
}
