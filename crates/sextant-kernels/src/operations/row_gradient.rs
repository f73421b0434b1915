//! Sums over the gradients of a table's rows.

use crate::kernels::reduce;
use crate::{RowGradient, simd};
use std::cmp::Ordering;

impl RowGradient {
    /// The sum of the squares of all entries, computed as by [`sum_of_squares`](crate::sum_of_squares).
    pub fn sum_of_squares(&self) -> f64 {
        reduce::sum_of_squares(simd::level(), self.values())
    }

    /// The dot product, in `f64`, over the rows that both gradients have.
    ///
    /// # Panics
    /// When the widths differ.
    pub fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.width(), other.width(), "row gradients: widths differ");
        let level = simd::level();
        let row = |rows: &Self, i: usize| i * rows.width()..(i + 1) * rows.width();
        let (mut i, mut j, mut sum) = (0, 0, 0.0);
        while i < self.ids().len() && j < other.ids().len() {
            match self.ids()[i].cmp(&other.ids()[j]) {
                Ordering::Less => i += 1,
                Ordering::Greater => j += 1,
                Ordering::Equal => {
                    let (x, y) = (&self.values()[row(self, i)], &other.values()[row(other, j)]);
                    sum += reduce::dot(level, x, y);
                    (i, j) = (i + 1, j + 1);
                }
            }
        }
        sum
    }
}
