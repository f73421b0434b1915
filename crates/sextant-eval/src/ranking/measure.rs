//! The names of ranking measures, in the notation of ir-measures: `nDCG@10`, `RBP(p=0.8)`, `AP(rel=2)@100`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sextant_core::UnknownName;
use std::fmt;
use std::str::FromStr;

/// How much a grade is worth in NDCG.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gain {
    /// The grade itself (Järvelin and Kekäläinen 2002; trec_eval).
    #[default]
    Linear,
    /// `2^grade - 1` (Burges et al. 2005); in ir-measures `dcg='exp-log2'`.
    Exponential,
}

/// The most that the highest grade of a scale may be.
const MOST_MAX: u32 = 30;

/// A ranking measure. `cutoff` is how many documents count from the top, all if absent; `rel` the least grade that
/// counts as relevant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RankingMeasure {
    /// Normalised discounted cumulative gain.
    Ndcg {
        /// Cut-off.
        cutoff: Option<usize>,
        /// What a grade is worth.
        gain: Gain,
    },
    /// The reciprocal rank of the first relevant document; its mean is MRR.
    ReciprocalRank {
        /// Cut-off.
        cutoff: Option<usize>,
        /// Least relevant grade.
        rel: i64,
    },
    /// Average precision over all judged relevant documents; its mean is MAP.
    AveragePrecision {
        /// Cut-off.
        cutoff: Option<usize>,
        /// Least relevant grade.
        rel: i64,
    },
    /// Rank-biased precision (Moffat and Zobel 2008).
    RankBiasedPrecision {
        /// Cut-off.
        cutoff: Option<usize>,
        /// Least relevant grade.
        rel: i64,
        /// The probability of looking at the next document.
        persistence: f64,
    },
    /// Expected reciprocal rank (Chapelle et al. 2009).
    ExpectedReciprocalRank {
        /// Cut-off.
        cutoff: Option<usize>,
        /// The highest grade of the scale, which satisfies with probability `1 - 2^-max`; 4 in gdeval.
        max: u32,
    },
    /// The share of relevant documents among the first.
    Precision {
        /// Cut-off.
        cutoff: usize,
        /// Least relevant grade.
        rel: i64,
    },
    /// The share of relevant documents that are among the first.
    Recall {
        /// Cut-off.
        cutoff: usize,
        /// Least relevant grade.
        rel: i64,
    },
    /// The share of documents among the first that are judged at all.
    Judged {
        /// Cut-off.
        cutoff: usize,
    },
}

impl RankingMeasure {
    /// The measures of a report where none are named.
    pub fn usual() -> Vec<Self> {
        let cutoff = Some(10);
        vec![
            Self::Ndcg { cutoff, gain: Gain::Linear },
            Self::Ndcg { cutoff, gain: Gain::Exponential },
            Self::ReciprocalRank { cutoff: None, rel: 1 },
            Self::AveragePrecision { cutoff: None, rel: 1 },
            Self::RankBiasedPrecision { cutoff: None, rel: 1, persistence: 0.8 },
            Self::ExpectedReciprocalRank { cutoff: Some(20), max: 4 },
            Self::Precision { cutoff: 10, rel: 1 },
            Self::Judged { cutoff: 10 },
        ]
    }

    /// The measure for a scale whose highest grade is at least `highest`. `None` if there is none, because two to the
    /// power of such a grade makes all others worth nothing.
    #[must_use]
    pub fn up_to(self, highest: i64) -> Option<Self> {
        match self {
            Self::ExpectedReciprocalRank { cutoff, max } if highest > i64::from(max) => {
                let max = u32::try_from(highest).ok().filter(|max| *max <= MOST_MAX)?;
                Some(Self::ExpectedReciprocalRank { cutoff, max })
            }
            other => Some(other),
        }
    }
}

impl fmt::Display for RankingMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rel = |rel: i64| if rel == 1 { String::new() } else { format!("rel={rel}") };
        let (name, options, cutoff) = match *self {
            Self::Ndcg { cutoff, gain } => {
                let gain = if gain == Gain::Linear { "" } else { "dcg='exp-log2'" };
                ("nDCG", gain.to_owned(), cutoff)
            }
            Self::ReciprocalRank { cutoff, rel: least } => ("RR", rel(least), cutoff),
            Self::AveragePrecision { cutoff, rel: least } => ("AP", rel(least), cutoff),
            Self::RankBiasedPrecision { cutoff, rel: least, persistence } => {
                let more = if least == 1 { String::new() } else { format!(",rel={least}") };
                ("RBP", format!("p={persistence}{more}"), cutoff)
            }
            Self::ExpectedReciprocalRank { cutoff, max } => {
                ("ERR", if max == 4 { String::new() } else { format!("max={max}") }, cutoff)
            }
            Self::Precision { cutoff, rel: least } => ("P", rel(least), Some(cutoff)),
            Self::Recall { cutoff, rel: least } => ("R", rel(least), Some(cutoff)),
            Self::Judged { cutoff } => ("Judged", String::new(), Some(cutoff)),
        };
        f.write_str(name)?;
        if !options.is_empty() {
            write!(f, "({options})")?;
        }
        cutoff.map_or(Ok(()), |cutoff| write!(f, "@{cutoff}"))
    }
}

impl FromStr for RankingMeasure {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| UnknownName {
            what: "ranking measure",
            found: text.to_owned(),
            expected: "nDCG@10, nDCG(dcg='exp-log2')@10, RR, AP, RBP(p=0.8), ERR@20, P@10, R@100, Judged@10; \
                `(rel=2)` says which grade is relevant, `(max=2)` the highest grade of ERR"
                .to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<RankingMeasure> {
    let text = text.trim();
    let (head, cutoff) = match text.rsplit_once('@') {
        Some((head, cutoff)) => (head, Some(cutoff.parse().ok().filter(|&cutoff| cutoff > 0)?)),
        None => (text, None),
    };
    let (name, options) = match head.split_once('(') {
        Some((name, options)) => (name, options.strip_suffix(')')?),
        None => (head, ""),
    };
    let (mut rel, mut p, mut max, mut gain) = (None, None, None, None);
    for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=')?;
        let value = value.trim().trim_matches(['\'', '"']);
        match key.trim() {
            "rel" => rel = Some(value.parse().ok()?),
            "p" => p = Some(value.parse().ok().filter(|p| (0.0..1.0).contains(p))?),
            "max" => max = Some(value.parse().ok().filter(|max| (1..=MOST_MAX).contains(max))?),
            "dcg" if value == "log2" => gain = Some(Gain::Linear),
            "dcg" if value == "exp-log2" => gain = Some(Gain::Exponential),
            _ => return None,
        }
    }
    let least = rel.unwrap_or(1);
    let measure = match &*name.to_ascii_lowercase() {
        "ndcg" => RankingMeasure::Ndcg { cutoff, gain: gain.take().unwrap_or_default() },
        "rr" | "mrr" => RankingMeasure::ReciprocalRank { cutoff, rel: least },
        "ap" | "map" => RankingMeasure::AveragePrecision { cutoff, rel: least },
        "rbp" => {
            let persistence = p.take().unwrap_or(0.8);
            RankingMeasure::RankBiasedPrecision { cutoff, rel: least, persistence }
        }
        "err" => RankingMeasure::ExpectedReciprocalRank { cutoff, max: max.take().unwrap_or(4) },
        "p" => RankingMeasure::Precision { cutoff: cutoff?, rel: least },
        "r" | "recall" => RankingMeasure::Recall { cutoff: cutoff?, rel: least },
        "judged" => RankingMeasure::Judged { cutoff: cutoff? },
        _ => return None,
    };
    // An option of another measure is a mistake.
    let takes_rel = !matches!(
        measure,
        RankingMeasure::Ndcg { .. }
            | RankingMeasure::ExpectedReciprocalRank { .. }
            | RankingMeasure::Judged { .. }
    );
    let odd = p.is_some() || max.is_some() || gain.is_some() || (rel.is_some() && !takes_rel);
    (!odd).then_some(measure)
}

impl Serialize for RankingMeasure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RankingMeasure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in [
            "nDCG@10",
            "nDCG",
            "nDCG(dcg='exp-log2')@5",
            "RR",
            "RR(rel=2)@10",
            "AP@100",
            "RBP(p=0.95)",
            "RBP(p=0.8,rel=2)@10",
            "ERR@20",
            "ERR(max=2)@10",
            "P@5",
            "R(rel=2)@50",
            "Judged@10",
        ] {
            assert_eq!(name.parse::<RankingMeasure>().unwrap().to_string(), name);
        }
        assert_eq!("mrr@10".parse::<RankingMeasure>().unwrap().to_string(), "RR@10");
        assert_eq!(
            "NDCG @10".replace(' ', "").parse::<RankingMeasure>().unwrap().to_string(),
            "nDCG@10"
        );
        for name in [
            "",
            "P",
            "nDCG@0",
            "nDCG@x",
            "nDCG(rel=2)@10",
            "AP(p=0.8)",
            "RBP(p=1.5)",
            "ERR(dcg='log2')",
            "F1",
            "AP(rel=1",
        ] {
            assert!(name.parse::<RankingMeasure>().is_err(), "{name}");
        }
    }
}
