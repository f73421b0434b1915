//! Judgements and rankings as other programs write them: read as tables, written from rows.
//!
//! Reading gives a [`Judgements`] table with fixed column names, which `data import` joins with texts like any
//! other table. Writing takes [`Judged`] rows, which know their query and their document by stable identifiers.

mod elasticsearch;
mod error;
mod identity;
mod label_studio;
mod opensearch;
mod quepid;
mod trec;
mod write;

pub use error::ExchangeError;
pub use identity::IdColumns;
pub use trec::{Qrels, Run, read_qrels, read_run};
pub use write::{Judged, write};

use crate::{DataError, RowUnit};
use serde::{Deserialize, Serialize};
use sextant_core::UnknownName;
use std::path::Path;

/// A format in which judgements or rankings are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeFormat {
    /// TREC judgements: `query 0 document grade`.
    TrecQrels,
    /// A TREC run: `query Q0 document rank score tag`.
    TrecRun,
    /// Quepid's CSV: `query,docid,rating`, with further columns for several raters.
    Quepid,
    /// A judgement list of OpenSearch's Search Relevance Workbench.
    Opensearch,
    /// A request of Elasticsearch's ranking evaluation API.
    Elasticsearch,
    /// Tasks of Label Studio, with annotations.
    LabelStudio,
}

impl ExchangeFormat {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::TrecQrels,
        Self::TrecRun,
        Self::Quepid,
        Self::Opensearch,
        Self::Elasticsearch,
        Self::LabelStudio,
    ];

    /// The name in maps and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TrecQrels => "trec-qrels",
            Self::TrecRun => "trec-run",
            Self::Quepid => "quepid",
            Self::Opensearch => "opensearch",
            Self::Elasticsearch => "elasticsearch",
            Self::LabelStudio => "label-studio",
        }
    }
}

impl std::fmt::Display for ExchangeFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for ExchangeFormat {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| UnknownName {
            what: "format of judgements",
            found: name.to_owned(),
            expected: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// Judgements as a table of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgements {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, in the order of the file.
    pub rows: Vec<JudgementRow>,
    /// What the rows' positions count.
    pub unit: RowUnit,
}

/// A row of [`Judgements`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementRow {
    /// The line of the file, or the number of the judgement, from 1.
    pub line: u64,
    /// A text or nothing for each column.
    pub cells: Vec<Option<String>>,
}

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

/// The whole text of a file.
fn text(path: &Path) -> Result<String, ExchangeError> {
    let bytes = std::fs::read(path).map_err(|source| DataError::read(path, source))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        ExchangeError::line(path, line, "bytes that are not UTF-8; save the file as UTF-8")
    })
}

/// The JSON of a file.
fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ExchangeError> {
    serde_json::from_str(&text(path)?)
        .map_err(|error| ExchangeError::line(path, error.line() as u64, error.to_string()))
}

/// A value of JSON as the text of a cell.
fn cell(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
