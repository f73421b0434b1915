//! Two systems on the same rows: is one better, or was it luck?

use crate::{
    Bootstrap, EvalError, McNemar, OddsRatio, PairedAccuracy, PairedRow, Scored, paired_accuracy,
};
use serde::{Deserialize, Serialize};

/// The difference in accuracy of two systems that answered the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// The accuracies, and what the bootstrap over groups says of their difference.
    #[serde(flatten)]
    pub accuracy: PairedAccuracy,
    /// The classical test that ignores groups and weights.
    pub mcnemar: McNemar,
    /// The size of the difference on the rows that McNemar's test counts, with an exact interval of the
    /// bootstrap's level. `None` where the systems are right on the same rows.
    pub odds_ratio: Option<OddsRatio>,
    /// How the intervals and the p-value of [`PairedComparison::accuracy`] were made.
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
    let mut rows = Vec::with_capacity(first.len());
    let mut discordant = [0_u64, 0];
    for (a, b) in first.iter().zip(second) {
        let right = [a.is_correct(), b.is_correct()];
        discordant[0] += u64::from(right[0] && !right[1]);
        discordant[1] += u64::from(right[1] && !right[0]);
        let [first, second] = right.map(|right| f64::from(u8::from(right)));
        rows.push(PairedRow { group: a.group, weight: f64::from(a.weight), first, second });
    }
    let mcnemar = McNemar::new(discordant[0], discordant[1]);
    Ok(PairedComparison {
        accuracy: paired_accuracy(&rows, bootstrap)?,
        mcnemar,
        odds_ratio: mcnemar.odds_ratio(bootstrap.level),
        bootstrap: *bootstrap,
    })
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
