//! Arguments of `sextant eval --qrels`.

use crate::data::IdArgs;
use clap::Args;
use sextant_eval::RankingMeasure;
use std::path::PathBuf;

/// How a ranking is evaluated.
#[derive(Debug, Args)]
pub(crate) struct RankingArgs {
    /// Rank the documents of each query, and evaluate by these judgements in TREC's form
    #[arg(long)]
    pub(super) qrels: Option<PathBuf>,
    /// Evaluate this run in TREC's form, in place of a bundle
    #[arg(long, requires = "qrels", conflicts_with_all = ["bundle", "data", "write_run"])]
    pub(super) run: Option<PathBuf>,
    /// A measure, as ir-measures writes it: nDCG@10, RR, AP(rel=2), RBP(p=0.8), ERR@20, P@10, R@100; again for more
    #[arg(long = "measure", requires = "qrels")]
    pub(super) measures: Vec<RankingMeasure>,
    /// Write the ranking as a run in TREC's form
    #[arg(long, requires = "qrels")]
    pub(super) write_run: Option<PathBuf>,
    #[command(flatten)]
    pub(super) ids: IdArgs,
}
