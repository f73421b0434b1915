//! The rows of a whole data set, their tokens in one allocation.

use crate::{CutCount, EncodedRow, RowView};
use sextant_core::Task;

/// Encoded rows whose tokens lie end to end in one list: 4 bytes per token and 16 bytes per row.
///
/// A separate [`EncodedRow`] needs one more byte per token for its segments, two allocations, and 72 bytes
/// besides.
#[derive(Debug, Clone, Default)]
pub struct RowArena {
    ids: Vec<u32>,
    rows: Vec<Entry>,
    /// `zeros` zeros, then ones. A row's leading tokens of segment 0 are its left part and the others its
    /// right part; there are as many zeros as the longest left part has tokens, and as many ones as the
    /// longest right part. The segments of any row are a slice around the boundary between zeros and ones.
    pattern: Vec<u8>,
    /// The number of zeros in `pattern`.
    zeros: usize,
    cut: CutCount,
}

/// Where the tokens of one row end, its segments and its task.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The end of the row's tokens in `ids`; they start where the previous row's tokens end.
    end: usize,
    /// The number of leading tokens in segment 0; all further tokens are in segment 1.
    left: u32,
    task: Task,
}

impl RowArena {
    /// An empty arena with memory reserved for the bookkeeping of `rows` rows; memory for tokens is taken as
    /// rows are added.
    pub fn with_capacity(rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), ..Self::default() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// The row has a token of segment 0 after a token of segment 1; an [`Encoder`](crate::Encoder) never
    /// makes such a row.
    pub fn push(&mut self, row: &EncodedRow) {
        let left = row.segments.iter().take_while(|&&segment| segment == 0).count();
        assert!(
            row.segments[left..].iter().all(|&segment| segment == 1),
            "the segments of a row are zeros, then ones"
        );
        let right = row.len() - left;
        if left > self.zeros || right > self.pattern.len() - self.zeros {
            let (zeros, ones) = (left.max(self.zeros), right.max(self.pattern.len() - self.zeros));
            self.pattern = [vec![0; zeros], vec![1; ones]].concat();
            self.zeros = zeros;
        }
        self.ids.extend_from_slice(&row.ids);
        self.rows.push(Entry { end: self.ids.len(), left: left as u32, task: row.task });
        self.cut.add(row.cut);
    }

    /// Frees the memory that was reserved for further rows.
    pub fn shrink_to_fit(&mut self) {
        self.ids.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row with this index.
    ///
    /// # Panics
    /// `row` is not below [`RowArena::len`].
    pub fn row(&self, row: usize) -> RowView<'_> {
        let Entry { end, left, task } = self.rows[row];
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].end);
        let ids = &self.ids[start..end];
        let first = self.zeros - left as usize;
        RowView { task, ids, segments: &self.pattern[first..first + ids.len()] }
    }

    /// The rows, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RowView<'_>> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// How many tokens truncation took from the rows.
    pub fn cut(&self) -> CutCount {
        self.cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cut, TokenRow};
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = EncodedRow> {
        let cut = (0..3_u32, 0..3_u32).prop_map(|(left, right)| Cut { left, right });
        let ids = || prop::collection::vec(any::<u32>(), 0..40);
        (0..Task::COUNT, ids(), ids(), 0..=1_u8, cut).prop_map(
            |(task, left, right, segment, cut)| {
                let mut segments = vec![0; left.len()];
                segments.resize(left.len() + right.len(), segment);
                EncodedRow { task: Task::ALL[task], ids: [left, right].concat(), segments, cut }
            },
        )
    }

    proptest! {
        #[test]
        fn gives_rows_back_as_they_came(rows in prop::collection::vec(row(), 0..30)) {
            let mut arena = RowArena::with_capacity(rows.len());
            let mut cut = CutCount::default();
            for row in &rows {
                arena.push(row);
                cut.add(row.cut);
            }
            arena.shrink_to_fit();
            prop_assert_eq!(arena.len(), rows.len());
            prop_assert_eq!(arena.cut(), cut);
            prop_assert!(arena.iter().eq(rows.iter().map(TokenRow::view)));
        }
    }

    #[test]
    #[should_panic(expected = "zeros, then ones")]
    fn a_row_of_other_segments_is_refused() {
        let segments = vec![1, 0];
        let cut = Cut::default();
        RowArena::default().push(&EncodedRow {
            task: Task::ALL[0],
            ids: vec![1, 2],
            segments,
            cut,
        });
    }
}
