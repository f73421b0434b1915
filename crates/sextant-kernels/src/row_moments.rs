use crate::{Moment, MomentFormat, MomentLine, Moments};

/// The number of rows for which memory is taken at a time.
const SEGMENT: usize = 1024;

/// The slot of a row that has no moments.
const NONE: u32 = u32::MAX;

/// AdamW's moments of an embedding table, of which only the rows are stored that ever had a gradient. The moments
/// of the others are zero, and a step only lets their weights decay.
///
/// A data set rarely has more than a fifth of the words of a large vocabulary. What a step computes does not depend
/// on the place at which a row's moments are stored.
#[derive(Clone, Debug)]
pub struct RowMoments {
    pub(crate) format: MomentFormat,
    pub(crate) width: usize,
    /// For each row of the table the place of its moments, or [`NONE`].
    slots: Vec<u32>,
    used: usize,
    /// The stored rows, in segments that never move, so that growing takes no copy.
    pub(crate) segments: Vec<Moments>,
}

impl RowMoments {
    /// Moments of a table of `rows` rows of `width` numbers, none of which has had a gradient.
    pub fn new(format: MomentFormat, rows: usize, width: usize) -> Self {
        Self { format, width, slots: vec![NONE; rows], used: 0, segments: Vec::new() }
    }

    /// The moments of a whole table, a line for each row. Rows whose moments are zero are not kept.
    pub fn from_moments(whole: &Moments) -> Self {
        let mut moments = Self::new(whole.format(), whole.lines(), whole.width());
        for row in 0..whole.lines() {
            let lines = [Moment::First, Moment::Second].map(|moment| whole.line(moment, row));
            if lines.iter().any(|line| !line.is_zero()) {
                let (segment, line) = moments.add(row);
                moments.segments[segment].copy_line(line, whole, row);
            }
        }
        moments
    }

    /// The moments of the rows that are wanted; those of the others count as zero.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let mut kept = Self::new(self.format, self.rows(), self.width);
        for row in (0..self.rows()).filter(|&row| wanted(row)) {
            if let Some((segment, line)) = self.place(row) {
                let (to, at) = kept.add(row);
                kept.segments[to].copy_line(at, &self.segments[segment], line);
            }
        }
        kept
    }

    /// The rows that have had a gradient, in ascending order.
    pub fn touched(&self) -> impl Iterator<Item = usize> {
        (0..self.rows()).filter(|&row| self.place(row).is_some())
    }

    /// The number of rows of the table.
    pub fn rows(&self) -> usize {
        self.slots.len()
    }

    /// The number of numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows have had a gradient.
    pub fn stored(&self) -> usize {
        self.used
    }

    /// The format.
    pub fn format(&self) -> MomentFormat {
        self.format
    }

    /// One moment of a row; `None` if the row never had a gradient.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn line(&self, moment: Moment, row: usize) -> Option<MomentLine<'_>> {
        let (segment, line) = self.place(row)?;
        Some(self.segments[segment].line(moment, line))
    }

    /// The segment and the line in it where the moments of a row are.
    pub(crate) fn place(&self, row: usize) -> Option<(usize, usize)> {
        let slot = self.slots[row];
        (slot != NONE).then_some((slot as usize / SEGMENT, slot as usize % SEGMENT))
    }

    /// Makes room for the moments of these rows.
    pub(crate) fn make_room(&mut self, rows: impl Iterator<Item = usize>) {
        for row in rows {
            self.add(row);
        }
    }

    fn add(&mut self, row: usize) -> (usize, usize) {
        if let Some(place) = self.place(row) {
            return place;
        }
        let place = (self.used / SEGMENT, self.used % SEGMENT);
        if place.1 == 0 {
            let lines = SEGMENT.min(self.rows() - self.used);
            self.segments.push(Moments::zeros(self.format, lines, self.width));
        }
        // A table has fewer rows than `i32` has numbers, because the ids of its gradient are of this type.
        self.slots[row] = self.used as u32;
        self.used += 1;
        place
    }
}
