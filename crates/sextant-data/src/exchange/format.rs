//! The formats in which judgements and rankings are exchanged.

use serde::{Deserialize, Serialize};
use sextant_core::UnknownName;

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
