//! The runs and baselines of one table, checked to be comparable.

use crate::table::{ComparisonColumn, ComparisonTable, Row, RowKind, Slice, TableCell};
use crate::{LabError, RunFacts};
use sextant_core::Task;
use sextant_data::{Baselines, CheckReport};
use sextant_eval::{Estimate, EvalReport, Metric};
use std::collections::BTreeMap;

/// A trained model: how well it did, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's name in tables.
    pub name: String,
    /// Its evaluation.
    pub report: EvalReport,
    /// Its training.
    pub facts: RunFacts,
}

/// A rule that needs no training, such as always answering the most frequent grade. Only its accuracies
/// are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The baseline's name in tables.
    pub name: String,
    /// Its accuracy on each task, from 0 to 1.
    pub accuracy: BTreeMap<Task, f64>,
    /// Its accuracy on all rows together.
    pub pooled: Option<f64>,
}

impl Baseline {
    /// The accuracy that trivial models reach on the test rows.
    pub fn trivial(report: &CheckReport) -> [Self; 2] {
        let by_task = |accuracy: fn(&Baselines) -> f64| {
            let tasks = report.tasks.iter();
            let tasks =
                tasks.filter_map(|task| Some((task.task, accuracy(task.baselines.as_ref()?))));
            tasks.collect()
        };
        [
            Self {
                name: "majority grade".into(),
                accuracy: by_task(|found| found.majority_accuracy),
                pooled: report.pooled_majority_accuracy,
            },
            Self {
                name: "word overlap".into(),
                accuracy: by_task(|found| found.overlap_accuracy),
                pooled: report.pooled_overlap_accuracy,
            },
        ]
    }
}

/// Runs on the same rows, side by side.
///
/// ```
/// use sextant_core::{Grade, Prediction, Task};
/// use sextant_eval::{EvalOptions, Metric, Scored, evaluate};
/// use sextant_lab::{Comparison, Run, RunFacts};
///
/// let row = |probs| Scored::new(Task::QueryType, Grade::Relevant, Prediction::new(probs));
/// let (right, wrong) = (row([0.1, 0.2, 0.7]), row([0.6, 0.3, 0.1]));
/// let mut comparison = Comparison::new();
/// for (name, rows) in [("shared", [right, wrong]), ("prefix", [right, right])] {
///     let report = evaluate(&rows, &EvalOptions::quick())?;
///     comparison.add_run(Run { name: name.into(), report, facts: RunFacts::default() })?;
/// }
/// let table = comparison.table(Metric::Accuracy);
/// println!("{}", table.to_markdown());
/// // The last column is all rows pooled.
/// let is_best = |run: usize| table.rows[run].cells[Task::COUNT].is_some_and(|cell| cell.best);
/// assert_eq!([is_best(0), is_best(1)], [false, true]);
/// # Ok::<(), sextant_lab::LabError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    runs: Vec<Run>,
    baselines: Vec<Baseline>,
}

impl Comparison {
    /// A comparison without runs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a run. A run may answer fewer tasks than others, as a single-task model does.
    ///
    /// # Errors
    /// The name is taken; or the run was evaluated on other rows than those before it, judging by the
    /// data set and the number of rows; or its intervals have another level.
    pub fn add_run(&mut self, run: Run) -> Result<(), LabError> {
        self.check_name(&run.name)?;
        for there in &self.runs {
            same_rows(there, &run)?;
        }
        self.runs.push(run);
        Ok(())
    }

    /// Adds a baseline. Only tables of accuracy list baselines, above the runs.
    ///
    /// # Errors
    /// The name is taken.
    pub fn add_baseline(&mut self, baseline: Baseline) -> Result<(), LabError> {
        self.check_name(&baseline.name)?;
        self.baselines.push(baseline);
        Ok(())
    }

    /// The runs, in the order in which they were added.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// One metric of every run (rows) on every task and all rows pooled (columns).
    ///
    /// The best value of each column is marked; if several are equally good, all of them. The pooled
    /// value is left out for a run that does not answer every task of the table, because it would be
    /// over other rows.
    pub fn table(&self, metric: Metric) -> ComparisonTable {
        let columns = self.columns();
        let mut rows = Vec::new();
        if metric == Metric::Accuracy {
            rows.extend(self.baselines.iter().map(|baseline| baseline_row(baseline, &columns)));
        }
        rows.extend(self.runs.iter().map(|run| run_row(run, metric, &columns)));
        mark_best(&mut rows, columns.len(), metric.higher_is_better());
        let level = self.runs.iter().find_map(|run| run.report.bootstrap).map(|setup| setup.level);
        ComparisonTable { metric, level, columns, rows }
    }

    /// The name of the data set, if the report of a run states it.
    pub fn dataset(&self) -> Option<&str> {
        let mut datasets = self.runs.iter().filter_map(|run| run.report.dataset.as_ref());
        datasets.next().map(|dataset| dataset.name.as_str())
    }

    /// The six tasks and all rows pooled, with the number of rows evaluated.
    fn columns(&self) -> Vec<ComparisonColumn> {
        let rows_of = |task: Task| {
            let rows = |run: &Run| run.report.tasks.get(&task).map(|metrics| metrics.rows);
            self.runs.iter().find_map(rows).unwrap_or(0)
        };
        let mut columns: Vec<_> = Task::ALL
            .into_iter()
            .map(|task| ComparisonColumn { slice: Slice::Task(task), rows: rows_of(task) })
            .collect();
        let pooled = columns.iter().map(|column| column.rows).sum();
        columns.push(ComparisonColumn { slice: Slice::Pooled, rows: pooled });
        columns
    }

    fn check_name(&self, name: &str) -> Result<(), LabError> {
        let mut names = self.runs.iter().map(|run| &run.name);
        let mut baselines = self.baselines.iter().map(|baseline| &baseline.name);
        if names.any(|taken| taken == name) || baselines.any(|taken| taken == name) {
            return Err(LabError::SameName { name: name.to_owned() });
        }
        Ok(())
    }
}

/// Checks that two runs were evaluated on the same rows and at the same level, as far as their reports
/// tell.
fn same_rows(first: &Run, second: &Run) -> Result<(), LabError> {
    let names = || (first.name.clone(), second.name.clone());
    if let (Some(a), Some(b)) = (&first.report.dataset, &second.report.dataset) {
        let same = match (&a.sha256, &b.sha256) {
            (Some(a), Some(b)) => a == b,
            _ => a.name == b.name,
        };
        if !same {
            let text = |dataset: &sextant_eval::Dataset| match &dataset.sha256 {
                Some(sha256) => format!("`{}` (sha256 {sha256})", dataset.name),
                None => format!("`{}`", dataset.name),
            };
            let ((first, second), first_dataset, second_dataset) = (names(), text(a), text(b));
            return Err(LabError::Datasets { first, first_dataset, second, second_dataset });
        }
    }
    for (&task, metrics) in &first.report.tasks {
        let first_rows = metrics.rows;
        let second_rows = second.report.tasks.get(&task).map_or(first_rows, |other| other.rows);
        if first_rows != second_rows {
            let (first, second) = names();
            return Err(LabError::Rows { first, first_rows, second, second_rows, task });
        }
    }
    if let (Some(a), Some(b)) = (first.report.bootstrap, second.report.bootstrap)
        && a.level != b.level
    {
        let ((first, second), first_level, second_level) =
            (names(), a.level * 100.0, b.level * 100.0);
        return Err(LabError::Levels { first, first_level, second, second_level });
    }
    Ok(())
}

fn run_row(run: &Run, metric: Metric, columns: &[ComparisonColumn]) -> Row {
    let report = &run.report;
    let pooled_rows = columns.iter().find(|column| column.slice == Slice::Pooled);
    let answers_all = pooled_rows.is_some_and(|column| column.rows == report.pooled.rows);
    let estimate = |column: &ComparisonColumn| match column.slice {
        Slice::Task(task) => report.tasks.get(&task)?.estimate(metric),
        Slice::Pooled => report.pooled.estimate(metric).filter(|_| answers_all),
    };
    Row {
        name: run.name.clone(),
        kind: RowKind::Run,
        cells: columns.iter().map(|column| estimate(column).map(TableCell::new)).collect(),
        facts: Some(run.facts.clone()),
    }
}

fn baseline_row(baseline: &Baseline, columns: &[ComparisonColumn]) -> Row {
    let value = |column: &ComparisonColumn| match column.slice {
        Slice::Task(task) => baseline.accuracy.get(&task).copied(),
        Slice::Pooled => baseline.pooled,
    };
    let cell = |value| TableCell::new(Estimate { value, interval: None });
    Row {
        name: baseline.name.clone(),
        kind: RowKind::Baseline,
        cells: columns.iter().map(|column| value(column).map(cell)).collect(),
        facts: None,
    }
}

fn mark_best(rows: &mut [Row], columns: usize, higher_is_better: bool) {
    for column in 0..columns {
        let values = rows.iter().filter_map(|row| row.cells[column].as_ref());
        let sign = if higher_is_better { 1.0 } else { -1.0 };
        let best = values.map(|cell| sign * cell.estimate.value).fold(f64::NEG_INFINITY, f64::max);
        for cell in rows.iter_mut().filter_map(|row| row.cells[column].as_mut()) {
            cell.best = sign * cell.estimate.value == best;
        }
    }
}
