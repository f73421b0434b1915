//! A part of a grid, for one of several processes that a scheduler starts.

use crate::Cell;
use std::fmt;
use std::str::FromStr;

/// One of several equal parts of a grid's runs, such as `3/16`: the third of sixteen.
///
/// Runs are dealt like cards, so that each part has early and late ones. The trials of a search are not divided:
/// each goes to the process that comes for it first, since which trials there are depends on results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The number of the part, from 1.
    number: usize,
    /// The number of parts.
    of: usize,
}

impl Share {
    /// The whole grid.
    pub const ALL: Self = Self { number: 1, of: 1 };

    /// The part with this number, from 1, of so many.
    ///
    /// # Errors
    /// There is no such part.
    pub fn new(number: usize, of: usize) -> Result<Self, String> {
        if number == 0 || number > of {
            return Err(format!("there is no part {number} of {of}: parts are counted from 1"));
        }
        Ok(Self { number, of })
    }

    /// The runs of the part, in their order.
    pub(crate) fn of(self, cells: &[Cell]) -> impl Iterator<Item = &Cell> {
        cells.iter().skip(self.number - 1).step_by(self.of)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let (number, of) = parts.ok_or_else(|| {
            format!("`{text}` is no part of a grid; write 3/16 for the third of sixteen")
        })?;
        Self::new(number, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_they_are_written() {
        for text in ["1/1", "3/16", "16/16"] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "3", "0/16", "17/16", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
