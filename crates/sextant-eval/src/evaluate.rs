//! From scored rows to a report.

use crate::calibration::reliability;
use crate::sample::{MACRO, POOLED, SLICES, Sample, Size};
use crate::tally::{Tally, VALUES, Values, class_offset};
use crate::{
    Bootstrap, ClassMetrics, Dataset, Estimate, Estimates, EvalError, EvalReport, Interval, Metric,
    Scored, TaskMetrics,
};
use sextant_core::{Grade, Task};

/// What to compute in addition to the metrics that need only one pass over the rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvalOptions {
    /// Names the rows in the report.
    pub dataset: Option<Dataset>,
    /// Whether to rank groups and compute NDCG@10.
    pub ranking: bool,
    /// Whether to compute intervals, and how.
    pub bootstrap: Option<Bootstrap>,
}

impl EvalOptions {
    /// Everything: NDCG@10, and 95 % intervals from 1000 replicates.
    pub fn full() -> Self {
        Self { dataset: None, ranking: true, bootstrap: Some(Bootstrap::default()) }
    }

    /// Values only, from one pass over the rows: for evaluations while training.
    pub fn quick() -> Self {
        Self::default()
    }
}

/// Evaluates scored rows: each task that has rows, all rows pooled, and the mean over tasks.
///
/// # Errors
/// No rows, a prediction that is not a probability distribution, an unusable weight, or bootstrap
/// settings that give no interval.
pub fn evaluate(rows: &[Scored<'_>], options: &EvalOptions) -> Result<EvalReport, EvalError> {
    if rows.is_empty() {
        return Err(EvalError::NoRows);
    }
    rows.iter().enumerate().try_for_each(|(index, row)| row.check(index))?;
    let bootstrap = options.bootstrap.as_ref();
    bootstrap.map_or(Ok(()), Bootstrap::check)?;

    let sample = Sample::new(rows, options.ranking);
    let (sizes, tallies, values) = (sample.sizes(), sample.tallies(), sample.values());
    let intervals =
        bootstrap.map_or([[None; VALUES]; SLICES], |setup| sample.intervals(setup, &values));

    let metrics = |slice: usize| {
        let numbers = Numbers { values: &values[slice], intervals: &intervals[slice] };
        numbers.task_metrics(sizes[slice], &tallies[slice], options.ranking)
    };
    let averages = Numbers { values: &values[MACRO], intervals: &intervals[MACRO] };
    Ok(EvalReport {
        version: EvalReport::VERSION,
        dataset: options.dataset.clone(),
        bootstrap: options.bootstrap,
        pooled: metrics(POOLED),
        macro_average: averages.estimates(options.ranking),
        tasks: Task::ALL
            .into_iter()
            .filter(|task| sizes[task.index()].rows > 0)
            .map(|task| (task, metrics(task.index())))
            .collect(),
    })
}

/// The values of a slice of rows beside their intervals.
struct Numbers<'a> {
    values: &'a Values,
    intervals: &'a [Option<Interval>; VALUES],
}

impl Numbers<'_> {
    fn estimate(&self, k: usize) -> Option<Estimate> {
        self.values[k].map(|value| Estimate { value, interval: self.intervals[k] })
    }

    fn estimates(&self, ranking: bool) -> Estimates {
        Metric::ALL
            .into_iter()
            .filter(|&metric| ranking || metric != Metric::NdcgAt10)
            .map(|metric| (metric, self.estimate(metric.index())))
            .collect()
    }

    fn task_metrics(&self, size: Size, tally: &Tally, ranking: bool) -> TaskMetrics {
        // Precision, recall and F1 are always defined on a slice that has rows.
        let ratio = |k: usize| self.estimate(k).unwrap_or(Estimate { value: 0.0, interval: None });
        let class = |grade: Grade| {
            let at = class_offset(grade.index());
            ClassMetrics {
                grade,
                precision: ratio(at),
                recall: ratio(at + 1),
                f1: ratio(at + 2),
                support: tally.confusion.support(grade.index()),
            }
        };
        TaskMetrics {
            rows: size.rows,
            groups: size.units,
            ranked_lists: size.ranked_lists,
            metrics: self.estimates(ranking),
            classes: Grade::ALL.map(class),
            confusion: tally.confusion.0,
            reliability: reliability(&tally.bins),
        }
    }
}
