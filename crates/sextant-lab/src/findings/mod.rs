//! Everything that a report shows, as values: computed once from the kept predictions, rendered in any
//! form. The JSON of [`Findings`] is the machine's form of the report.
//!
//! Accuracies are means over seeds. Intervals resample groups of test rows (see
//! [`sextant_eval::row_mean`]); the standard deviation over seeds is stated beside them.

mod ablation;
mod affinity;
mod calibration;
mod consistency;
mod cost;
mod ensembles;
mod gain;
mod headline;
mod systems;
mod training;
mod verdict;

pub use ablation::{Ablation, Asymmetry, Drop};
pub use affinity::{Affinity, Forecast, Grouping, TaskMatrix};
pub use calibration::Calibration;
pub use consistency::Consistency;
pub use cost::Cost;
pub use ensembles::{EnsembleRow, Ensembles};
pub use gain::{Curve, CurvePoint, Gain};
pub use headline::{Headline, HeadlineRow};
pub(crate) use training::POINTS;
pub use training::TrainingCurve;
pub use verdict::{Behind, Contender, EnsembleOffer, TaskLead, Verdict, VerdictOutcome};

use crate::ledger::LedgerEntry;
use crate::run::{Lab, code_version};
use crate::search::{Search, TrialTrace};
use crate::{LabError, LabRecipe};
use serde::Serialize;
use sextant_core::{Grade, Prediction, Task};
use sextant_data::DataCard;
use sextant_eval::{Agreement, Bootstrap, Estimate, agreement, holm};
use systems::Judge;

/// Everything that a report shows.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The grid's name.
    pub name: String,
    /// The version of the program that computed the findings.
    pub code: String,
    /// The introduction that the recipe states.
    pub introduction: String,
    /// Runs of the grid, and how many of them are finished.
    pub runs: (usize, usize),
    /// Number of resamples for the intervals.
    pub replicates: usize,
    /// The family-wise error rate at which differences are marked.
    pub alpha: f64,
    /// What to ship, and how sure that is; absent if no system answers all test rows.
    pub verdict: Option<Verdict>,
    /// How every finished run went.
    pub training: Vec<TrainingCurve>,
    /// The headline table, which is that of the paper.
    pub headline: Headline,
    /// Ensembles of models.
    pub ensembles: Ensembles,
    /// What the prefix is worth.
    pub ablation: Ablation,
    /// What training tasks together is worth.
    pub gains: Vec<Gain>,
    /// Learning curves: accuracies and gains by the number of training rows.
    pub curves: Vec<Curve>,
    /// Which tasks help which.
    pub affinities: Vec<Affinity>,
    /// Calibration and confusions of the systems.
    pub calibration: Vec<Calibration>,
    /// Whether answers of different tasks contradict each other.
    pub consistency: Vec<Consistency>,
    /// Cost against accuracy.
    pub costs: Vec<Cost>,
    /// What the search tried.
    pub search: Vec<TrialTrace>,
    /// What is in the data.
    pub data: DataCard,
    /// Every finished run.
    pub ledger: Vec<LedgerEntry>,
    /// The recipe that makes all this again.
    pub recipe: LabRecipe,
}

impl Findings {
    /// Computes everything from the finished runs of a lab.
    ///
    /// # Errors
    /// No run is finished, or kept predictions do not fit the data.
    pub fn new(lab: &Lab) -> Result<Self, LabError> {
        let recipe = &lab.grid.recipe;
        let systems = systems::systems(lab)?;
        if systems.is_empty() {
            return Err(LabError::Recipe(vec![
                "no run is finished yet; `sextant lab run` trains them".into(),
            ]));
        }
        let bootstrap = Bootstrap { replicates: recipe.report.replicates, ..Bootstrap::default() };
        let judge = Judge { test: &lab.data.dataset.test, tasks: lab.grid.tasks(), bootstrap };
        let reference = match &recipe.report.reference {
            Some(label) => systems.iter().find(|system| system.label == *label),
            None => systems.first(),
        };
        let alpha = recipe.report.alpha;
        let finished: Vec<LedgerEntry> =
            lab.grid.cells.iter().filter_map(|cell| lab.entry(cell).cloned()).collect();
        let (path, options) = lab.grid.data()?.ok_or_else(|| LabError::Recipe(Vec::new()))?;
        let search = Search::new(&lab.grid.recipe)?;
        let ensembles = ensembles::ensembles(
            &systems,
            &recipe.ensembles.mixed,
            &recipe.ensembles.rules,
            &judge,
            &lab.data.dataset.dev,
        )?;
        let costs = cost::costs(&systems, &judge);
        let train = &lab.data.dataset.train;
        Ok(Self {
            name: recipe.name.clone(),
            code: code_version(),
            introduction: recipe.report.introduction.clone(),
            runs: (lab.grid.cells.len(), finished.len()),
            replicates: recipe.report.replicates,
            alpha,
            verdict: verdict::verdict(&systems, &judge, train, &costs, &ensembles, &recipe.report)?,
            training: training::curves(lab, search.as_ref())?,
            headline: headline::headline(&systems, &judge, reference, &recipe.report)?,
            ensembles,
            ablation: ablation::ablation(&systems, &judge)?,
            gains: gain::gains(&systems, &judge)?,
            curves: gain::curves(lab, &judge)?,
            affinities: affinity::affinities(lab, &judge)?,
            calibration: calibration::calibration(&systems, &judge, &lab.data.dataset.dev)?,
            consistency: consistency::consistency(&systems, &judge),
            costs,
            search: search.map_or_else(Vec::new, |search| search.trace(|cell| lab.entry(cell))),
            data: DataCard::read(&path, &options)?,
            ledger: finished,
            recipe: recipe.clone(),
        })
    }
}

/// A column of a table of accuracies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AccuracyColumn {
    /// The task; `None` for all rows.
    pub task: Option<Task>,
    /// Number of test rows.
    pub rows: usize,
}

impl AccuracyColumn {
    /// The column's heading.
    pub fn name(&self) -> &'static str {
        self.task.map_or("overall", Task::as_str)
    }
}

/// The tasks that have test rows, then all rows.
fn columns(judge: &Judge<'_>) -> Vec<AccuracyColumn> {
    let tasks = judge.tasks.iter().copied().map(Some).chain([None]);
    let all = tasks.map(|task| AccuracyColumn { task, rows: judge.rows(task).count() });
    all.filter(|column| column.rows > 0).collect()
}

/// An accuracy in a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The mean over seeds, with its interval over test rows.
    pub accuracy: Estimate,
    /// The accuracy of each seed.
    pub by_seed: Vec<f64>,
    /// The standard deviation over seeds (dividing by n − 1); `None` for a single seed.
    pub seed_deviation: Option<f64>,
    /// The difference from the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Estimate>,
    /// The size of the difference: [Cohen's h](sextant_eval::cohens_h), from the same resamples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cohens_h: Option<Estimate>,
    /// The p-value of the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The p-value after Holm's correction over the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// Whether the corrected p-value is below the report's alpha.
    pub significant: bool,
    /// Whether no row has a better accuracy in this column.
    pub best: bool,
}

impl Score {
    fn new(accuracy: Estimate, by_seed: Vec<f64>) -> Self {
        let seeds = by_seed.len() as f64;
        let mean = by_seed.iter().sum::<f64>() / seeds;
        let squares: f64 = by_seed.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            accuracy,
            seed_deviation: (by_seed.len() > 1).then(|| (squares / (seeds - 1.0)).sqrt()),
            by_seed,
            difference: None,
            cohens_h: None,
            p_value: None,
            p_holm: None,
            significant: false,
            best: false,
        }
    }
}

/// Marks the best score of a column; if several are equally good, all of them.
fn mark_best<'a>(scores: impl Iterator<Item = &'a mut Score>) {
    let mut scores: Vec<_> = scores.collect();
    let best = scores.iter().map(|s| s.accuracy.value).fold(f64::NEG_INFINITY, f64::max);
    for score in &mut scores {
        score.best = score.accuracy.value == best;
    }
}

/// Corrects the p-values of a table, and returns their number.
fn correct(scores: &mut [&mut Score], alpha: f64) -> usize {
    let mut tested: Vec<_> = scores.iter_mut().filter(|score| score.p_value.is_some()).collect();
    let raw: Vec<f64> = tested.iter().filter_map(|score| score.p_value).collect();
    for (score, corrected) in tested.iter_mut().zip(holm(&raw)) {
        score.p_holm = Some(corrected);
        score.significant = corrected < alpha;
    }
    raw.len()
}

/// The diversity of members on the rows that all of them answer.
fn diversity(answers: &[Vec<Option<Prediction>>], judge: &Judge<'_>) -> Option<Agreement> {
    let rows: Vec<usize> =
        judge.rows(None).filter(|&row| answers.iter().all(|a| a[row].is_some())).collect();
    let truth: Vec<Grade> = rows.iter().map(|&row| judge.test[row].grade).collect();
    let predicted: Vec<Vec<Grade>> = answers
        .iter()
        .map(|answers| rows.iter().filter_map(|&row| Some(answers[row]?.grade())).collect())
        .collect();
    agreement(&predicted, &truth)
}
