//! How well a run ranks judged documents, by the measures of TREC's programs.
//!
//! Judgements and runs name queries and documents by identifiers; [`evaluate_run`] looks at nothing else. The
//! conventions are trec_eval's: documents are ordered by score, scores are compared as 32-bit numbers, and equal
//! ones are ordered by the document's identifier, the greater first; an unjudged document is irrelevant; a judged
//! query that a run does not answer counts as 0 (trec_eval's `-c`); queries without judgements are left out. So
//! `ir-measures`, `pytrec-eval` and `ranx` give the same numbers.

mod list;
mod measure;
mod report;

pub use list::RankedList;
pub use measure::{Gain, RankingMeasure};
pub use report::{MeasureResult, RankingReport, evaluate_run};
