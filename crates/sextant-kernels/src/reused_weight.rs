use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::kernels::gemm::{Bf16, F32, Matrix, Packed, Product};
use crate::simd::Level;

/// The packed forms of a linear layer's weight. They are made by the operation that first needs them, and
/// reused by later operations for as long as the weight does not change.
///
/// A value belongs to one weight: for the packs of one training step, or for a whole run if the weight is
/// frozen. An operation receives it together with the weight and relies on both belonging together. A clone is
/// cheap and shares the packed forms.
///
/// Packed forms take as much memory as the weight, each, until the last clone is dropped. [`ReusedWeight::once`]
/// keeps none, for a weight that a step multiplies only once.
#[derive(Clone, Debug)]
pub struct ReusedWeight(Option<Arc<Forms>>);

/// A packed form that is kept for later operations, or made for one product.
pub(crate) enum Found<'a, P> {
    Kept(&'a Packed<P>),
    Made(Packed<P>),
}

impl<P> Deref for Found<'_, P> {
    type Target = Packed<P>;
    fn deref(&self) -> &Packed<P> {
        match self {
            Self::Kept(packed) => packed,
            Self::Made(packed) => packed,
        }
    }
}

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

impl Default for ReusedWeight {
    fn default() -> Self {
        Self::new()
    }
}

impl ReusedWeight {
    /// A value without packed forms, which keeps those that are made.
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// A value that keeps no packed forms: each lives for one product.
    pub fn once() -> Self {
        Self(None)
    }

    /// The weight of `[inputs, outputs]`, packed as a right factor.
    pub(crate) fn weight<P: Reused>(
        &self,
        level: Level,
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> Found<'_, P> {
        let matrix = Matrix::rows(weight, outputs);
        self.find(|sides| &sides.weight, || Packed::new(level, matrix, inputs, outputs))
    }

    /// The transpose of the weight of `[inputs, outputs]`, packed as a right factor.
    pub(crate) fn turned<P: Reused>(
        &self,
        level: Level,
        weight: &[f32],
        [inputs, outputs]: [usize; 2],
    ) -> Found<'_, P> {
        let matrix = Matrix::rows(weight, outputs).transposed();
        self.find(|sides| &sides.turned, || Packed::new(level, matrix, outputs, inputs))
    }

    fn find<P: Reused>(
        &self,
        side: impl FnOnce(&Sides<P>) -> &OnceLock<Packed<P>>,
        make: impl FnOnce() -> Packed<P>,
    ) -> Found<'_, P> {
        match &self.0 {
            Some(forms) => Found::Kept(kept(side(P::sides(forms)), make)),
            None => Found::Made(make()),
        }
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
