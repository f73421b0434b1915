//! The values of a parameter, copied out of the model.

/// A parameter's shape and values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The shape, of one or two dimensions.
    pub shape: Vec<usize>,
    /// The values; their number is the product of the shape.
    pub data: Vec<f32>,
}

impl Values {
    /// The transpose of a matrix; a vector is returned unchanged.
    pub(crate) fn transposed(&self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else { return self.clone() };
        let column = |column| (0..rows).map(move |row| self.data[row * columns + column]);
        Self { shape: vec![columns, rows], data: (0..columns).flat_map(column).collect() }
    }
}
