//! Grids of runs, and comparisons of runs: which run is best at which task, how certain that is, and
//! what it cost.
//!
//! A [`LabRecipe`] states a grid: backbones, routings, seeds, single-task baselines, variants, learning
//! curves, pairs of tasks, a [`Search`]. A [`Grid`] lays it out as ordinary recipes, all checked before anything runs. A
//! [`Lab`] trains the missing runs in a folder, alone or beside other processes, keeps every run's
//! answers to test and dev rows, and writes a line of the [`Ledger`] for each. [`Findings`] are computed
//! from the kept answers alone; a [`Document`] lays them out, and [`ReportFiles`] are the report as
//! HTML, Markdown, JSON and CSV, with the ensembles as folders.
//!
//! For a few runs that were trained one by one, a [`Comparison`] takes [`Run`]s, each an evaluation
//! report with the [`RunFacts`] of the training behind it, and [`Baseline`]s that need no training.
//! It refuses reports of different rows, since their numbers cannot stand in one table.
//! [`Comparison::table`] lays one metric out with a row for each run and a column for each task; the
//! [`ComparisonTable`] is written as Markdown, CSV, JSON or text for a terminal. [`PairedTable`]
//! tests differences between runs row by row. [`Report`] puts tables and explanations into one
//! `report.md`, which appears whole or not at all.

mod cell;
mod compared;
mod comparison;
mod document;
mod error;
mod evaluated;
mod facts;
pub mod findings;
mod grid;
mod ledger;
mod named_model;
mod paired;
mod recipe;
mod render;
mod report;
mod run;
mod search;
mod share;
mod table;
mod weights;

pub use cell::{Cell, Resolve, Role};
pub use compared::Compared;
pub use comparison::{Baseline, Comparison, Run};
pub use document::{AffinityReport, Document, ErrorRow, ReportFiles, leave_curves};
pub use error::LabError;
pub use evaluated::{
    evaluate_rows, full_report, labelled_rows, predict_labelled, retain_tasks, scored,
};
pub use facts::{RunFacts, spoken_duration};
pub use findings::Findings;
pub use grid::Grid;
pub use ledger::{Ledger, LedgerEntry};
pub use named_model::NamedModel;
pub use paired::{Difference, PairedTable};
pub use recipe::{
    AffinityGrid, BackboneAxis, CurveRecipe, Draw, EnsembleRecipe, EqualSteps, GridRecipe,
    LabRecipe, ReportRecipe, Scheduler, SearchRecipe, Variant,
};
pub use report::Report;
pub use run::{
    Lab, LabEvent, Outcome, Predictions, RunState, Watcher, code_version, recipe_hash,
    training_flops,
};
pub use search::{Next, Search, TrialTrace};
pub use share::Share;
pub use table::{ComparisonColumn, ComparisonTable, Row, RowKind, Slice, TableCell};
pub use weights::fit_weights;
