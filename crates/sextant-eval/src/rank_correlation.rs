//! Rank correlation of lists, and of matrices whose entries are about pairs of the same things.

use serde::Serialize;

/// Spearman's rank correlation: that of the ranks, where equal numbers share the mean of their ranks. `None` if there
/// are fewer than two pairs of numbers, or if all numbers of one side are equal.
pub fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() != other.len() || one.len() < 2 {
        return None;
    }
    let (one, other) = (ranks(one), ranks(other));
    let mean = f64::midpoint(one.len() as f64, 1.0);
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let size = (product(&one, &one) * product(&other, &other)).sqrt();
    (size > 0.0).then(|| product(&one, &other) / size)
}

/// The rank of each number, from 1.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    while first < order.len() {
        let equal = |&&at: &&usize| numbers[at] == numbers[order[first]];
        let count = order[first..].iter().take_while(equal).count();
        for &at in &order[first..first + count] {
            ranks[at] = first as f64 + f64::midpoint(count as f64, 1.0);
        }
        first += count;
    }
    ranks
}

/// How far two matrices about pairs of the same things rank the pairs alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MatrixCorrelation {
    /// Spearman's rank correlation of the entries off the diagonal.
    pub spearman: f64,
    /// The p-value of a test by permutations (Mantel 1967): the share of all orders of the things in which the
    /// correlation is as far from 0. Entries of a row or a column depend on one another, so that a test which took
    /// them for independent pairs would be too sure.
    pub p_value: f64,
}

/// The rank correlation of two square matrices of at most eight rows, over the entries off the diagonal. `None` if it
/// is not defined.
pub fn matrix_correlation(one: &[Vec<f64>], other: &[Vec<f64>]) -> Option<MatrixCorrelation> {
    let size = one.len();
    if other.len() != size || size > 8 {
        return None;
    }
    let off = |matrix: &[Vec<f64>], order: &[usize]| -> Vec<f64> {
        let places = order.iter().flat_map(|&i| order.iter().map(move |&j| (i, j)));
        places.filter(|(i, j)| i != j).map(|(i, j)| matrix[i][j]).collect()
    };
    let mut order: Vec<usize> = (0..size).collect();
    let fixed = off(one, &order);
    let found = spearman(&fixed, &off(other, &order))?;
    let (mut as_far, mut all) = (0_u32, 0_u32);
    permute(&mut order, 0, &mut |order| {
        let moved = spearman(&fixed, &off(other, order)).unwrap_or(0.0);
        as_far += u32::from(moved.abs() >= found.abs() - 1e-12);
        all += 1;
    });
    Some(MatrixCorrelation { spearman: found, p_value: f64::from(as_far) / f64::from(all) })
}

/// Calls `each` with every order of the items from `first` on.
fn permute(order: &mut [usize], first: usize, each: &mut impl FnMut(&[usize])) {
    if first + 1 >= order.len() {
        return each(order);
    }
    for other in first..order.len() {
        order.swap(first, other);
        permute(order, first + 1, each);
        order.swap(first, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_correlated_and_ties_share_them() {
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, {expected}");
        };
        near(spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]), 1.0);
        near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // Ranks 1.5 1.5 3 4 5 and 1 2 4 5 3, whose deviations from 3 have the product 6.5 and the squares 9.5 and 10.
        let (x, y) = ([1.0, 1.0, 2.0, 3.0, 9.0], [0.1, 0.2, 0.4, 0.5, 0.3]);
        near(spearman(&x, &y), 6.5 / (9.5_f64 * 10.0).sqrt());
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
    }

    #[test]
    fn matrices_are_tested_by_moving_things_not_entries() {
        let matrix = |of: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            (0..5).map(|i| (0..5).map(|j| of(i, j)).collect()).collect()
        };
        let one = matrix(&|i, j| (i * 7 + j * j * 3) as f64 % 11.0);
        // What is on the diagonal does not count.
        let same = matrix(&|i, j| if i == j { 99.0 } else { one[i][j] * 2.0 - 1.0 });
        let found = matrix_correlation(&one, &same).unwrap();
        assert!((found.spearman - 1.0).abs() < 1e-12);
        assert!((found.p_value - 1.0 / 120.0).abs() < 1e-12, "{found:?}");
        // Of all orders, only the same one and the reversed one are as far from 0.
        let rows = matrix(&|i, _| i as f64);
        let back = matrix(&|i, _| 4.0 - i as f64);
        let found = matrix_correlation(&rows, &back).unwrap();
        assert!((found.spearman + 1.0).abs() < 1e-12 && found.p_value <= 2.0 / 120.0 + 1e-12);
        assert_eq!(matrix_correlation(&one, &matrix(&|_, _| 1.0)), None);
    }
}
