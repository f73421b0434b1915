//! The whole analysis of a model's errors on labelled rows.

use super::{Feature, LabelNoise, Slice, WorstSlices, label_noise, slices, worst_slices};
use crate::{Bootstrap, EvalError, Scored};
use serde::{Deserialize, Serialize};
use sextant_core::Example;

/// What an analysis looks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorOptions {
    /// The most mistakes that are listed.
    pub mistakes: usize,
    /// The most slices that a search gives.
    pub worst: usize,
    /// The fewest rows of a slice that is searched for; if `None`, one in a hundred rows, and at least 20.
    pub min_rows: Option<usize>,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
}

impl Default for ErrorOptions {
    fn default() -> Self {
        let bootstrap = Bootstrap { replicates: 500, ..Bootstrap::default() };
        Self { mistakes: 100, worst: 15, min_rows: None, bootstrap }
    }
}

/// Where a model is wrong. Rows are named by their places among those that were analysed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorAnalysis {
    /// How many rows there are.
    pub rows: usize,
    /// How many of them the model gets wrong.
    pub wrong: usize,
    /// The mistakes of which the model is most confident.
    pub mistakes: Vec<usize>,
    /// Labels that are likely wrong.
    pub noise: LabelNoise,
    /// For each feature, its slices.
    pub slices: Vec<(String, Vec<Slice>)>,
    /// The worst slices.
    pub worst: WorstSlices,
}

/// Analyses the errors of a model. `columns` are further columns of the rows, by which slices are made too where
/// they have few values or are numbers; those that have neither are left out.
///
/// # Errors
/// There are no rows, a prediction is no distribution, or the bootstrap gives no interval.
pub fn analyse_errors(
    examples: &[&Example],
    rows: &[Scored<'_>],
    columns: &[(String, Vec<Option<String>>)],
    options: &ErrorOptions,
) -> Result<ErrorAnalysis, EvalError> {
    if rows.is_empty() {
        return Err(EvalError::NoRows);
    }
    rows.iter().enumerate().try_for_each(|(index, row)| row.check(index))?;
    let mut mistakes: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].is_correct()).collect();
    let wrong = mistakes.len();
    let confidence = |row: usize| rows[row].prediction.confidence();
    mistakes.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)).then(a.cmp(&b)));
    mistakes.truncate(options.mistakes);
    let mut features = Feature::of_pairs(examples);
    features.extend(columns.iter().filter_map(|(name, texts)| Feature::of_column(name, texts)));
    let of_feature =
        |feature: &Feature| Ok((feature.name.clone(), slices(rows, feature, &options.bootstrap)?));
    let min_rows = options.min_rows.unwrap_or((rows.len() / 100).max(20));
    // What the true grade is, nobody knows of a row in advance, so that it is no slice to look after.
    let searched: Vec<Feature> =
        features.iter().filter(|feature| feature.name != "true grade").cloned().collect();
    Ok(ErrorAnalysis {
        rows: rows.len(),
        wrong,
        mistakes,
        noise: label_noise(rows),
        slices: features.iter().map(of_feature).collect::<Result<_, EvalError>>()?,
        worst: worst_slices(rows, &searched, min_rows, options.worst, &options.bootstrap)?,
    })
}
