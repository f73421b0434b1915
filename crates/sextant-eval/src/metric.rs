//! The names of the metrics, and which way each is better.

use serde::{Deserialize, Serialize};
use sextant_core::UnknownName;

/// A number that summarises a set of rows. The variants are in the order of tables' columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of rows whose predicted grade is the true one.
    Accuracy,
    /// Mean F1 of the three grades. A grade that is neither true nor predicted anywhere counts with
    /// F1 = 0 (scikit-learn: `labels=[0, 1, 2], zero_division=0`), so that slices stay comparable.
    MacroF1,
    /// Cohen's kappa with weights `(i - j)²`: agreement beyond chance where being two grades off
    /// costs four times as much as one. Undefined where truth and predictions are all one grade.
    QuadraticKappa,
    /// Cohen's kappa, unweighted. Undefined where truth and predictions are all one grade.
    CohenKappa,
    /// Mean absolute error of the expected grade, in [0, 2].
    Mae,
    /// Root mean squared error of the expected grade, in [0, 2].
    Rmse,
    /// Mean negative natural logarithm of the true grade's probability, which is clipped to
    /// `[ε, 1 - ε]`, ε = 2.2e-16 (as scikit-learn does for f64).
    LogLoss,
    /// Mean over rows of `Σ_k (p_k - y_k)²`, in [0, 2]: Brier's original score for several classes
    /// (scikit-learn: `scale_by_half=False`).
    Brier,
    /// Expected calibration error over 15 equal-width bins of confidence (Guo et al. 2017):
    /// `Σ_bins share · |accuracy - mean confidence|`.
    Ece,
    /// Normalised discounted cumulative gain of the first 10 rows of a ranked list, with gains
    /// `2^grade - 1`, mean over lists. Undefined where no list can be ranked; see
    /// [`ndcg`](crate::ndcg).
    #[serde(rename = "ndcg_at_10")]
    NdcgAt10,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Accuracy,
        Self::MacroF1,
        Self::QuadraticKappa,
        Self::CohenKappa,
        Self::Mae,
        Self::Rmse,
        Self::LogLoss,
        Self::Brier,
        Self::Ece,
        Self::NdcgAt10,
    ];
    /// How many metrics there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The position in [`Metric::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in recipes and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro_f1",
            Self::QuadraticKappa => "quadratic_kappa",
            Self::CohenKappa => "cohen_kappa",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::Ece => "ece",
            Self::NdcgAt10 => "ndcg_at_10",
        }
    }

    /// The name at the head of a table's column.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro-F1",
            Self::QuadraticKappa => "QWK",
            Self::CohenKappa => "Cohen's kappa",
            Self::Mae => "MAE",
            Self::Rmse => "RMSE",
            Self::LogLoss => "log loss",
            Self::Brier => "Brier",
            Self::Ece => "ECE",
            Self::NdcgAt10 => "NDCG@10",
        }
    }

    /// Whether a larger value means a better model; used to choose the best checkpoint.
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::Mae | Self::Rmse | Self::LogLoss | Self::Brier | Self::Ece)
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Metric {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name).ok_or_else(|| UnknownName {
            what: "metric",
            found: name.to_owned(),
            expected: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_json_and_positions() {
        for (i, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric.index(), i);
            assert_eq!(metric.as_str().parse(), Ok(metric));
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.as_str());
        }
        let error = "f1".parse::<Metric>().unwrap_err().to_string();
        assert!(error.contains("`f1`") && error.contains("macro_f1"), "{error}");
    }
}
