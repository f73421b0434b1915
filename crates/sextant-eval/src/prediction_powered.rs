//! Prediction-powered means: few labels of people and many of a judge (Angelopoulos et al. 2023, PPI, and
//! Angelopoulos, Duchi & Zrnic 2023, PPI++).

use crate::Interval;
use serde::{Deserialize, Serialize};

/// The quantile of the normal distribution for 95 % intervals.
const Z_TWO_SIDED: f64 = 1.959_963_984_540_054;
/// The quantile for a power of 80 %.
const Z_POWER: f64 = 0.841_621_233_572_914_3;

/// The mean of a quantity over rows of which people have labelled few and a judge all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictionPowered {
    /// The estimate. It is unbiased, however bad the judge is.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// The mean of people's labels alone, with its 95 % interval.
    pub people: (f64, Interval),
    /// How much the judge is relied on: 0 for not at all, 1 for as much as its labels could be. It follows from
    /// how far judge and people agree.
    pub reliance: f64,
    /// How many labels of people alone would give an interval as narrow, over how many there are.
    pub effective_labels: f64,
    /// The variance of a label of people, of what the judge leaves unexplained of it, and of the part that all
    /// of the judge's labels contribute to the estimate's.
    variances: [f64; 3],
}

impl PredictionPowered {
    /// The estimate from the rows that both graded, as pairs of the quantity by people and by the judge, and from
    /// the rows that only the judge graded. `reliance` is fitted if `None`. `None` without rows of both.
    pub fn mean(both: &[(f64, f64)], judge_only: &[f64], reliance: Option<f64>) -> Option<Self> {
        if both.is_empty() {
            return None;
        }
        let (n, others) = (both.len() as f64, judge_only.len() as f64);
        let (people, judge): (Vec<f64>, Vec<f64>) = both.iter().copied().unzip();
        let all: Vec<f64> = judge.iter().chain(judge_only).copied().collect();
        let reliance = if judge_only.is_empty() {
            0.0
        } else {
            reliance.unwrap_or_else(|| {
                let (mean_people, mean_judge) = (mean(&people), mean(&judge));
                let product = |&(y, f): &(f64, f64)| (y - mean_people) * (f - mean_judge);
                let covariance = both.iter().map(product).sum::<f64>() / n;
                let size = all.len() as f64;
                let pooled = variance(&all) * size / (size - 1.0);
                let best = covariance / ((1.0 + n / others) * pooled);
                // Not a number where the judge's labels are all alike.
                if best.is_finite() { best.clamp(0.0, 1.0) } else { 0.0 }
            })
        };
        let rest: Vec<f64> = both.iter().map(|(y, f)| y - reliance * f).collect();
        let of_judge = if judge_only.is_empty() { 0.0 } else { reliance * mean(judge_only) };
        let value = of_judge + mean(&rest);
        let from_judge = reliance * reliance * variance(judge_only) / others.max(1.0);
        let squared = from_judge + variance(&rest) / n;
        let of_people = variance(&people);
        let effective_labels = if squared > 0.0 { (of_people / n) / squared } else { 1.0 };
        Some(Self {
            value,
            interval: around(value, squared),
            people: (mean(&people), around(mean(&people), of_people / n)),
            reliance,
            effective_labels,
            variances: [of_people, variance(&rest), from_judge],
        })
    }

    /// The labels of people after which a true mean of `difference` is found to differ from 0 with a power of
    /// 80 %, at the 5 % level: with labels of people alone, and with the judge's labels as well. `None` where
    /// more labels of people never suffice beside so few of the judge's, or if `difference` is 0.
    pub fn labels_needed(&self, difference: f64) -> [Option<f64>; 2] {
        let [people, rest, from_judge] = self.variances;
        let wanted = (difference / (Z_TWO_SIDED + Z_POWER)).powi(2);
        let needed = |variance: f64, left: f64| (left > 0.0).then(|| (variance / left).ceil());
        [needed(people, wanted), needed(rest, wanted - from_judge)]
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance of the values themselves (divided by their number); 0 without values.
fn variance(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

fn around(value: f64, squared_error: f64) -> Interval {
    let half = Z_TWO_SIDED * squared_error.sqrt();
    Interval { low: value - half, high: value + half }
}
