//! Buffers of numbers in either of the formats that tensors have, `f32` and bf16.
//!
//! Activations are `f32`, or bf16 in a pass that multiplies in bf16. Kernels compute in `f32` registers and
//! read and write buffers of either format. The format is a property of each buffer, and is looked up at each
//! load and store.

use half::bf16;

use super::parallel::{self, Room, SharedMut};
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

    /// A pointer to the number at `index`, which is valid only if there are more than `index` numbers.
    pub(crate) fn at(self, index: usize) -> FloatPtr {
        let start = match self {
            Self::F32(numbers) => FloatPtr::F32(numbers.as_ptr()),
            Self::Bf16(numbers) => FloatPtr::Bf16(numbers.as_ptr()),
        };
        start.add(index)
    }

    /// A copy in the given format.
    pub(crate) fn to_format(self, level: Level, format: Precision) -> FloatVec {
        let mut out = FloatRoom::new(format, self.len());
        convert(level, self, out.shared());
        // SAFETY: `convert` wrote as many numbers as there is room for.
        unsafe { out.filled() }
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
#[derive(Clone, Debug)]
pub(crate) enum FloatVec {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl FloatVec {
    pub(crate) fn floats(&self) -> Floats<'_> {
        match self {
            Self::F32(numbers) => Floats::F32(numbers),
            Self::Bf16(numbers) => Floats::Bf16(numbers),
        }
    }

    /// The same numbers as `f32`, without a copy if they already are.
    pub(crate) fn into_f32(self, level: Level) -> Vec<f32> {
        match self {
            Self::F32(numbers) => numbers,
            Self::Bf16(numbers) => {
                let mut out = Room::new(numbers.len());
                convert(level, Floats::Bf16(&numbers), FloatMut::F32(out.shared()));
                // SAFETY: `convert` wrote as many numbers as there is room for.
                unsafe { out.filled() }
            }
        }
    }

    /// The same numbers in the given format, without a copy if they already have it.
    pub(crate) fn into_format(self, level: Level, format: Precision) -> Self {
        if self.floats().format() == format { self } else { self.floats().to_format(level, format) }
    }
}

/// [`Room`] for numbers in either format.
#[derive(Debug)]
pub(crate) enum FloatRoom {
    F32(Room<f32>),
    Bf16(Room<bf16>),
}

impl FloatRoom {
    pub(crate) fn new(format: Precision, len: usize) -> Self {
        match format {
            Precision::F32 => Self::F32(Room::new(len)),
            Precision::Bf16 => Self::Bf16(Room::new(len)),
        }
    }

    /// A pointer through which tasks write disjoint parts of the numbers.
    pub(crate) fn shared(&mut self) -> FloatMut {
        match self {
            Self::F32(room) => FloatMut::F32(room.shared()),
            Self::Bf16(room) => FloatMut::Bf16(room.shared()),
        }
    }

    /// The numbers, after all of them were written.
    ///
    /// # Safety
    /// All numbers were written.
    pub(crate) unsafe fn filled(self) -> FloatVec {
        // SAFETY: the caller promises that all numbers were written.
        unsafe {
            match self {
                Self::F32(room) => FloatVec::F32(room.filled()),
                Self::Bf16(room) => FloatVec::Bf16(room.filled()),
            }
        }
    }
}

/// A pointer to numbers that are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatPtr {
    F32(*const f32),
    Bf16(*const bf16),
}

impl FloatPtr {
    /// The pointer moved forward by `count` numbers.
    #[inline(always)]
    pub(crate) fn add(self, count: usize) -> Self {
        match self {
            Self::F32(p) => Self::F32(p.wrapping_add(count)),
            Self::Bf16(p) => Self::Bf16(p.wrapping_add(count)),
        }
    }

    /// The pointer to the memory, read as words of 32 bits.
    #[inline(always)]
    pub(crate) fn words(self) -> *const f32 {
        match self {
            Self::F32(p) => p,
            Self::Bf16(p) => p.cast(),
        }
    }

    /// A vector of the numbers from `index` on, of which `left` are left; lanes past them are zero.
    ///
    /// # Safety
    /// `left` numbers from `index` on can be read, or as many as a vector has lanes.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(self, simd: S, index: usize, left: usize) -> S::V {
        // SAFETY: the caller promises that `left` numbers, up to a vector, can be read, and no more are.
        unsafe {
            match self {
                Self::F32(p) => simd.load_upto(p.wrapping_add(index), left),
                Self::Bf16(p) => simd.load_bf16(p.wrapping_add(index), left.min(S::LANES)),
            }
        }
    }

    /// Asks for the number here to be brought into the cache, for a kernel that reads memory in pieces too short for the
    /// processor to see where the next one is. The pointer may lead anywhere.
    #[inline(always)]
    pub(crate) fn prefetch(self) {
        // SAFETY: the instruction is part of every x86-64 processor, and reads nothing that a program could see: an address
        // that is not mapped is left alone.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.words().cast());
        }
    }

    /// The number at `index`.
    ///
    /// # Safety
    /// The number can be read.
    #[inline(always)]
    pub(crate) unsafe fn get(self, index: usize) -> f32 {
        // SAFETY: the caller promises that the number can be read.
        unsafe {
            match self {
                Self::F32(p) => *p.add(index),
                Self::Bf16(p) => f32::from_bits(u32::from((*p.add(index)).to_bits()) << 16),
            }
        }
    }
}

/// A pointer to a buffer whose disjoint parts several threads write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatMut {
    F32(SharedMut<f32>),
    Bf16(SharedMut<bf16>),
}

impl FloatMut {
    /// Stores the first `left` lanes, or all lanes if `left` is larger, from `index` on.
    ///
    /// # Safety
    /// The buffer has room for these numbers, and no other thread accesses them.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(self, simd: S, index: usize, left: usize, v: S::V) {
        // SAFETY: the caller promises room for `left` numbers, up to a vector, that no other thread accesses,
        // and no more are written.
        unsafe {
            match self {
                Self::F32(to) => simd.store_upto(to.at(index), left, v),
                Self::Bf16(to) => simd.store_bf16(to.at(index), left.min(S::LANES), v),
            }
        }
    }
}

/// Copies `count` numbers from `from` to `to`, from `index` on, and converts them if the formats differ.
///
/// # Safety
/// `from` is valid for `count` numbers, and `to` has room for them from `index` on, which no other thread
/// accesses.
#[inline(always)]
pub(crate) unsafe fn copy_line<S: Simd>(
    simd: S,
    from: FloatPtr,
    to: FloatMut,
    index: usize,
    count: usize,
) {
    for i in (0..count).step_by(S::LANES) {
        // SAFETY: the caller promises `count` numbers that can be read, and room for as many that no other
        // thread accesses; `count - i` of them are left, and no more are touched.
        unsafe { to.store(simd, index + i, count - i, from.load(simd, i, count - i)) };
    }
}

/// The number of elements of a chunk.
const CHUNK: usize = 1 << 14;

/// Copies all numbers to `to`, which has room for them, and converts them if the formats differ.
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
        unsafe fn run<S: Simd>(self, simd: S) {
            // SAFETY: the caller promises that `from` can be read and `to` has room for the chunk, which no other
            // thread accesses.
            unsafe { copy_line(simd, self.from, self.to, self.start, self.count) };
        }
    }
    parallel::for_each(from.len().div_ceil(CHUNK), from.len(), |chunk| {
        let start = chunk * CHUNK;
        let count = CHUNK.min(from.len() - start);
        // SAFETY: `to` has room for all numbers of `from`, and chunks are disjoint parts of them.
        unsafe { launch(level, Chunk { from: from.at(start), to, start, count }) };
    });
}
