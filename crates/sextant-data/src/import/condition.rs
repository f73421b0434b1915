//! Conditions that rows of the ratings must meet.

use super::ImportError;
use super::columns::Wanted;
use super::map::Condition;
use super::table::TextBatch;
use crate::number::plain;

/// A condition, resolved.
pub(super) struct Test {
    column: usize,
    spec: Condition,
}

impl Test {
    pub(super) fn new(spec: &Condition, wanted: &mut Wanted) -> Result<Self, ImportError> {
        let Condition { column, is, is_not, min, max } = spec;
        if is.is_none() && is_not.is_none() && min.is_none() && max.is_none() {
            let problem =
                format!("nothing is asked of `{column}`; say `is`, `is_not`, `min` or `max`");
            return Err(ImportError::key("where", problem));
        }
        Ok(Self { column: wanted.rating(column), spec: spec.clone() })
    }

    /// Whether a row meets the condition. An absent value is an empty text, and no number.
    pub(super) fn passes(&self, batch: &TextBatch, row: usize) -> Result<bool, ImportError> {
        let text = batch.get(self.column, row);
        let Condition { is, is_not, min, max, .. } = &self.spec;
        // A number is the same however it is written: 1 in the map is 1.0 in the table.
        let found = plain(text.unwrap_or_default());
        let among = |values: &Vec<String>| values.iter().any(|value| plain(value) == found);
        if is.as_ref().is_some_and(|values| !among(values)) || is_not.as_ref().is_some_and(among) {
            return Ok(false);
        }
        if min.is_none() && max.is_none() {
            return Ok(true);
        }
        let Some(text) = text else { return Ok(false) };
        let number: f64 = text.parse().map_err(|_| {
            let problem = format!("`{text}` is no number, which `min` and `max` need");
            batch.error(row, Some(&self.spec.column), problem)
        })?;
        Ok(min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max))
    }
}
