//! The class-balanced loss (Cui et al. 2019): rare grades of a task count more.

use crate::Rows;
use sextant_core::{Grade, Task};

/// Multiplies the weight of each training row by the factor of its task and grade; with `beta` 0, all factors
/// are 1.
pub(crate) fn balance(rows: &mut Rows, beta: f32) {
    if beta == 0.0 {
        return;
    }
    let mut counts = [[0_usize; Grade::COUNT]; Task::COUNT];
    for (row, task) in rows.tasks().into_iter().enumerate().filter(|&(row, _)| rows.is_graded(row))
    {
        counts[task.index()][rows.target(row).0.index()] += 1;
    }
    let factors = counts.map(|counts| factors(counts, f64::from(beta)));
    rows.reweigh(|task, grade| factors[task.index()][grade.index()] as f32);
}

/// The factor of each grade of a task with so many rows of each grade: one over the effective number of rows,
/// scaled so that the mean over the rows is 1.
fn factors(counts: [usize; Grade::COUNT], beta: f64) -> [f64; Grade::COUNT] {
    // (1 - β) / (1 - β^n), whose limit for β = 1 is 1 / n. `ln_1p` keeps the digits of a β near 1.
    let inverse = counts.map(|count| match count {
        0 => 0.0,
        count if beta >= 1.0 => 1.0 / count as f64,
        count => (1.0 - beta) / -f64::exp_m1(count as f64 * f64::ln_1p(beta - 1.0)),
    });
    let total: f64 = inverse.iter().zip(counts).map(|(factor, count)| factor * count as f64).sum();
    let rows: usize = counts.iter().sum();
    inverse.map(|factor| if total > 0.0 { factor * rows as f64 / total } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_of_effective_numbers() {
        // Effective numbers of 10, 100 and 890 rows at β = 0.99: (1 - 0.99^n) / 0.01.
        let effective = [9.561792499, 63.396765872, 99.986953];
        let counts = [10, 100, 890];
        let scale: f64 = 1000.0 / (0..3).map(|k| counts[k] as f64 / effective[k]).sum::<f64>();
        for (found, effective) in factors(counts, 0.99).into_iter().zip(effective) {
            assert!((found - scale / effective).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn from_all_rows_alike_to_all_grades_alike() {
        let almost = factors([10, 100, 890], 1e-9);
        assert!(almost.iter().all(|factor| (factor - 1.0).abs() < 1e-6), "{almost:?}");
        let all = factors([10, 100, 890], 1.0);
        for (factor, count) in all.into_iter().zip([10.0, 100.0, 890.0]) {
            assert!((factor * count - 1000.0 / 3.0).abs() < 1e-9);
        }
        // A grade without rows has no factor, and does not disturb the others.
        assert_eq!(factors([0, 50, 50], 1.0), [0.0, 1.0, 1.0]);
        let near = factors([1, 2, 1_000_000], 0.999_999);
        assert!(near.iter().all(|factor| factor.is_finite()) && near[0] > near[1]);
    }
}
