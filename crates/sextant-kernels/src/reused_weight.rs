use std::sync::{Arc, OnceLock};

use crate::kernels::gemm::{Bf16, F32, Matrix, Packed, Product};
use crate::simd::Level;

/// The weight of a linear layer in the order that products read it: packed by the operation that
/// first needs it and reused by later ones, for as long as the weight does not change.
///
/// One of these serves one weight: for the packs of a training step, or for a whole run when the
/// weight is frozen. An operation is given it beside the weight, and trusts that both belong
/// together. Cheap to clone; clones share what is packed.
#[derive(Clone, Debug, Default)]
pub struct ReusedWeight(Arc<Forms>);

#[derive(Debug, Default)]
pub(crate) struct Forms {
    f32: Sides<F32>,
    bf16: Sides<Bf16>,
}

/// A weight and its transpose.
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
    /// Nothing is packed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The weight of `[inputs, outputs]` as a right factor.
    pub(crate) fn weight<P: Reused>(
        &self,
        level: Level,
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> &Packed<P> {
        let matrix = Matrix::rows(weight, outputs);
        kept(&P::sides(&self.0).weight, || Packed::new(level, matrix, inputs, outputs))
    }

    /// The transpose of the weight of `[inputs, outputs]` as a right factor.
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

/// What the cell holds, made first where it holds nothing.
///
/// Nothing is locked while it is made, unlike in [`OnceLock::get_or_init`]. Packing runs on rayon's threads,
/// and a thread that waits for them may take up another task that asks for the same weight: it would wait
/// for itself. Here it packs once more, which gives the same numbers, and one of the two is kept.
fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(found) = cell.get() {
        return found;
    }
    let made = make();
    cell.get_or_init(|| made)
}
