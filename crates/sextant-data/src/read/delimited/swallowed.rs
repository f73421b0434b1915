//! Finds rows that a stray quote swallows.
//!
//! In a file whose writer does not quote cells, a cell that opens with an inch mark continues up to the next
//! inch mark. If other text follows that mark, the file is not delimited text with quotes. If a separator
//! follows, the cell is well-formed, and has swallowed all rows in between. So the lines of a cell of several
//! lines are read again in two ways: as if quotes were ordinary characters, and as if a row with quotes of
//! its own started there ([`LineAsRow`]). A line is taken for a row if, in one of these ways, it has as many
//! cells as the file has columns, and a task (or a grade) in the column where rows have theirs.

use super::cells::Cells;
use super::line_as_row::LineAsRow;
use super::shape::Shape;

/// Without a key column, lines of a cell are taken for rows if there are at least this many, and all of them
/// have as many cells as the file has columns.
const FULL_LINES: usize = 8;

/// The most [`LineAsRow`] readings that are carried from line to line, which bounds the time that a damaged
/// file takes. There are few such readings, because only a line on which a cell of the row begins or ends can
/// be read as ending inside a quoted cell.
const READINGS: usize = 8;

/// Reads the lines of one row again, to find rows that a stray quote has swallowed.
#[derive(Debug, Default)]
pub(super) struct RowLines {
    /// The number of line ends within the row.
    ends: usize,
    /// The number of separators on the current line so far.
    separators: usize,
    /// Where the text after the last separator or line end starts in the bytes of the cells.
    start: usize,
    /// Whether the key column of the current line holds a name of a task or a grade, whichever it is the
    /// column of.
    key: bool,
    /// The current line, read as a row of its own.
    fresh: LineAsRow,
    /// Readings of earlier lines as rows of their own, each with its line, in which a quoted cell continues
    /// after the line.
    carried: Vec<(u64, LineAsRow)>,
    /// Whether a cell of the row itself ends on the current line.
    crossed: bool,
    /// Whether some line on which a cell of several lines opens looks like a row that ends on this line, so
    /// that a stray quote may have opened the cell.
    first: bool,
    /// The number of lines that have as many cells as there are columns.
    full: usize,
    /// The first line after the row's first that looks like a row.
    row: Option<u64>,
}

impl RowLines {
    /// Sets where the text after the last separator or line end starts.
    pub(super) fn start_at(&mut self, bytes: usize) {
        self.start = bytes;
    }

    /// Reads the next bytes of the file, quotes included. A line end inside quotes is reported by
    /// [`RowLines::line_end`] first.
    pub(super) fn raw(&mut self, bytes: &[u8], shape: Option<Shape>, separator: u8) {
        if let Some(shape) = shape
            && self.ends > 0
        {
            self.fresh.feed(bytes, shape, separator);
            for (_, carried) in &mut self.carried {
                carried.feed(bytes, shape, separator);
            }
        }
    }

    /// Reads a separator, which is inside a cell of the row or ends one.
    pub(super) fn separator(&mut self, cells: &Cells, shape: Option<Shape>, ends_cell: bool) {
        self.crossed |= ends_cell;
        self.look_at_key(cells, shape);
        self.separators += 1;
    }

    /// Reads a line end inside quotes, which ends `line`; `opened` is the line on which the cell opened.
    pub(super) fn line_end(
        &mut self,
        cells: &Cells,
        shape: Option<Shape>,
        (line, opened): (u64, u64),
        separator: u8,
    ) {
        // On a line where a cell of the row itself ends, the key counts only if `first` is true, as on the
        // row's last line.
        let key_counts = !self.crossed || self.first;
        self.look_back(cells, shape, line, key_counts);
        // `first` is set only after looking back, because the line on which a stray quote opens is not itself
        // a line that the quote has swallowed.
        if let Some(shape) = shape
            && opened == line
        {
            self.first |= self.is_row_up_to_here(cells, shape, separator);
        }
        let fresh = std::mem::take(&mut self.fresh);
        if key_counts && fresh.is_open() && self.carried.len() < READINGS {
            self.carried.push((line, fresh));
        }
        self.ends += 1;
        self.separators = 0;
        self.key = false;
        self.crossed = false;
    }

    /// Ends the row on `line`. Gives the line of a row that it seems to have swallowed.
    pub(super) fn row_end(
        &mut self,
        cells: &Cells,
        shape: Option<Shape>,
        line: u64,
    ) -> Option<u64> {
        if self.ends == 0 {
            return None;
        }
        // After the last quote come the row's own last cells, in whichever way its lines are read. They are
        // evidence of a swallowed row only if the line on which the quote opened looks like a row, too.
        self.look_back(cells, shape, line, self.first);
        let all_full = self.full == self.ends + 1 && self.full >= FULL_LINES;
        let keyless = shape.is_some_and(|shape| shape.key.is_none());
        self.row.or((keyless && all_full).then_some(cells.line + 1))
    }

    /// If the text that ends here is in the key column of a line after the row's first, notes whether it is a
    /// key.
    fn look_at_key(&mut self, cells: &Cells, shape: Option<Shape>) {
        if let Some(Shape { key: Some(key), .. }) = shape
            && self.ends > 0
            && self.separators == key.column
        {
            self.key = key.is_in(cells.since(self.start));
        }
    }

    fn is_row_up_to_here(&self, cells: &Cells, shape: Shape, separator: u8) -> bool {
        let Some(key) = shape.key else { return false };
        // A stray quote may have opened the current cell. The cells before it have ended, so separators
        // inside them are part of their text.
        let mut fields = cells.open().split(|&byte| byte == separator);
        let closed = cells.len() + fields.clone().count() == shape.columns;
        let plain = self.ends == 0 && self.separators + 1 == shape.columns;
        if !closed && !plain {
            return false;
        }
        let field = match key.column.checked_sub(cells.len()) {
            None => cells.iter().nth(key.column),
            Some(further) => fields.nth(further),
        };
        field.is_some_and(|field| key.is_in(field))
    }

    fn look_back(&mut self, cells: &Cells, shape: Option<Shape>, line: u64, key_counts: bool) {
        self.look_at_key(cells, shape);
        let Some(shape) = shape else { return };
        let (plain, fresh) = (self.separators + 1 == shape.columns, self.fresh.is_full(shape));
        self.full += usize::from(plain || fresh);
        if key_counts && (plain && self.key || fresh && self.fresh.has_key()) {
            self.row.get_or_insert(line);
        }
        // Readings that began on an earlier line end here, unless they are still inside a quoted cell.
        for (start, mut ended) in self.carried.extract_if(.., |(_, carried)| !carried.is_open()) {
            if ended.is_full(shape) && ended.has_key() {
                self.row.get_or_insert(start);
            }
        }
    }
}
