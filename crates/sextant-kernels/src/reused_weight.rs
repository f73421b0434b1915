use std::sync::{Arc, OnceLock};

use crate::kernels::gemm::{Bf16, F32, Matrix, Packed, Product};
use crate::simd::Level;

/// The packed forms of a linear layer's weight. They are made by the operation that first needs them, and
/// reused by later operations for as long as the weight does not change.
///
/// A value belongs to one weight: for the packs of one training step, or for a whole run if the weight is
/// frozen. An operation receives it together with the weight and relies on both belonging together. A clone is
/// cheap and shares the packed forms.
#[derive(Clone, Debug, Default)]
pub struct ReusedWeight(Arc<Forms>);

#[derive(Debug, Default)]
pub(crate) struct Forms {
    f32: Sides<F32>,
    bf16: Sides<Bf16>,
}

/// The packed forms of a weight and of its transpose.
#[derive(Debug)]
pub(crate) struct Sides<P> {
    weight: OnceLock<Packed<P>>,
    turned: OnceLock<Packed<P>>,
}

impl<P> Default for Sides<P> {
    fn default() -> Self {
        Self { weight: OnceLock::new(), turned: OnceLock::new() }
    }
}

/// A number format whose packed forms are kept.
pub(crate) trait Reused: Product {
    fn sides(forms: &Forms) -> &Sides<Self>;
}

impl Reused for F32 {
    fn sides(forms: &Forms) -> &Sides<Self> {
        &forms.f32
    }
}

impl Reused for Bf16 {
    fn sides(forms: &Forms) -> &Sides<Self> {
        &forms.bf16
    }
}

impl ReusedWeight {
    /// A value without packed forms.
    pub fn new() -> Self {
        Self::default()
    }

    /// The weight of `[inputs, outputs]`, packed as a right factor.
    pub(crate) fn weight<P: Reused>(
        &self,
        level: Level,
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> &Packed<P> {
        let matrix = Matrix::rows(weight, outputs);
        kept(&P::sides(&self.0).weight, || Packed::new(level, matrix, inputs, outputs))
    }

    /// The transpose of the weight of `[inputs, outputs]`, packed as a right factor.
    pub(crate) fn turned<P: Reused>(
        &self,
        level: Level,
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> &Packed<P> {
        let matrix = Matrix::rows(weight, outputs).transposed();
        kept(&P::sides(&self.0).turned, || Packed::new(level, matrix, outputs, inputs))
    }
}

/// The value of the cell, which is made first if the cell is empty.
///
/// Unlike in [`OnceLock::get_or_init`], the cell is not locked while the value is made. Packing runs on rayon's
/// threads, and a thread that waits for them may start another task that needs the same weight. With a lock,
/// that task would wait for its own thread forever. Here it packs the weight again, which gives the same
/// numbers, and one of the two results is kept.
fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(found) = cell.get() {
        return found;
    }
    let made = make();
    cell.get_or_init(|| made)
}
