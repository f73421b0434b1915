use std::ops::RangeInclusive;

/// Assigns a row of an embedding table to each distance between a query and a key (DeBERTa, He et al. 2021).
///
/// The table has `2 * span` rows. Row `span` is for distance 0, and later rows are for queries after their key.
/// Distances beyond the ends of the table have its first or last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativePositions {
    span: usize,
    bucketed_up_to: Option<usize>,
}

impl RelativePositions {
    /// A table with `span` rows in each direction. With `bucketed_up_to`, each distance up to half the span has
    /// a row of its own, and larger distances, up to `bucketed_up_to`, share rows in buckets of logarithmic
    /// width.
    ///
    /// # Panics
    /// When the span is below 2, or when the buckets would reach no further than the distances with a row of
    /// their own.
    pub fn new(span: usize, bucketed_up_to: Option<usize>) -> Self {
        assert!(span >= 2, "relative positions: a span of {span} is below 2");
        if let Some(reach) = bucketed_up_to {
            assert!(
                reach > span / 2 + 1,
                "relative positions: buckets up to {reach} do not reach past half the span of {span}"
            );
        }
        Self { span, bucketed_up_to }
    }

    /// The number of rows of the table.
    pub fn rows(&self) -> usize {
        2 * self.span
    }

    /// The row for a distance, which is the query's position minus the key's.
    pub fn row(&self, distance: isize) -> usize {
        let bucket = match self.bucketed_up_to {
            Some(reach) => bucket(distance, self.span, reach),
            None => distance,
        };
        (bucket + self.span as isize).clamp(0, self.rows() as isize - 1) as usize
    }

    /// The range of rows that a row of the pack with `length` tokens can use.
    pub fn used(&self, length: usize) -> RangeInclusive<usize> {
        let furthest = length.saturating_sub(1) as isize;
        self.row(-furthest)..=self.row(furthest)
    }
}

/// The bucket of a distance, which has the distance's sign. It is computed in `f32` like in the published
/// implementation, because the edges of the buckets depend on rounding.
fn bucket(distance: isize, span: usize, reach: usize) -> isize {
    let half = span / 2;
    let length = distance.unsigned_abs();
    if length <= half {
        return distance;
    }
    let (middle, most) = (half as f32, (half - 1) as f32);
    let share = (length as f32 / middle).ln() / ((reach - 1) as f32 / middle).ln();
    let bucket = (share * most).ceil() as isize + half as isize;
    bucket * distance.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_distances_are_exact_and_far_ones_share_rows() {
        let positions = RelativePositions::new(256, Some(512));
        assert_eq!(positions.rows(), 512);
        for distance in -128..=128 {
            assert_eq!(positions.row(distance), (256 + distance) as usize);
        }
        assert_eq!(positions.row(511), 511);
        assert_eq!(positions.row(-511), 1);
        assert_eq!(positions.row(5000), 511);
        for distance in 0..511 {
            assert!(positions.row(distance + 1) - positions.row(distance) <= 1);
            assert_eq!(positions.row(distance) + positions.row(-distance), 512);
        }
        assert_eq!(positions.used(3), 254..=258);
    }

    #[test]
    fn without_buckets_the_ends_are_shared() {
        let positions = RelativePositions::new(4, None);
        let rows: Vec<_> = (-6..=6).map(|distance| positions.row(distance)).collect();
        assert_eq!(rows, [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7]);
    }
}
