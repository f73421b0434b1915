//! Sums over rows from which every metric follows.
//!
//! A row is reduced once to a few numbers ([`RowStats`]); a [`Tally`] adds them up, each as often as the
//! row's group was drawn. The estimate itself is the case where every group is drawn once, so each
//! metric is implemented once for both the estimate and its bootstrap replicates.

use crate::calibration::{BinSum, RELIABILITY_BINS, bin_of, expected_calibration_error};
use crate::confusion::{Confusion, nominal_cost, quadratic_cost};
use crate::{Metric, Scored};
use sextant_core::Grade;

/// The number of values of a slice: the metrics, in the order of [`Metric::ALL`], then precision, recall
/// and F1 of each grade.
pub(crate) const VALUES: usize = Metric::COUNT + 3 * Grade::COUNT;

/// The values that follow from a slice's [`Tally`]; `None` where a value is undefined.
pub(crate) type Values = [Option<f64>; VALUES];

/// One row, reduced to what the metrics need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowStats {
    pub(crate) task: u32,
    pub(crate) unit: u32,
    truth: u8,
    predicted: u8,
    bin: u8,
    weight: f64,
    confidence: f64,
    absolute_error: f64,
    squared_error: f64,
    log_loss: f64,
    brier: f64,
}

/// The expected grade in f64: the score that rows are ranked by, and whose error is measured.
pub(crate) fn expected_grade(row: &Scored<'_>) -> f64 {
    f64::from(row.prediction.probs[1]) + 2.0 * f64::from(row.prediction.probs[2])
}

impl RowStats {
    pub(crate) fn new(row: &Scored<'_>, unit: u32) -> Self {
        let (truth, predicted) = (row.grade.index(), row.prediction.grade().index());
        let probs = row.prediction.probs.map(f64::from);
        let error = expected_grade(row) - truth as f64;
        let brier = |(k, p): (usize, &f64)| (p - f64::from(u8::from(k == truth))).powi(2);
        Self {
            task: row.task.index() as u32,
            unit,
            truth: truth as u8,
            predicted: predicted as u8,
            bin: bin_of(probs[predicted]) as u8,
            weight: f64::from(row.weight),
            confidence: probs[predicted],
            absolute_error: error.abs(),
            squared_error: error * error,
            log_loss: -probs[truth].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln(),
            brier: probs.iter().enumerate().map(brier).sum(),
        }
    }
}

/// Weighted sums over the rows of a slice.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) weight: f64,
    pub(crate) confusion: Confusion,
    pub(crate) bins: [BinSum; RELIABILITY_BINS],
    absolute_error: f64,
    squared_error: f64,
    log_loss: f64,
    brier: f64,
    ndcg: f64,
    ranked_lists: f64,
}

impl Tally {
    /// Adds a row, `count` times.
    pub(crate) fn add_row(&mut self, row: &RowStats, count: f64) {
        let weight = row.weight * count;
        self.weight += weight;
        self.confusion.0[row.truth as usize][row.predicted as usize] += weight;
        let bin = &mut self.bins[row.bin as usize];
        bin.weight += weight;
        bin.confidence += weight * row.confidence;
        if row.truth == row.predicted {
            bin.correct += weight;
        }
        self.absolute_error += weight * row.absolute_error;
        self.squared_error += weight * row.squared_error;
        self.log_loss += weight * row.log_loss;
        self.brier += weight * row.brier;
    }

    /// Adds the NDCG of a ranked list, `count` times.
    pub(crate) fn add_list(&mut self, ndcg: f64, count: f64) {
        self.ndcg += count * ndcg;
        self.ranked_lists += count;
    }

    /// Adds the rows and lists of another slice.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        for (cell, more) in
            self.confusion.0.iter_mut().flatten().zip(other.confusion.0.iter().flatten())
        {
            *cell += more;
        }
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.weight += more.weight;
            bin.confidence += more.confidence;
            bin.correct += more.correct;
        }
        self.absolute_error += other.absolute_error;
        self.squared_error += other.squared_error;
        self.log_loss += other.log_loss;
        self.brier += other.brier;
        self.ndcg += other.ndcg;
        self.ranked_lists += other.ranked_lists;
    }

    /// Every metric. All are undefined where no row was added.
    pub(crate) fn values(&self) -> Values {
        let mut values = [None; VALUES];
        if self.weight <= 0.0 {
            return values;
        }
        let mean = |sum: f64| Some(sum / self.weight);
        for metric in Metric::ALL {
            values[metric.index()] = match metric {
                Metric::Accuracy => Some(self.confusion.accuracy()),
                Metric::MacroF1 => Some(self.confusion.macro_f1()),
                Metric::QuadraticKappa => self.confusion.kappa(quadratic_cost),
                Metric::CohenKappa => self.confusion.kappa(nominal_cost),
                Metric::Mae => mean(self.absolute_error),
                Metric::Rmse => mean(self.squared_error).map(f64::sqrt),
                Metric::LogLoss => mean(self.log_loss),
                Metric::Brier => mean(self.brier),
                Metric::Ece => Some(expected_calibration_error(&self.bins, self.weight)),
                Metric::NdcgAt10 => {
                    (self.ranked_lists > 0.0).then(|| self.ndcg / self.ranked_lists)
                }
            };
        }
        for grade in 0..Grade::COUNT {
            let class = self.confusion.class(grade);
            let at = class_offset(grade);
            values[at] = Some(class.precision);
            values[at + 1] = Some(class.recall);
            values[at + 2] = Some(class.f1);
        }
        values
    }
}

/// The index in [`Values`] of the precision of a grade; recall and F1 follow it.
pub(crate) fn class_offset(grade: usize) -> usize {
    Metric::COUNT + 3 * grade
}
