//! Two systems on the same rows: is one better, or was it luck?

use crate::bootstrap::number_units;
use crate::{Bootstrap, Estimate, EvalError, McNemar, Scored};
use serde::{Deserialize, Serialize};

/// The difference in accuracy of two systems that answered the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
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
    /// Two-sided bootstrap p-value, the counterpart of the percentile interval: twice the smaller
    /// share of resamples whose difference is at most, or at least, 0. One is added to count and
    /// number (Davison and Hinkley 1997, §4.2.3), so it is never 0: at 1000 replicates the
    /// smallest is 0.002. `None` where there is only one group.
    pub p_value: Option<f64>,
    /// The classical test that ignores groups and weights.
    pub mcnemar: McNemar,
    /// How the interval and the p-value were made.
    pub bootstrap: Bootstrap,
}

/// Compares the accuracy of two systems on the same rows, given in the same order.
///
/// # Errors
/// No rows; rows that differ between the systems in number, task, grade, group or weight; rows or
/// settings that [`evaluate`](crate::evaluate) refuses too.
pub fn compare(
    first: &[Scored<'_>],
    second: &[Scored<'_>],
    bootstrap: &Bootstrap,
) -> Result<PairedComparison, EvalError> {
    check(first, second)?;
    bootstrap.check()?;

    let (unit_of, groups) = number_units(first.iter().map(|row| row.group));
    // Per group: total weight, and the weight that the second system gets right beyond the first.
    let mut sums = vec![(0.0, 0.0); groups];
    let mut right = [0.0, 0.0];
    let mut discordant = [0_u64, 0];
    for ((a, b), unit) in first.iter().zip(second).zip(unit_of) {
        let weight = f64::from(a.weight);
        let correct = [a.is_correct(), b.is_correct()].map(|c| f64::from(u8::from(c)));
        let sum = &mut sums[unit as usize];
        sum.0 += weight;
        sum.1 += weight * (correct[1] - correct[0]);
        for system in 0..2 {
            right[system] += weight * correct[system];
            discordant[system] += u64::from(correct[system] > correct[1 - system]);
        }
    }
    let total: f64 = sums.iter().map(|sum| sum.0).sum();
    let [first_accuracy, second_accuracy] = right.map(|weight| weight / total);

    let resampled = (groups > 1).then(|| {
        let differences = bootstrap.replicate(groups, |counts| {
            let (mut weight, mut gain) = (0.0, 0.0);
            for (&count, sum) in counts.iter().zip(&sums) {
                weight += f64::from(count) * sum.0;
                gain += f64::from(count) * sum.1;
            }
            gain / weight
        });
        (bootstrap.interval(differences.iter().copied().map(Some)), p_value(&differences))
    });
    Ok(PairedComparison {
        rows: first.len(),
        groups,
        first: first_accuracy,
        second: second_accuracy,
        difference: Estimate {
            value: second_accuracy - first_accuracy,
            interval: resampled.and_then(|(interval, _)| interval),
        },
        p_value: resampled.map(|(_, p_value)| p_value),
        mcnemar: McNemar::new(discordant[0], discordant[1]),
        bootstrap: *bootstrap,
    })
}

pub(crate) fn p_value(differences: &[f64]) -> f64 {
    let share = |holds: fn(f64) -> bool| {
        let count = differences.iter().filter(|&&difference| holds(difference)).count();
        (count + 1) as f64 / (differences.len() + 1) as f64
    };
    (2.0 * share(|d| d <= 0.0).min(share(|d| d >= 0.0))).min(1.0)
}

fn check(first: &[Scored<'_>], second: &[Scored<'_>]) -> Result<(), EvalError> {
    if first.len() != second.len() {
        return Err(EvalError::RowCount { first: first.len(), second: second.len() });
    }
    if first.is_empty() {
        return Err(EvalError::NoRows);
    }
    for (index, (a, b)) in first.iter().zip(second).enumerate() {
        a.check(index)?;
        b.check(index)?;
        let differs = [
            ("task", a.task != b.task),
            ("grade", a.grade != b.grade),
            ("group", a.group != b.group),
            ("weight", a.weight != b.weight),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(EvalError::RowMismatch { index, what });
        }
    }
    Ok(())
}
