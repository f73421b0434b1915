//! Sums of a few numbers per row over each unit of resampling. A statistic that is a function of such
//! sums can be computed on a resample without going back to the rows.

use crate::Bootstrap;
use crate::bootstrap::number_units;

/// `N` sums for each unit.
#[derive(Debug)]
pub(crate) struct UnitSums<const N: usize>(Vec<[f64; N]>);

impl<const N: usize> UnitSums<N> {
    /// Adds rows up by their groups; a row without a group is its own unit.
    pub(crate) fn new<'a>(
        groups: impl ExactSizeIterator<Item = Option<&'a str>>,
        rows: impl Iterator<Item = [f64; N]>,
    ) -> Self {
        let (unit_of, units) = number_units(groups);
        let mut sums = vec![[0.0; N]; units];
        for (row, unit) in rows.zip(unit_of) {
            for (sum, value) in sums[unit as usize].iter_mut().zip(row) {
                *sum += value;
            }
        }
        Self(sums)
    }

    /// How many units there are.
    pub(crate) fn units(&self) -> usize {
        self.0.len()
    }

    /// The statistic on every resample of the units, computed from their sums. `None` for a single unit:
    /// it is the same in every resample, which says nothing about its spread.
    pub(crate) fn replicate<T: Send>(
        &self,
        bootstrap: &Bootstrap,
        statistic: impl Fn([f64; N]) -> T + Sync,
    ) -> Option<Vec<T>> {
        (self.units() > 1).then(|| {
            bootstrap.replicate(self.units(), |counts| {
                let mut totals = [0.0; N];
                for (&count, unit) in counts.iter().zip(&self.0) {
                    for (total, sum) in totals.iter_mut().zip(unit) {
                        *total += f64::from(count) * sum;
                    }
                }
                statistic(totals)
            })
        })
    }
}

/// Two-sided bootstrap p-value, the counterpart of the percentile interval: twice the smaller share of
/// replicates that are at most, or at least, 0. One is added to both the count and the number of
/// replicates (Davison and Hinkley 1997, §4.2.3), so the p-value is never 0.
pub(crate) fn two_sided_p(replicates: impl Iterator<Item = f64>) -> f64 {
    let (mut number, mut at_most, mut at_least) = (1_usize, 1_usize, 1_usize);
    for value in replicates {
        number += 1;
        at_most += usize::from(value <= 0.0);
        at_least += usize::from(value >= 0.0);
    }
    (2.0 * (at_most.min(at_least) as f64 / number as f64)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up_by_group_and_drawn_together() {
        let groups = [Some("a"), None, Some("a"), Some("b")];
        let rows = [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]];
        let sums = UnitSums::new(groups.into_iter(), rows.into_iter());
        assert_eq!(sums.0, [[4.0, 40.0], [2.0, 20.0], [4.0, 40.0]]);
        let bootstrap = Bootstrap { replicates: 20, ..Bootstrap::default() };
        let drawn = sums.replicate(&bootstrap, |totals| totals).unwrap();
        assert!(drawn.iter().all(|&[a, b]| 10.0 * a == b));
        let one = UnitSums::new([Some("a")].into_iter(), [[1.0]].into_iter());
        assert_eq!(one.replicate(&bootstrap, |[sum]| sum), None);
    }

    #[test]
    fn the_p_value_counts_the_smaller_side_twice() {
        let replicates =
            |negative: i32| (0..99).map(move |i| if i < negative { -1.0 } else { 1.0 });
        assert!((two_sided_p(replicates(4)) - 0.1).abs() < 1e-12);
        assert!((two_sided_p(replicates(95)) - 0.1).abs() < 1e-12);
        assert!((two_sided_p(replicates(0)) - 0.02).abs() < 1e-12);
        assert_eq!(two_sided_p([0.0; 9].into_iter()), 1.0);
    }
}
