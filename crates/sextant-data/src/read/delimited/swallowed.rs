//! Rows that a stray quote swallows.
//!
//! A cell that opens with an inch mark, in a file whose writer knows no quotes, goes on to the next
//! inch mark. Where text follows there, the file is not delimited text with quotes. Where a
//! separator follows, the cell is well-formed, and all rows between are gone. So the lines of a
//! cell of several lines are read once more in two ways: as if quotes were ordinary characters, and as
//! if a row with quotes of its own started there ([`LineAsRow`]). A line that has, in one of these ways,
//! as many cells as the file has columns, and a task (or a grade) where rows have theirs, is a row.

use super::cells::Cells;
use super::line_as_row::LineAsRow;
use super::shape::Shape;

/// Without a key column, so many lines of a cell that all have as many cells as there are columns
/// are no chance.
const FULL_LINES: usize = 8;

/// The most readings that are carried from line to line: a bound of the time that a damaged file takes.
/// Only lines on which a cell of the row begins or ends can be read as open at their end, so that there
/// are few of them.
const READINGS: usize = 8;

/// What the lines of one row look like if quotes are ordinary characters.
#[derive(Debug, Default)]
pub(super) struct RowLines {
    /// Line ends within the row.
    ends: usize,
    /// Separators on the current line so far.
    separators: usize,
    /// Where, in the cells' bytes, the text after the last separator or line end starts.
    start: usize,
    /// Whether the key column of the current line holds a name of its kind.
    key: bool,
    /// The current line, read as a row of its own.
    fresh: LineAsRow,
    /// Lines whose reading as a row of their own has a quoted cell that goes on after the line, and those
    /// readings.
    carried: Vec<(u64, LineAsRow)>,
    /// Whether a cell of the row itself ends on the current line.
    crossed: bool,
    /// Whether a line on which a cell of several lines opens looks like a row that ends there: a stray
    /// quote may have opened the cell.
    first: bool,
    /// Lines that have as many cells as there are columns.
    full: usize,
    /// The first line after the row's first that looks like a row.
    row: Option<u64>,
}

impl RowLines {
    /// Text that is looked at starts after these bytes.
    pub(super) fn start_at(&mut self, bytes: usize) {
        self.start = bytes;
    }

    /// Bytes of the text as they stand there, in their order, without the line ends that matter.
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

    /// A separator, inside a cell of the row or at its end.
    pub(super) fn separator(&mut self, cells: &Cells, shape: Option<Shape>, ends_cell: bool) {
        self.crossed |= ends_cell;
        self.look_at_key(cells, shape);
        self.separators += 1;
    }

    /// A line end inside quotes, which ends `line`; `opened` is the line on which the cell opened.
    pub(super) fn line_end(
        &mut self,
        cells: &Cells,
        shape: Option<Shape>,
        (line, opened): (u64, u64),
        separator: u8,
    ) {
        // A line that has cells of the row itself is judged as the row's last line is.
        let key_counts = !self.crossed || self.first;
        self.look_back(cells, shape, line, key_counts);
        // Only then: the line on which a stray quote opens is not also a line that it swallowed.
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

    /// The end of the row on `line`: the line of a row that it seems to have swallowed.
    pub(super) fn row_end(
        &mut self,
        cells: &Cells,
        shape: Option<Shape>,
        line: u64,
    ) -> Option<u64> {
        if self.ends == 0 {
            return None;
        }
        // Behind the last quote stand the row's own last cells, whichever way its lines are read.
        // They say something only if the first line has such cells too.
        self.look_back(cells, shape, line, self.first);
        let all_full = self.full == self.ends + 1 && self.full >= FULL_LINES;
        let keyless = shape.is_some_and(|shape| shape.key.is_none());
        self.row.or((keyless && all_full).then_some(cells.line + 1))
    }

    /// Whether the text that ends here, on a line after the row's first, is what rows hold there.
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
        // The cell that is open may be the stray quote's; the cells before it are closed, and their
        // separators are their own.
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
        // Readings that began on an earlier line end here, unless they are in a quoted cell still.
        for (start, mut ended) in self.carried.extract_if(.., |(_, carried)| !carried.is_open()) {
            if ended.is_full(shape) && ended.has_key() {
                self.row.get_or_insert(start);
            }
        }
    }
}
