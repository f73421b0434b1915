//! How much the members of an ensemble differ (measures as in Kuncheva & Whitaker 2003).

use crate::confusion::{Confusion, nominal_cost};
use serde::{Deserialize, Serialize};
use sextant_core::Grade;

/// How much the members of an ensemble agree: each measure is a mean over all pairs of members.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Share of rows for which two members predict different grades.
    pub disagreement: f64,
    /// Yule's Q of two members' being right: 1 where they fail on the same rows, 0 where their failures
    /// are independent, −1 where one is right exactly where the other fails. The mean over the pairs for
    /// which it is defined; `None` without such a pair.
    pub q: Option<f64>,
    /// Cohen's kappa of the predicted grades. The mean over the pairs for which it is defined; `None`
    /// without such a pair.
    pub kappa: Option<f64>,
}

/// The agreement of members that predicted the same rows. `None` for fewer than two members, or without
/// rows.
///
/// # Panics
/// If a member has predicted more or fewer rows than `truth` has.
pub fn agreement(members: &[Vec<Grade>], truth: &[Grade]) -> Option<Agreement> {
    if members.len() < 2 || truth.is_empty() {
        return None;
    }
    let (mut differ, mut qs, mut kappas) = (Vec::new(), Vec::new(), Vec::new());
    for (index, first) in members.iter().enumerate() {
        for second in &members[index + 1..] {
            assert_eq!((first.len(), second.len()), (truth.len(), truth.len()));
            let mut confusion = Confusion::default();
            // The number of rows by whether the first member (outer index) and the second (inner) is
            // right.
            let mut right = [[0.0; 2]; 2];
            let mut unequal = 0;
            for ((&a, &b), &true_grade) in first.iter().zip(second).zip(truth) {
                confusion.0[a.index()][b.index()] += 1.0;
                right[usize::from(a == true_grade)][usize::from(b == true_grade)] += 1.0;
                unequal += usize::from(a != b);
            }
            differ.push(unequal as f64 / truth.len() as f64);
            let (same, cross) = (right[1][1] * right[0][0], right[0][1] * right[1][0]);
            qs.extend((same + cross > 0.0).then(|| (same - cross) / (same + cross)));
            kappas.extend(confusion.kappa(nominal_cost));
        }
    }
    let mean = |values: &[f64]| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Some(Agreement { disagreement: mean(&differ)?, q: mean(&qs), kappa: mean(&kappas) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Grade::{Irrelevant as I, Partial as P, Relevant as R};

    #[test]
    fn a_hand_worked_pair() {
        let truth = [I, I, P, P, R, R, R, R];
        let first = vec![I, I, P, I, R, R, P, I]; // right: 5
        let second = vec![I, P, P, I, R, P, R, I]; // right: 4
        let found = agreement(&[first, second], &truth).unwrap();
        assert_eq!(found.disagreement, 3.0 / 8.0);
        // Both right: rows 0, 2, 4; both wrong: 3, 7; first alone: 1, 5; second alone: 6.
        assert_eq!(found.q, Some((3.0 * 2.0 - 2.0 * 1.0) / (3.0 * 2.0 + 2.0 * 1.0)));
        // Agreement 5/8; first predicts I, P, R 4, 2, 2 times, second 3, 3, 2.
        let chance = (4.0 * 3.0 + 2.0 * 3.0 + 2.0 * 2.0) / 64.0;
        let kappa = (5.0 / 8.0 - chance) / (1.0 - chance);
        assert!((found.kappa.unwrap() - kappa).abs() < 1e-12);
    }

    #[test]
    fn one_member_agrees_with_nobody() {
        assert_eq!(agreement(&[vec![I]], &[I]), None);
        let same = agreement(&[vec![I, R], vec![I, R]], &[I, R]).unwrap();
        assert_eq!((same.disagreement, same.q, same.kappa), (0.0, None, Some(1.0)));
    }
}
