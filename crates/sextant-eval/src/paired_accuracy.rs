//! Two accuracies on the same rows: their difference, how large it is, and whether it may be due to
//! chance.

use crate::effect::cohens_h;
use crate::unit_sums::{UnitSums, two_sided_p};
use crate::{Bootstrap, Estimate, EvalError};
use serde::{Deserialize, Serialize};

/// Whether each of two systems is right on one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedRow<'a> {
    /// The row's unit of resampling; a row without a group is its own unit.
    pub group: Option<&'a str>,
    /// How much the row counts; finite and positive.
    pub weight: f64,
    /// 1 where the first system is right and 0 where it is wrong; for a system of several seeds, the
    /// share of seeds that are right.
    pub first: f64,
    /// The number of the second system, likewise.
    pub second: f64,
}

/// The accuracies of two systems that answered the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedAccuracy {
    /// Number of rows.
    pub rows: usize,
    /// Units of resampling: distinct groups, and rows without a group.
    pub groups: usize,
    /// Accuracy of the first system.
    pub first: f64,
    /// Accuracy of the second system.
    pub second: f64,
    /// Second minus first, with its interval from resampling groups; both systems answer the same
    /// resamples.
    pub difference: Estimate,
    /// The size of the difference as [Cohen's h](cohens_h), with its interval from the same
    /// resamples.
    pub cohens_h: Estimate,
    /// Two-sided bootstrap p-value, the counterpart of the percentile interval: twice the smaller share
    /// of resamples whose difference is at most, or at least, 0. One is added to both the count and the
    /// number of resamples (Davison and Hinkley 1997, §4.2.3), so the p-value is never 0: at 1000
    /// replicates the smallest is 0.002. `None` where there is only one group.
    pub p_value: Option<f64>,
}

/// Compares two systems on the same rows.
///
/// # Errors
/// No rows, or bootstrap settings that give no interval.
pub fn paired_accuracy(
    rows: &[PairedRow<'_>],
    bootstrap: &Bootstrap,
) -> Result<PairedAccuracy, EvalError> {
    if rows.is_empty() {
        return Err(EvalError::NoRows);
    }
    bootstrap.check()?;
    // The gain is summed by itself and not computed as a difference of two sums: where no row gains
    // anything it is exactly 0, and rounding cannot give it a sign.
    let summed = |row: &PairedRow<'_>| {
        [1.0, row.first, row.second - row.first].map(|value| row.weight * value)
    };
    let means = |[weight, first, gain]: [f64; 3]| [first / weight, gain / weight];
    let h = |[first, gain]: [f64; 2]| cohens_h(first, first + gain);

    let units = UnitSums::new(rows.iter().map(|row| row.group), rows.iter().map(summed));
    let totals = rows
        .iter()
        .map(summed)
        .fold([0.0; 3], |sums, row| std::array::from_fn(|k| sums[k] + row[k]));
    let [first, gain] = means(totals);
    let resampled = units.replicate(bootstrap, means);
    let interval = |statistic: fn([f64; 2]) -> f64| {
        let replicates = resampled.as_ref()?;
        bootstrap.interval(replicates.iter().map(|&means| Some(statistic(means))))
    };
    Ok(PairedAccuracy {
        rows: rows.len(),
        groups: units.units(),
        first,
        second: first + gain,
        difference: Estimate { value: gain, interval: interval(|[_, gain]| gain) },
        cohens_h: Estimate { value: h([first, gain]), interval: interval(h) },
        p_value: resampled.as_ref().map(|means| two_sided_p(means.iter().map(|&[_, gain]| gain))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(right: &[(f64, f64)]) -> Vec<PairedRow<'static>> {
        let row =
            |&(first, second): &(f64, f64)| PairedRow { group: None, weight: 1.0, first, second };
        right.iter().map(row).collect()
    }

    #[test]
    fn both_differences_are_of_the_same_resamples() {
        let right: Vec<_> = (0..60)
            .map(|i| (f64::from(u8::from(i % 3 > 0)), f64::from(u8::from(i % 6 > 0))))
            .collect();
        let found = paired_accuracy(&rows(&right), &Bootstrap::default()).unwrap();
        assert!(
            (found.second - 5.0 / 6.0).abs() < 1e-12 && (found.first - 2.0 / 3.0).abs() < 1e-12
        );
        assert!((found.cohens_h.value - cohens_h(2.0 / 3.0, 5.0 / 6.0)).abs() < 1e-12);
        let (gain, h) = (found.difference.interval.unwrap(), found.cohens_h.interval.unwrap());
        // Both are 0 on the same resamples, so their intervals lie on the same side of 0.
        assert!(gain.low > 0.0 && h.low > 0.0 && h.low < found.cohens_h.value, "{found:?}");
    }

    #[test]
    fn systems_that_are_always_right_are_no_distance_apart() {
        let found = paired_accuracy(&rows(&[(1.0, 1.0); 5]), &Bootstrap::default()).unwrap();
        let none = Estimate { value: 0.0, interval: Some(crate::Interval { low: 0.0, high: 0.0 }) };
        assert_eq!((found.difference, found.cohens_h, found.p_value), (none, none, Some(1.0)));
        let one = paired_accuracy(&rows(&[(0.0, 1.0)]), &Bootstrap::default()).unwrap();
        assert_eq!((one.cohens_h.interval, one.p_value), (None, None));
        assert!((one.cohens_h.value - std::f64::consts::PI).abs() < 1e-12);
    }
}
