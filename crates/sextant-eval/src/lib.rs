//! How good is a model, how sure are we of that, and is it better than another?
//!
//! [`evaluate`] turns [`Scored`] rows (a true grade beside a prediction) into an [`EvalReport`]: for
//! each task, for all rows pooled (micro) and as the mean over tasks (macro), every [`Metric`], each
//! with a bootstrap interval if asked for; precision, recall and F1 of each grade; the confusion
//! matrix; reliability bins. [`compare`] tests whether the accuracies of two systems differ on the
//! same rows, and says how large the difference is; [`SeededDifference`] counts the spread of seeds, too.
//!
//! [`fit_decision`] finds thresholds by which grades are decided, [`cascade_curve`] what a small model gains by
//! asking a large one, and [`PredictionPowered`] what few labels of people and many of a judge say together.
//!
//! Inside, a row is reduced once to a few numbers and a `Tally` sums them up. The estimate counts every
//! group of rows once; a bootstrap replicate counts a group as often as it was drawn. So each metric is
//! written once, as a function of sums, and a replicate is one pass over small rows.
//!
//! [`evaluate_run`] scores a ranking against judgements as TREC's programs do, and [`analyse_errors`] says where a
//! model is wrong: confident mistakes, labels that are likely wrong, slices.
//!
//! A metric that is undefined on some rows (kappa where all is one grade, NDCG without a list) is
//! `None`, in JSON `null`; no NaN is ever written.

mod abstention;
mod agreement;
mod binomial;
mod bootstrap;
mod calibration;
mod cascade;
mod compare;
mod confusion;
mod consistency;
mod decision;
mod effect;
mod error;
mod errors;
mod evaluate;
mod holm;
mod interval;
mod mcnemar;
mod metric;
mod ndcg;
mod objective;
mod paired_accuracy;
mod prediction_powered;
mod rank_correlation;
mod ranking;
mod render;
mod report;
mod risk_coverage;
mod row_mean;
mod sample;
mod score_histogram;
mod scored;
mod seeded_difference;
mod student;
mod tally;
mod temperature;
mod undefined;
mod unit_sums;
mod vote;

pub use abstention::{AbstentionPoint, abstention_curve};
pub use agreement::{Agreement, agreement};
pub use bootstrap::Bootstrap;
pub use calibration::{RELIABILITY_BINS, ReliabilityBin};
pub use cascade::{CascadePoint, CascadeRow, cascade_curve};
pub use compare::{PairedComparison, compare};
pub use consistency::{Consistency, PairSource, TripleKind, Triples, contradiction};
pub use decision::{FittedDecision, fit_decision, fit_decisions, helpful};
pub use effect::{OddsRatio, cohens_h};
pub use error::EvalError;
pub use errors::{
    ErrorAnalysis, ErrorOptions, Feature, LabelNoise, Slice, WorstSlices, analyse_errors,
    label_noise, slices, worst_slices,
};
pub use evaluate::{EvalOptions, evaluate};
pub use holm::holm;
pub use interval::Interval;
pub use mcnemar::McNemar;
pub use metric::Metric;
pub use ndcg::ndcg;
pub use objective::Objective;
pub use paired_accuracy::{PairedAccuracy, PairedRow, paired_accuracy};
pub use prediction_powered::PredictionPowered;
pub use rank_correlation::{MatrixCorrelation, matrix_correlation, spearman};
pub use ranking::{Gain, MeasureResult, RankedList, RankingMeasure, RankingReport, evaluate_run};
pub use report::{ClassMetrics, Dataset, Estimate, Estimates, EvalReport, TaskMetrics};
pub use risk_coverage::{RiskCoverage, risk_coverage};
pub use row_mean::{RowMean, row_mean};
pub use score_histogram::ScoreHistogram;
pub use scored::Scored;
pub use seeded_difference::{EvidenceNeeded, SeededDifference};
pub use temperature::{at_temperature, fit_temperature};
pub use undefined::undefined_on;
pub use vote::Vote;
