//! Reads judgements in every format.

use super::{
    ExchangeError, ExchangeFormat, Judgements, elasticsearch, label_studio, opensearch, quepid,
    trec,
};
use std::path::Path;

/// Reads judgements. The columns are, by format:
///
/// * `trec-qrels`: `query_id`, `iteration`, `doc_id`, `grade`
/// * `trec-run`: `query_id`, `doc_id`, `rank`, `score`, `tag`
/// * `quepid`: those of the file, `query`, `docid`, `rating` among them
/// * `opensearch`: `query`, `doc_id`, `rating`
/// * `elasticsearch`: `query_id`, `query` (where the request has one text), `index`, `doc_id`, `rating`
/// * `label-studio`: one row for each annotation: `task_id`, `annotation_id`, `annotator`, `label`, and every key of
///   the task's data
///
/// # Errors
/// The file cannot be read, or is not in the format; the error names the line or the place in the JSON.
pub fn read(path: &Path, format: ExchangeFormat) -> Result<Judgements, ExchangeError> {
    match format {
        ExchangeFormat::TrecQrels => trec::qrels_table(path),
        ExchangeFormat::TrecRun => trec::run_table(path),
        ExchangeFormat::Quepid => quepid::read(path),
        ExchangeFormat::Opensearch => opensearch::read(path),
        ExchangeFormat::Elasticsearch => elasticsearch::read(path),
        ExchangeFormat::LabelStudio => label_studio::read(path),
    }
}
