//! The mean of a number per row, with its uncertainty over groups of rows.
//!
//! Many questions about systems on the same rows are about such a mean: the accuracy of one system (1
//! where it is right), the mean accuracy of several seeds, the difference of two systems, the difference
//! of two differences. One resampling serves all of them, so that numbers that are subtracted come from
//! the same resamples.

use crate::unit_sums::{UnitSums, two_sided_p};
use crate::{Bootstrap, Estimate, EvalError};
use serde::{Deserialize, Serialize};

/// The mean of a number per row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RowMean {
    /// Number of rows.
    pub rows: usize,
    /// Units of resampling: distinct groups, and rows without a group.
    pub groups: usize,
    /// The mean with its interval.
    pub mean: Estimate,
    /// Two-sided bootstrap p-value of the mean being 0, computed as in
    /// [`PairedAccuracy`](crate::PairedAccuracy); `None` where there is only one group.
    pub p_value: Option<f64>,
}

/// The mean of `values`, one for each row; `groups` names the rows' units of resampling.
///
/// # Errors
/// No rows, or bootstrap settings that give no interval.
///
/// # Panics
/// If there are not as many groups as values.
pub fn row_mean(
    values: &[f64],
    groups: &[Option<&str>],
    bootstrap: &Bootstrap,
) -> Result<RowMean, EvalError> {
    assert_eq!(values.len(), groups.len(), "a group for each value");
    if values.is_empty() {
        return Err(EvalError::NoRows);
    }
    bootstrap.check()?;
    let units = UnitSums::new(groups.iter().copied(), values.iter().map(|&value| [1.0, value]));
    let value = values.iter().sum::<f64>() / values.len() as f64;
    let means = units.replicate(bootstrap, |[rows, total]| total / rows);
    let interval = |means: &Vec<f64>| bootstrap.interval(means.iter().copied().map(Some));
    Ok(RowMean {
        rows: values.len(),
        groups: units.units(),
        mean: Estimate { value, interval: means.as_ref().and_then(interval) },
        p_value: means.as_ref().map(|means| two_sided_p(means.iter().copied())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scored, compare};
    use sextant_core::{Grade, Prediction, Task};

    /// The difference of two systems is the mean of a number per row.
    #[test]
    fn agrees_with_the_paired_comparison() {
        let names = ["a", "b", "c", "d", "e"];
        let row = |i: usize, right: bool| Scored {
            group: Some(names[i % 5]),
            ..Scored::new(
                Task::QueryProduct,
                Grade::Irrelevant,
                Prediction::new(if right { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] }),
            )
        };
        let first: Vec<_> = (0..40).map(|i| row(i, i % 3 == 0)).collect();
        let second: Vec<_> = (0..40).map(|i| row(i, i % 4 != 0)).collect();
        let bootstrap = Bootstrap { replicates: 200, ..Bootstrap::default() };
        let expected = compare(&first, &second, &bootstrap).unwrap().accuracy;
        let right = |row: &Scored<'_>| f64::from(u8::from(row.is_correct()));
        let values: Vec<f64> =
            first.iter().zip(&second).map(|(a, b)| right(b) - right(a)).collect();
        let groups: Vec<_> = first.iter().map(|row| row.group).collect();
        let found = row_mean(&values, &groups, &bootstrap).unwrap();
        assert!((found.mean.value - expected.difference.value).abs() < 1e-12);
        assert_eq!(found.mean.interval, expected.difference.interval);
        assert_eq!((found.p_value, found.groups), (expected.p_value, 5));
    }
}
