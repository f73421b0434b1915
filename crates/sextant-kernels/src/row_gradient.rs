use std::sync::{Arc, Mutex, PoisonError};

/// The gradient of an embedding table, of which only the rows with a gradient are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowGradient {
    ids: Vec<i32>,
    values: Vec<f32>,
    width: usize,
}

/// The place where the backward pass of [`embedding_rows`](crate::embedding_rows) stores the gradient of its
/// table.
///
/// Clones share their content. The gradients of several backward passes are added.
#[derive(Clone, Debug, Default)]
pub struct RowGradientSink(Arc<Mutex<RowGradient>>);

/// What an optimizer step does to the rows of a table that have no gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UntouchedRows {
    /// The rows are updated as with a gradient of zeros: moments and weights decay.
    #[default]
    Decay,
    /// The rows are not changed, as in PyTorch's `SparseAdam`, so that the cost of a step depends only on the
    /// number of rows with a gradient.
    Keep,
}

impl RowGradient {
    /// Makes the gradient from that of each token, `[ids.len(), width]`. The gradients of tokens with the same
    /// id are added in the order of the tokens.
    pub fn from_tokens(ids: &[i32], values: &[f32], width: usize) -> Self {
        assert_eq!(values.len(), ids.len() * width, "row gradient: length");
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&token| ids[token]);
        let mut rows = Self { width, ..Self::default() };
        for token in order {
            let from = &values[token * width..][..width];
            if rows.ids.last() == Some(&ids[token]) {
                let last = rows.values.len() - width;
                let to = &mut rows.values[last..];
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            } else {
                rows.ids.push(ids[token]);
                rows.values.extend_from_slice(from);
            }
        }
        rows
    }

    /// The ids of the rows that have a gradient, in ascending order.
    pub fn ids(&self) -> &[i32] {
        &self.ids
    }

    /// The gradients of these rows, `[ids, width]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The width of the table.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Only the rows whose ids are wanted.
    #[must_use]
    pub fn filter(&self, wanted: impl Fn(i32) -> bool) -> Self {
        let mut kept = Self { width: self.width, ..Self::default() };
        for (place, &id) in self.ids.iter().enumerate().filter(|(_, id)| wanted(**id)) {
            kept.ids.push(id);
            kept.values.extend_from_slice(&self.values[place * self.width..][..self.width]);
        }
        kept
    }

    /// The gradient multiplied by a factor.
    #[must_use]
    pub fn scaled(mut self, factor: f32) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// Adds another gradient of the same table.
    ///
    /// # Panics
    /// When both have rows and their widths differ.
    pub fn add(&mut self, other: Self) {
        if self.ids.is_empty() {
            *self = other;
        } else if !other.ids.is_empty() {
            assert_eq!(self.width, other.width, "row gradients: widths differ");
            let ids = [&self.ids[..], &other.ids].concat();
            let values = [&self.values[..], &other.values].concat();
            *self = Self::from_tokens(&ids, &values, self.width);
        }
    }
}

impl RowGradientSink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the gradient that was stored since the last call; `None` if there is none.
    pub fn take(&self) -> Option<RowGradient> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = std::mem::take(&mut *held);
        (!rows.ids.is_empty()).then_some(rows)
    }

    pub(crate) fn leave(&self, rows: RowGradient) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_one_id_are_added_up() {
        let values = [1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
        let rows = RowGradient::from_tokens(&[7, 3, 7], &values, 2);
        assert_eq!(rows.ids(), [3, 7]);
        assert_eq!(rows.values(), [10.0, 20.0, 101.0, 202.0]);
        assert_eq!(rows.sum_of_squares(), 100.0 + 400.0 + 10201.0 + 40804.0);
        let others = RowGradient::from_tokens(&[1, 7, 9], &[5.0, 5.0, 1.0, -1.0, 8.0, 8.0], 2);
        assert_eq!((rows.dot(&others), others.dot(&rows)), (101.0 - 202.0, 101.0 - 202.0));
        let odd = others.filter(|id| id % 3 == 0);
        assert_eq!((odd.ids(), odd.values()), (&[9][..], &[8.0, 8.0][..]));
        assert_eq!(others.scaled(2.0).values(), [10.0, 10.0, 2.0, -2.0, 16.0, 16.0]);

        let sink = RowGradientSink::new();
        assert_eq!(sink.take(), None);
        sink.leave(rows);
        sink.leave(RowGradient::from_tokens(&[1, 3], &[5.0, 5.0, 6.0, 7.0], 2));
        let both = sink.take().unwrap();
        assert_eq!(both.ids(), [1, 3, 7]);
        assert_eq!(both.values(), [5.0, 5.0, 16.0, 27.0, 101.0, 202.0]);
        assert_eq!(sink.take(), None);
    }
}
