//! Rules that combine several answers about one row.

use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Prediction, UnknownName};

/// How the members of an ensemble vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// The grade that most members predict; the probabilities are the shares of votes. Of grades with
    /// equally many votes, the one with the larger mean probability wins.
    Majority,
    /// The mean of the members' probabilities.
    Soft,
    /// The mean of the members' probabilities, weighted by the members' weights.
    Weighted,
    /// Reciprocal rank fusion (Cormack et al. 2009): each member ranks the grades, and a grade gets
    /// `1 / (60 + rank)`; normalised to sum to 1.
    Rrf,
}

impl Vote {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::Majority, Self::Soft, Self::Weighted, Self::Rrf];

    /// The rule's name in recipes and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Soft => "soft",
            Self::Weighted => "weighted",
            Self::Rrf => "rrf",
        }
    }

    /// Combines several answers about one row into one. `weights` are those of the members, in the order
    /// of `answers`; only [`Vote::Weighted`] uses them, and weights that are all 0 count as equal.
    pub fn combine(self, answers: &[Prediction], weights: &[f64]) -> Prediction {
        if let [only] = answers {
            return *only;
        }
        let mean = |weight: &dyn Fn(usize) -> f64| {
            let mut sums = [0.0; Grade::COUNT];
            for (member, answer) in answers.iter().enumerate() {
                for (sum, &p) in sums.iter_mut().zip(&answer.probs) {
                    *sum += weight(member) * f64::from(p);
                }
            }
            sums
        };
        let scores = match self {
            Self::Soft => mean(&|_| 1.0),
            Self::Weighted if weights.iter().sum::<f64>() > 0.0 => mean(&|m| weights[m]),
            Self::Weighted => mean(&|_| 1.0),
            Self::Majority => {
                let mut votes = mean(&|_| 1e-6 / answers.len() as f64);
                for answer in answers {
                    votes[answer.grade().index()] += 1.0;
                }
                votes
            }
            Self::Rrf => {
                let mut scores = [0.0; Grade::COUNT];
                for answer in answers {
                    for (score, prob) in scores.iter_mut().zip(answer.probs) {
                        let rank = 1 + answer.probs.iter().filter(|&&other| other > prob).count();
                        *score += 1.0 / (60.0 + rank as f64);
                    }
                }
                scores
            }
        };
        let sum: f64 = scores.iter().sum();
        Prediction::new(scores.map(|score| (score / sum) as f32))
    }
}

impl std::fmt::Display for Vote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Vote {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|vote| vote.as_str() == name).ok_or_else(|| UnknownName {
            what: "rule",
            found: name.to_owned(),
            expected: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}
