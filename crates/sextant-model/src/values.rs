//! The numbers of a parameter, out of the model.

/// A parameter's shape and values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// One or two dimensions.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub data: Vec<f32>,
}

impl Values {
    /// A matrix turned; a vector as it is.
    pub(crate) fn transposed(&self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else { return self.clone() };
        let column = |column| (0..rows).map(move |row| self.data[row * columns + column]);
        Self { shape: vec![columns, rows], data: (0..columns).flat_map(column).collect() }
    }
}
