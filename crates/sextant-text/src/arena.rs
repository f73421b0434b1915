//! The rows of a whole data set, their tokens in one allocation.

use crate::{CutCount, EncodedRow, RowView};
use sextant_core::Task;

/// Encoded rows whose tokens lie end to end in one list: 4 bytes per token and 16 per row.
///
/// A row of its own ([`EncodedRow`]) needs a byte more per token for segments, two allocations, and
/// 72 bytes beside them.
#[derive(Debug, Clone, Default)]
pub struct RowArena {
    ids: Vec<u32>,
    rows: Vec<Entry>,
    /// As many zeros as the longest left part of a row has tokens (`zeros`), then as many ones as the
    /// longest right part: the segments of any row are a slice of it around that boundary.
    pattern: Vec<u8>,
    zeros: usize,
    cut: CutCount,
}

/// Where one row ends, and what it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The end of its tokens in the list of all; they start where the row before ends.
    end: usize,
    /// Its leading tokens of segment 0; the rest is of segment 1.
    left: u32,
    task: Task,
}

impl RowArena {
    /// An arena that has room for the fields of so many rows; tokens find room as they come.
    pub fn with_capacity(rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), ..Self::default() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// The row has a token of segment 0 after one of segment 1, which no encoder makes.
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

    /// Gives back memory that further rows would have used.
    pub fn shrink_to_fit(&mut self) {
        self.ids.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row.
    ///
    /// # Panics
    /// There are not so many.
    pub fn row(&self, row: usize) -> RowView<'_> {
        let Entry { end, left, task } = self.rows[row];
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].end);
        let ids = &self.ids[start..end];
        let first = self.zeros - left as usize;
        RowView { task, ids, segments: &self.pattern[first..first + ids.len()] }
    }

    /// The rows, in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RowView<'_>> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// What truncation took.
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
