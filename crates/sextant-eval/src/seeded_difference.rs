//! The difference of two systems that were trained with several seeds each, with the uncertainty of both
//! the test rows and the seeds.
//!
//! An interval over test rows alone says how the very models that were trained would fare on other rows.
//! Whoever asks which of two ways of training is better means models that are yet to be trained, too: the
//! spread of seeds must be added (Bouthillier et al. 2021, "Accounting for Variance in Machine Learning
//! Benchmarks").

use crate::bootstrap::number_units;
use crate::student::{two_sided_quantile, two_sided_tail};
use crate::{EvalError, Interval};
use serde::{Deserialize, Serialize};

/// The difference of the mean accuracies of two systems, second minus first, and its two variances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeededDifference {
    /// The mean over rows and seeds.
    pub value: f64,
    /// The variance that is due to the choice of test rows: that of a mean over groups of rows, which are
    /// right or wrong together (the linearised variance of a ratio, Cochran 1977, §6.3).
    pub rows_variance: f64,
    /// The variance that is due to the choice of seeds: the sum of both systems' squared standard errors.
    /// `None` where one of them has a single seed, whose spread nobody knows; then `value` is about these
    /// very models.
    pub seeds_variance: Option<f64>,
    /// Degrees of freedom of the sum of the variances, by Welch (1947) and Satterthwaite (1946).
    pub degrees: f64,
}

/// How much more evidence would show a difference of the size that was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceNeeded {
    /// How many times as many seeds, with these rows; `None` if no number of seeds would do.
    pub seeds: Option<f64>,
    /// How many times as many groups of test rows, with these seeds; `None` if no number would do.
    pub rows: Option<f64>,
}

impl SeededDifference {
    /// Compares two systems on the same rows. `differences` has, for each row, the second system's share of
    /// seeds that are right minus the first's; `groups` names the rows' units; `first` and `second` are the
    /// accuracies of each seed on all the rows. `None` where all rows are one group: that says nothing
    /// about other rows.
    ///
    /// # Errors
    /// No rows.
    ///
    /// # Panics
    /// If there are not as many groups as differences.
    pub fn new(
        differences: &[f64],
        groups: &[Option<&str>],
        first: &[f64],
        second: &[f64],
    ) -> Result<Option<Self>, EvalError> {
        assert_eq!(differences.len(), groups.len(), "a group for each row");
        if differences.is_empty() {
            return Err(EvalError::NoRows);
        }
        let rows = differences.len() as f64;
        let value = differences.iter().sum::<f64>() / rows;
        let (unit_of, units) = number_units(groups.iter().copied());
        if units < 2 {
            return Ok(None);
        }
        // How far the sum of each unit is from that of its number of rows at the mean.
        let mut apart = vec![0.0; units];
        for (&difference, unit) in differences.iter().zip(unit_of) {
            apart[unit as usize] += difference - value;
        }
        let units = units as f64;
        let squares: f64 = apart.iter().map(|apart| apart * apart).sum();
        let rows_variance = squares / (rows * rows) * units / (units - 1.0);
        let seeds = squared_error(first).zip(squared_error(second));
        let mut sources = vec![(rows_variance, units - 1.0)];
        if let Some((a, b)) = seeds {
            sources.extend([(a, first.len() as f64 - 1.0), (b, second.len() as f64 - 1.0)]);
        }
        let all: f64 = sources.iter().map(|(variance, _)| variance).sum();
        let parts: f64 = sources.iter().map(|(variance, degrees)| variance.powi(2) / degrees).sum();
        let degrees = if parts > 0.0 { all * all / parts } else { units - 1.0 };
        Ok(Some(Self { value, rows_variance, seeds_variance: seeds.map(|(a, b)| a + b), degrees }))
    }

    /// The standard error, from both sources where both are known.
    pub fn standard_error(&self) -> f64 {
        (self.rows_variance + self.seeds_variance.unwrap_or(0.0)).sqrt()
    }

    /// The two-sided p-value of the difference being 0, by Student's t.
    pub fn p_value(&self) -> f64 {
        let error = self.standard_error();
        if self.value == 0.0 {
            return 1.0;
        }
        two_sided_tail(if error > 0.0 { self.value / error } else { f64::INFINITY }, self.degrees)
    }

    /// The interval of a level such as 0.95.
    pub fn interval(&self, level: f64) -> Interval {
        let reach = two_sided_quantile(1.0 - level, self.degrees) * self.standard_error();
        Interval { low: self.value - reach, high: self.value + reach }
    }

    /// What it takes to show a true difference of this size, four times in five, by a two-sided test at the
    /// level `alpha`. Quantiles are those of the normal distribution, as if many more seeds and rows were
    /// there, so that for few seeds the numbers are lower bounds.
    pub fn needed(&self, alpha: f64) -> EvidenceNeeded {
        const POWER: f64 = 0.8;
        let normal = |tail: f64| two_sided_quantile(tail, f64::INFINITY);
        // A one-sided quantile is the two-sided one of twice the tail.
        let distance = normal(alpha) + normal(2.0 * (1.0 - POWER));
        let allowed = (self.value / distance).powi(2);
        let seeds = self.seeds_variance.unwrap_or(0.0);
        let times = |mine: f64, other: f64| {
            let factor = mine / (allowed - other);
            (allowed > other && factor.is_finite()).then_some(factor.max(1.0))
        };
        EvidenceNeeded {
            seeds: self.seeds_variance.and_then(|seeds| times(seeds, self.rows_variance)),
            rows: times(self.rows_variance, seeds),
        }
    }
}

/// The squared standard error of the mean of these values; `None` for a single one.
fn squared_error(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (count - 1.0) / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f64]) -> Vec<Option<&'static str>> {
        vec![None; values.len()]
    }

    #[test]
    fn by_hand() {
        // Differences 1, 0, 0, -1 and 1: mean 0.2, sum of squares 2.8, variance of the mean 2.8 / 4 / 5.
        let values = [1.0, 0.0, 0.0, -1.0, 1.0];
        let found =
            SeededDifference::new(&values, &rows(&values), &[0.5], &[0.7]).unwrap().unwrap();
        assert!((found.value - 0.2).abs() < 1e-12 && (found.rows_variance - 0.14).abs() < 1e-12);
        assert_eq!((found.seeds_variance, found.degrees), (None, 4.0));
        // Seeds 0.6 and 0.8 have the variance 0.02, of whose mean it is 0.01.
        let found =
            SeededDifference::new(&values, &rows(&values), &[0.5, 0.5], &[0.6, 0.8]).unwrap();
        let found = found.unwrap();
        assert!((found.seeds_variance.unwrap() - 0.01).abs() < 1e-12);
        let degrees = 0.15_f64.powi(2) / (0.14_f64.powi(2) / 4.0 + 0.01_f64.powi(2));
        assert!((found.degrees - degrees).abs() < 1e-9);
        let interval = found.interval(0.95);
        assert!(interval.low < 0.0 && interval.high > 0.4 && found.p_value() > 0.5);
    }

    #[test]
    fn rows_of_a_group_count_together() {
        let values = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let groups = [Some("a"), Some("a"), Some("b"), Some("b"), Some("c"), Some("c"), None, None];
        let apart =
            SeededDifference::new(&values, &rows(&values), &[0.0], &[0.5]).unwrap().unwrap();
        let together = SeededDifference::new(&values, &groups, &[0.0], &[0.5]).unwrap().unwrap();
        assert!(together.rows_variance > 1.4 * apart.rows_variance);
        assert_eq!(SeededDifference::new(&values, &[Some("a"); 8], &[0.0], &[0.5]).unwrap(), None);
        assert!(SeededDifference::new(&[], &[], &[], &[]).is_err());
    }

    #[test]
    fn nothing_that_varies_is_certain() {
        let found = SeededDifference::new(&[1.0; 4], &[None; 4], &[0.0; 3], &[1.0; 3]).unwrap();
        assert_eq!(found.unwrap().p_value(), 0.0);
        let found = SeededDifference::new(&[0.0; 4], &[None; 4], &[0.5; 3], &[0.5; 3]).unwrap();
        assert_eq!(found.unwrap().p_value(), 1.0);
    }

    /// With as much evidence as is needed, the p-value at the middle of the power curve is well below alpha.
    #[test]
    fn what_is_needed_would_do() {
        let found = SeededDifference {
            value: 0.01,
            rows_variance: 4e-6,
            seeds_variance: Some(4e-5),
            degrees: 1e6,
        };
        assert!(found.p_value() > 0.05);
        let seeds = found.needed(0.05).seeds.unwrap();
        let more = SeededDifference { seeds_variance: Some(4e-5 / seeds), ..found };
        let z = (1.959_964 + 0.841_621_f64).powi(2);
        let error = more.standard_error().powi(2);
        assert!((1e-4 / error - z).abs() < 1e-3, "{}", 1e-4 / error);
        // The seeds alone spread too much for any number of rows to show it.
        assert_eq!(found.needed(0.05).rows, None);
    }

    /// Of many made-up experiments in which both systems are equally good, about one in twenty seems to
    /// show a difference; over rows alone it would be far more.
    #[test]
    fn the_error_rate_is_kept_where_seeds_spread() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let (mut both, mut rows_alone) = (0, 0);
        let experiments = 600;
        for _ in 0..experiments {
            // Three seeds each, whose true accuracies lie around 0.7 by ±0.05, on 400 rows.
            let mut system = || -> (Vec<f64>, Vec<f64>) {
                let skills: Vec<f64> = (0..3)
                    .map(|_| {
                        0.7 + 0.05
                            * (rng.random_range(-1.0..1.0_f64) + rng.random_range(-1.0..1.0_f64))
                    })
                    .collect();
                let mut by_row = vec![0.0; 400];
                let by_seed = skills.iter().map(|&skill| {
                    let right: Vec<f64> =
                        (0..400).map(|_| f64::from(u8::from(rng.random_bool(skill)))).collect();
                    by_row.iter_mut().zip(&right).for_each(|(sum, right)| *sum += right / 3.0);
                    right.iter().sum::<f64>() / 400.0
                });
                let by_seed = by_seed.collect();
                (by_row, by_seed)
            };
            let ((a, first), (b, second)) = (system(), system());
            let values: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
            let found = SeededDifference::new(&values, &vec![None; 400], &first, &second);
            let found = found.unwrap().unwrap();
            both += usize::from(found.p_value() < 0.05);
            let alone = SeededDifference { seeds_variance: None, degrees: 399.0, ..found };
            rows_alone += usize::from(alone.p_value() < 0.05);
        }
        let rate = |count: usize| count as f64 / experiments as f64;
        assert!((0.005..0.07).contains(&rate(both)), "{}", rate(both));
        assert!(rate(rows_alone) > 0.2, "{}", rate(rows_alone));
    }
}
