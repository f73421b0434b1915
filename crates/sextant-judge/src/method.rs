//! The ways to have probabilities from a server.

use serde::{Deserialize, Serialize};
use sextant_core::UnknownName;

/// How a judge's probabilities are had, the best way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// OpenAI's decisions API, `/decisions`: a question with levels, answered with their probabilities.
    Decisions,
    /// TypeSafe's API of the same kind, `/systemone`.
    SystemOne,
    /// Sampling that a grammar allows nothing but labels, with the probabilities after it: llama.cpp's
    /// `post_sampling_probs`. (Its other probabilities are those of the vocabulary, also under a grammar.)
    Constrained,
    /// The log probabilities of the first token, of which those of labels are taken and their sum, the label
    /// mass, is kept.
    Logprobs,
    /// The shares of several sampled texts.
    Votes,
}

impl Method {
    /// Every method, the best first.
    pub const ALL: [Self; 5] =
        [Self::Decisions, Self::SystemOne, Self::Constrained, Self::Logprobs, Self::Votes];

    /// The name that users type and files hold.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::SystemOne => "system_one",
            Self::Constrained => "constrained",
            Self::Logprobs => "logprobs",
            Self::Votes => "votes",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Method {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|method| method.as_str() == name).ok_or_else(|| UnknownName {
            what: "method",
            found: name.to_owned(),
            expected: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}
