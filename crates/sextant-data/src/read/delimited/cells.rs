//! The cells of a row.

/// The cells of one row, without quotes and escapes.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// The line on which the row starts, from 1, as an editor counts lines.
    pub(super) line: u64,
    /// The bytes of all cells, one after another.
    bytes: Vec<u8>,
    /// Where each cell ends in `bytes`.
    ends: Vec<usize>,
    /// The number of further cells, for which the file has no columns; their ends are not kept.
    more: usize,
}

impl Cells {
    /// Discards the previous row, and begins a row on `line`.
    pub(super) fn begin(&mut self, line: u64) {
        self.line = line;
        self.bytes.clear();
        self.ends.clear();
        self.more = 0;
    }

    /// Adds a byte to the current cell.
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Adds bytes to the current cell.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes the cells have so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len() + self.more
    }

    /// The bytes of the cells from byte `start` on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    /// The bytes of the current cell so far.
    pub(super) fn open(&self) -> &[u8] {
        self.since(self.ends.last().copied().unwrap_or(0))
    }

    pub(super) fn end_cell(&mut self, columns: Option<usize>) {
        if columns.is_some_and(|columns| self.ends.len() >= columns) {
            self.more += 1;
        } else {
            self.ends.push(self.bytes.len());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }
}
