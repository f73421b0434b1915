//! The cluster bootstrap: groups of rows are drawn with replacement, as often as there are groups,
//! and a statistic is computed anew on each such resample.
//!
//! Rows of one group (one query's candidates) are right or wrong together, so resampling single rows
//! would give intervals that are too narrow. A row without a group is its own unit of resampling.

use crate::{EvalError, Interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How intervals are computed, by the percentile method: an interval runs between the `(1 - level) / 2`
/// and `(1 + level) / 2` quantiles of the replicates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of resamples; 1000 by default.
    pub replicates: usize,
    /// Seed. Replicate b draws from stream b of this seed, so the result is the same with any
    /// number of threads.
    pub seed: u64,
    /// Nominal coverage; 0.95 by default.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { replicates: 1000, seed: 0, level: 0.95 }
    }
}

impl Bootstrap {
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        let Self { replicates, level, .. } = *self;
        if replicates < 2 || !(level > 0.0 && level < 1.0) {
            return Err(EvalError::Bootstrap { replicates, level });
        }
        Ok(())
    }

    /// Computes `statistic` on every resample of `units` units. Its argument says how often each unit
    /// was drawn. Results are in the order of replicates.
    pub(crate) fn replicate<T: Send>(
        &self,
        units: usize,
        statistic: impl Fn(&[u32]) -> T + Sync,
    ) -> Vec<T> {
        (0..self.replicates as u64)
            .into_par_iter()
            .map_init(
                || vec![0_u32; units],
                |counts, replicate| {
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(replicate);
                    counts.fill(0);
                    for _ in 0..units {
                        counts[rng.random_range(0..units as u32) as usize] += 1;
                    }
                    statistic(counts)
                },
            )
            .collect()
    }

    /// The interval of a statistic from its replicates. Replicates in which the statistic is undefined
    /// are left out; `None` if fewer than half remain.
    pub(crate) fn interval(
        &self,
        replicates: impl Iterator<Item = Option<f64>>,
    ) -> Option<Interval> {
        let mut values: Vec<f64> = replicates.flatten().collect();
        if values.is_empty() || values.len() * 2 < self.replicates {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Some(Interval { low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
    }
}

/// A quantile of sorted, non-empty values, interpolated linearly (numpy's default).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below])
}

/// Numbers the units of resampling in order of first appearance. Returns each row's unit and the number
/// of units.
pub(crate) fn number_units<'a>(
    groups: impl ExactSizeIterator<Item = Option<&'a str>>,
) -> (Vec<u32>, usize) {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut count = 0;
    let mut units = Vec::with_capacity(groups.len());
    for group in groups {
        let unit = match group {
            Some(name) => *known.entry(name).or_insert(count),
            None => count,
        };
        count = count.max(unit + 1);
        units.push(unit);
    }
    (units, count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.5), 3.0);
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0], 0.25) - 1.75).abs() < 1e-12);
        assert_eq!(quantile(&[7.0], 0.975), 7.0);
        assert_eq!(quantile(&[1.0, 2.0], 1.0), 2.0);
    }

    #[test]
    fn rows_without_a_group_are_their_own_unit() {
        let groups = [Some("a"), None, Some("b"), Some("a"), None];
        assert_eq!(number_units(groups.into_iter()), (vec![0, 1, 2, 0, 3], 4));
    }

    #[test]
    fn every_resample_draws_as_many_units_as_there_are() {
        let bootstrap = Bootstrap { replicates: 50, ..Bootstrap::default() };
        let draws = bootstrap.replicate(17, <[u32]>::to_vec);
        assert!(draws.iter().all(|counts| counts.iter().sum::<u32>() == 17));
        assert!(draws.windows(2).any(|pair| pair[0] != pair[1]), "replicates must differ");
    }

    #[test]
    fn mostly_undefined_statistics_have_no_interval() {
        let bootstrap = Bootstrap { replicates: 4, ..Bootstrap::default() };
        assert_eq!(bootstrap.interval([Some(1.0), None, None, None].into_iter()), None);
        let interval = bootstrap.interval([Some(1.0), Some(1.0), None, None].into_iter());
        assert_eq!(interval, Some(Interval { low: 1.0, high: 1.0 }));
    }

    #[test]
    fn settings_that_give_no_interval_are_refused() {
        for (replicates, level) in [(1, 0.95), (100, 0.0), (100, 1.0), (100, 95.0), (9, f64::NAN)] {
            let bootstrap = Bootstrap { replicates, level, seed: 0 };
            assert!(bootstrap.check().is_err(), "{bootstrap:?}");
        }
        assert!(Bootstrap::default().check().is_ok());
    }
}
