use std::ops::Range;
use std::sync::Arc;

/// The bounds of the rows of a pack: row `i` is the tokens `cu[i]..cu[i + 1]`.
///
/// A value of this type is always valid: it has at least one row and no empty row. A clone is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    cu: Arc<[i32]>,
    max_len: usize,
}

/// Why a list of bounds is not a valid [`Segments`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentsError {
    /// There is no row.
    #[error("a pack needs at least one row, got {0} bounds")]
    NoRows(usize),
    /// The first bound is not zero.
    #[error("the first row of a pack must start at token 0, not at {0}")]
    Start(i32),
    /// A row has no token, or ends before it starts.
    #[error("row {row} of the pack has no tokens (bounds {start}..{end}); leave empty rows out")]
    EmptyRow {
        /// The row, counted from 0.
        row: usize,
        /// Its first token.
        start: i32,
        /// One past its last token.
        end: i32,
    },
    /// There are more tokens than a 32-bit index can name.
    #[error("the rows of the pack have more than {} tokens together", i32::MAX)]
    TooLong,
}

impl Segments {
    /// Makes the bounds from cumulative lengths: `[0, end of row 0, end of row 1, …]`.
    pub fn new(cu_seqlens: Vec<i32>) -> Result<Self, SegmentsError> {
        if cu_seqlens.len() < 2 {
            return Err(SegmentsError::NoRows(cu_seqlens.len()));
        }
        if cu_seqlens[0] != 0 {
            return Err(SegmentsError::Start(cu_seqlens[0]));
        }
        let mut max_len = 0;
        for (row, bounds) in cu_seqlens.windows(2).enumerate() {
            let (start, end) = (bounds[0], bounds[1]);
            if end <= start {
                return Err(SegmentsError::EmptyRow { row, start, end });
            }
            max_len = max_len.max((end - start) as usize);
        }
        Ok(Self { cu: cu_seqlens.into(), max_len })
    }

    /// Makes the bounds from the length of each row in tokens.
    pub fn from_lengths(lengths: &[usize]) -> Result<Self, SegmentsError> {
        let mut cu = Vec::with_capacity(lengths.len() + 1);
        let mut end = 0i32;
        cu.push(end);
        for &length in lengths {
            end = i32::try_from(length)
                .ok()
                .and_then(|length| end.checked_add(length))
                .ok_or(SegmentsError::TooLong)?;
            cu.push(end);
        }
        Self::new(cu)
    }

    /// The cumulative lengths: one number more than there are rows.
    pub fn cu(&self) -> &[i32] {
        &self.cu
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.cu.len() - 1
    }

    /// The number of tokens of all rows together.
    pub fn tokens(&self) -> usize {
        self.cu[self.rows()] as usize
    }

    /// The length of the longest row.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The tokens of row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn range(&self, i: usize) -> Range<usize> {
        self.cu[i] as usize..self.cu[i + 1] as usize
    }

    /// The tokens of each row, in order.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        (0..self.rows()).map(|row| self.range(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_lengths() {
        let segments = Segments::from_lengths(&[3, 1, 5]).unwrap();
        assert_eq!(segments.cu(), [0, 3, 4, 9]);
        assert_eq!(segments.rows(), 3);
        assert_eq!(segments.tokens(), 9);
        assert_eq!(segments.max_len(), 5);
        assert_eq!(segments.range(2), 4..9);
        assert_eq!(Segments::new(vec![0, 3, 4, 9]), Ok(segments));
    }

    #[test]
    fn bad_bounds_are_refused() {
        assert_eq!(Segments::new(vec![]), Err(SegmentsError::NoRows(0)));
        assert_eq!(Segments::from_lengths(&[]), Err(SegmentsError::NoRows(1)));
        assert_eq!(Segments::new(vec![1, 2]), Err(SegmentsError::Start(1)));
        assert_eq!(
            Segments::from_lengths(&[2, 0, 1]),
            Err(SegmentsError::EmptyRow { row: 1, start: 2, end: 2 })
        );
        assert_eq!(Segments::from_lengths(&[usize::MAX]), Err(SegmentsError::TooLong));
        assert_eq!(Segments::from_lengths(&[i32::MAX as usize, 1]), Err(SegmentsError::TooLong));
    }
}
