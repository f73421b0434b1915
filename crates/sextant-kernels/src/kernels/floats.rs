//! Numbers in the format that their tensor holds them in.
//!
//! Activations are `f32`, or bf16 where a pass multiplies in bf16. Kernels compute in `f32` registers
//! and read and write either format; which one is a property of a buffer, looked at as it is read.

use half::bf16;

use super::parallel::{self, SharedMut, uninitialised};
use crate::Precision;
use crate::simd::{Kernel, Level, Simd, launch};

/// Borrowed numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floats<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl Floats<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
        }
    }

    /// The format.
    pub(crate) fn format(self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::Bf16(_) => Precision::Bf16,
        }
    }

    /// Where the number at `index` is; in bounds when there are that many.
    pub(crate) fn at(self, index: usize) -> FloatPtr {
        let start = match self {
            Self::F32(numbers) => FloatPtr::F32(numbers.as_ptr()),
            Self::Bf16(numbers) => FloatPtr::Bf16(numbers.as_ptr()),
        };
        start.add(index)
    }

    /// A copy in a format.
    pub(crate) fn to_format(self, level: Level, format: Precision) -> FloatVec {
        let mut out = FloatVec::uninitialised(format, self.len());
        convert(level, self, out.shared());
        out
    }
}

impl<'a> From<&'a [f32]> for Floats<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Self::F32(numbers)
    }
}

impl<'a> From<&'a Vec<f32>> for Floats<'a> {
    fn from(numbers: &'a Vec<f32>) -> Self {
        Self::F32(numbers)
    }
}

/// Owned numbers.
#[derive(Debug)]
pub(crate) enum FloatVec {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl FloatVec {
    /// `len` numbers with any content: every one must be written before it is read.
    pub(crate) fn uninitialised(format: Precision, len: usize) -> Self {
        match format {
            Precision::F32 => Self::F32(uninitialised(len)),
            Precision::Bf16 => Self::Bf16(uninitialised(len)),
        }
    }

    pub(crate) fn floats(&self) -> Floats<'_> {
        match self {
            Self::F32(numbers) => Floats::F32(numbers),
            Self::Bf16(numbers) => Floats::Bf16(numbers),
        }
    }

    /// For threads that write disjoint parts.
    pub(crate) fn shared(&mut self) -> FloatMut {
        match self {
            Self::F32(numbers) => FloatMut::F32(SharedMut::new(numbers)),
            Self::Bf16(numbers) => FloatMut::Bf16(SharedMut::new(numbers)),
        }
    }

    /// The same numbers as `f32`; nothing is done where they are.
    pub(crate) fn into_f32(self, level: Level) -> Vec<f32> {
        match self {
            Self::F32(numbers) => numbers,
            Self::Bf16(numbers) => {
                let mut out = uninitialised(numbers.len());
                convert(level, Floats::Bf16(&numbers), FloatMut::F32(SharedMut::new(&mut out)));
                out
            }
        }
    }

    /// The same numbers in a format; nothing is done where they are in it.
    pub(crate) fn into_format(self, level: Level, format: Precision) -> Self {
        if self.floats().format() == format { self } else { self.floats().to_format(level, format) }
    }
}

/// Where numbers are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatPtr {
    F32(*const f32),
    Bf16(*const bf16),
}

impl FloatPtr {
    /// `count` numbers further.
    #[inline(always)]
    pub(crate) fn add(self, count: usize) -> Self {
        match self {
            Self::F32(p) => Self::F32(p.wrapping_add(count)),
            Self::Bf16(p) => Self::Bf16(p.wrapping_add(count)),
        }
    }

    /// The numbers at `index` and after it, by how many are `left`; lanes past them are zero.
    ///
    /// # Safety
    /// The machine supports `S`, and the numbers exist.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(self, index: usize, left: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F32(p) => S::load_upto(p.wrapping_add(index), left),
                Self::Bf16(p) => S::load_bf16(p.wrapping_add(index), left.min(S::LANES)),
            }
        }
    }

    /// The number at `index`.
    ///
    /// # Safety
    /// It exists.
    #[inline(always)]
    pub(crate) unsafe fn get(self, index: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F32(p) => *p.add(index),
                Self::Bf16(p) => f32::from_bits(u32::from((*p.add(index)).to_bits()) << 16),
            }
        }
    }
}

/// Where threads write disjoint numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatMut {
    F32(SharedMut<f32>),
    Bf16(SharedMut<bf16>),
}

impl FloatMut {
    /// Stores the number of lanes that are `left`, or all, at `index`.
    ///
    /// # Safety
    /// The machine supports `S`; the numbers exist and are no other thread's.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(self, index: usize, left: usize, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F32(to) => S::store_upto(to.at(index), left, v),
                Self::Bf16(to) => S::store_bf16(to.at(index), left.min(S::LANES), v),
            }
        }
    }
}

/// Copies the `count` numbers at `from` to where they start at `index`, perhaps in another format.
///
/// # Safety
/// The machine supports `S`; both places hold the numbers, those written are no other thread's.
#[inline(always)]
pub(crate) unsafe fn copy_line<S: Simd>(from: FloatPtr, to: FloatMut, index: usize, count: usize) {
    for i in (0..count).step_by(S::LANES) {
        // SAFETY: the caller's promise.
        unsafe { to.store::<S>(index + i, count - i, from.load::<S>(i, count - i)) };
    }
}

/// Numbers of a chunk.
const CHUNK: usize = 1 << 14;

/// Copies all numbers to where they have another format, perhaps; there is room.
fn convert(level: Level, from: Floats<'_>, to: FloatMut) {
    struct Chunk {
        from: FloatPtr,
        to: FloatMut,
        start: usize,
        count: usize,
    }
    impl Kernel for Chunk {
        type Output = ();
        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            // SAFETY: passed on to the caller.
            unsafe { copy_line::<S>(self.from, self.to, self.start, self.count) };
        }
    }
    parallel::for_each(from.len().div_ceil(CHUNK), from.len(), |chunk| {
        let start = chunk * CHUNK;
        let count = CHUNK.min(from.len() - start);
        // SAFETY: the level is supported; chunks are disjoint parts of buffers of one length.
        unsafe { launch(level, Chunk { from: from.at(start), to, start, count }) };
    });
}
