//! Counter-based dropout: whether an element is dropped is a pure function of the seed and of the element's
//! row and column, so a mask is never stored and never depends on threads or on the order of calls.

/// Sets elements to zero with a probability and scales the others by `1 / (1 - probability)`.
///
/// A hash of `(seed, row, column)` decides whether element `(row, column)` is dropped. Two calls with the same
/// seed drop the same elements, so give each call site and each step its own seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability of an element being dropped, in `[0, 1)`.
    pub probability: f32,
    /// Selects the mask.
    pub seed: u64,
}

/// The hash state that all elements of a row share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowKey {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

/// Odd constants of the 32-bit mixer "lowbias32" (Wellons 2018).
pub(crate) const MIX_1: u32 = 0x7feb_352d;
pub(crate) const MIX_2: u32 = 0x846c_a68b;

impl Dropout {
    /// Checks the probability.
    ///
    /// # Panics
    /// When the probability is not in `[0, 1)`.
    pub(crate) fn check(self, operation: &str) {
        assert!(
            (0.0..1.0).contains(&self.probability),
            "{operation}: dropout probability {} is not in [0, 1)",
            self.probability
        );
    }

    /// The factor that kept elements are multiplied by.
    pub fn keep_scale(self) -> f32 {
        1.0 / (1.0 - self.probability)
    }

    /// The threshold of the hash: elements whose hash is below it are dropped.
    pub(crate) fn threshold(self) -> u32 {
        (f64::from(self.probability) * 4_294_967_296.0) as u32
    }

    /// The key of a row, by the SplitMix64 finaliser (Steele, Lea and Flood 2014) of seed and row.
    pub(crate) fn row_key(self, row: usize) -> RowKey {
        let mixed = split_mix(split_mix(self.seed).wrapping_add(row as u64));
        RowKey { low: mixed as u32, high: (mixed >> 32) as u32 }
    }

    /// Whether the element at `(row, column)` is kept.
    pub fn keeps(self, row: usize, column: usize) -> bool {
        self.row_key(row).hash(column as u32) >= self.threshold()
    }

    /// The factor of each element of a `[rows, columns]` matrix: 0 or [`Self::keep_scale`].
    pub fn factors(self, rows: usize, columns: usize) -> Vec<f32> {
        let (threshold, scale) = (self.threshold(), self.keep_scale());
        let mut factors = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let key = self.row_key(row);
            factors.extend(
                (0..columns as u32).map(
                    |column| {
                        if key.hash(column) >= threshold { scale } else { 0.0 }
                    },
                ),
            );
        }
        factors
    }
}

impl RowKey {
    /// The hash of one column, uniform over `u32`.
    #[inline(always)]
    pub(crate) fn hash(self, column: u32) -> u32 {
        let mut x = column.wrapping_add(self.low);
        x ^= x >> 16;
        x = x.wrapping_mul(MIX_1) ^ self.high;
        x ^= x >> 15;
        x = x.wrapping_mul(MIX_2);
        x ^ (x >> 16)
    }
}

fn split_mix(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_dropped_elements_is_the_probability() {
        let (rows, columns) = (400, 500);
        for probability in [0.0, 0.1, 0.5, 0.9] {
            let dropout = Dropout { probability, seed: 7 };
            let factors = dropout.factors(rows, columns);
            let dropped = factors.iter().filter(|&&f| f == 0.0).count() as f64;
            let total = (rows * columns) as f64;
            let p = f64::from(probability);
            // The bound is five standard deviations of a binomial count.
            let bound = 5.0 * (total * p * (1.0 - p)).sqrt();
            assert!((dropped - total * p).abs() <= bound, "{probability}: {dropped}");
        }
    }

    #[test]
    fn rows_columns_and_seeds_are_uncorrelated() {
        let n = 100_000;
        let dropout = |seed| Dropout { probability: 0.5, seed };
        let sign = |kept: bool| if kept { 1i64 } else { -1 };
        let correlation = |f: &dyn Fn(usize) -> i64| (0..n).map(f).sum::<i64>().abs() as f64;
        let bound = 5.0 * (n as f64).sqrt();
        let d = dropout(3);
        assert!(correlation(&|i| sign(d.keeps(0, i)) * sign(d.keeps(0, i + 1))) < bound);
        assert!(correlation(&|i| sign(d.keeps(0, i)) * sign(d.keeps(1, i))) < bound);
        assert!(correlation(&|i| sign(d.keeps(i, 5)) * sign(d.keeps(i + 1, 5))) < bound);
        assert!(correlation(&|i| sign(d.keeps(2, i)) * sign(dropout(4).keeps(2, i))) < bound);
    }
}
