//! Moments between their stored form and `f32`.

mod dynamic_code;

use half::bf16;

use super::parallel::SharedMut;
use crate::dropout::Dropout;
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{Moment, MomentNumbers, Moments};
use dynamic_code::{DynamicCode, POSITIVE, SIGNED};

/// The stored numbers of one moment, whose disjoint lines several threads change.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    F32(SharedMut<f32>),
    Bf16(SharedMut<bf16>),
    Int8 { codes: SharedMut<u8>, scales: SharedMut<f32> },
}

impl Numbers {
    fn new(numbers: &mut MomentNumbers) -> Self {
        match numbers {
            MomentNumbers::F32(numbers) => Self::F32(SharedMut::new(numbers)),
            MomentNumbers::Bf16(numbers) => Self::Bf16(SharedMut::new(numbers)),
            MomentNumbers::Int8 { codes, scales } => {
                Self::Int8 { codes: SharedMut::new(codes), scales: SharedMut::new(scales) }
            }
        }
    }
}

/// Moments whose disjoint spans several threads change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedMoments {
    first: Numbers,
    second: Numbers,
    width: usize,
    block: usize,
}

/// Numbers of one line, from the beginning of a block on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The line.
    pub(crate) line: usize,
    /// The index of the first number in the line: a multiple of the size of a block.
    pub(crate) start: usize,
    /// How many numbers there are: whole blocks, unless the line ends before.
    pub(crate) count: usize,
}

impl SharedMoments {
    pub(crate) fn new(moments: &mut Moments) -> Self {
        let Moments { width, first, second, .. } = moments;
        let (first, second) = (Numbers::new(first), Numbers::new(second));
        Self { first, second, width: *width, block: Moments::block(*width) }
    }

    /// How many numbers a span has whose `f32` numbers stay in the nearest cache.
    pub(crate) fn span(self) -> usize {
        (2048 / self.block).max(1) * self.block
    }

    /// All spans of `lines` lines, each with the index of its first number.
    pub(crate) fn spans(self, lines: usize) -> impl Iterator<Item = (Span, usize)> {
        let (width, length) = (self.width, self.span());
        (0..lines).flat_map(move |line| {
            (0..width).step_by(length).map(move |start| {
                let span = Span { line, start, count: length.min(width - start) };
                (span, line * width + start)
            })
        })
    }

    /// Pointers to both moments of a span, if they are stored as `f32`.
    pub(crate) fn floats(self, span: Span) -> Option<[*mut f32; 2]> {
        let start = span.line * self.width + span.start;
        match (self.first, self.second) {
            (Numbers::F32(first), Numbers::F32(second)) => {
                Some([first.at(start), second.at(start)])
            }
            _ => None,
        }
    }

    /// Writes the numbers of a span to `out`, which has as many.
    ///
    /// # Safety
    /// The span is one of the moments, which are alive, and nothing writes to it meanwhile.
    pub(crate) unsafe fn read(self, level: Level, moment: Moment, span: Span, out: &mut [f32]) {
        // SAFETY: the caller promises what `stored` asks for. The kernel holds slices only.
        unsafe { launch(level, Decode { moment, from: self.stored(moment, span), out }) };
    }

    /// Stores numbers in a span, which has as many. `step` and `index`, that of the first number in its
    /// parameter, decide how they are rounded where that is random.
    ///
    /// # Safety
    /// The span is one of the moments, which are alive, and nothing else accesses it meanwhile.
    pub(crate) unsafe fn write(
        self,
        level: Level,
        moment: Moment,
        span: Span,
        values: &[f32],
        [step, index]: [u64; 2],
    ) {
        let key = Dropout { probability: 0.0, seed: step }.row_key(index as usize);
        // SAFETY: the caller promises what `stored` asks for. The kernel holds slices only.
        unsafe {
            let to = self.stored(moment, span);
            launch(level, Encode { moment, values, to, random: |i| key.hash(i) });
        }
    }

    /// The stored numbers of a span.
    ///
    /// # Safety
    /// The span is one of the moments, which are alive for as long as the result is used, and nothing else
    /// writes to it meanwhile.
    unsafe fn stored<'a>(self, moment: Moment, span: Span) -> Stored<'a> {
        let start = span.line * self.width + span.start;
        let block = span.line * Moments::blocks(self.width) + span.start / self.block;
        let numbers = match moment {
            Moment::First => self.first,
            Moment::Second => self.second,
        };
        // SAFETY: the caller promises that the span's numbers exist and that nothing else accesses them. The
        // numbers from `start` on and the scales from `block` on are the span's own, because a span begins
        // with a block and ends with one or with its line.
        unsafe {
            match numbers {
                Numbers::F32(all) => {
                    Stored::F32(std::slice::from_raw_parts_mut(all.at(start), span.count))
                }
                Numbers::Bf16(all) => {
                    Stored::Bf16(std::slice::from_raw_parts_mut(all.at(start), span.count))
                }
                Numbers::Int8 { codes, scales } => Stored::Int8 {
                    codes: std::slice::from_raw_parts_mut(codes.at(start), span.count),
                    scales: std::slice::from_raw_parts_mut(
                        scales.at(block),
                        span.count.div_ceil(self.block),
                    ),
                    block: self.block,
                },
            }
        }
    }
}

/// Both moments as `f32`.
pub(crate) fn read(level: Level, moments: &mut Moments) -> [Vec<f32>; 2] {
    let mut out =
        [Moment::First, Moment::Second].map(|_| vec![0.0; moments.lines() * moments.width()]);
    let place = SharedMoments::new(moments);
    for (span, index) in place.spans(moments.lines()) {
        for (moment, out) in [Moment::First, Moment::Second].into_iter().zip(&mut out) {
            // SAFETY: the spans are those of the moments, which are borrowed here.
            unsafe { place.read(level, moment, span, &mut out[index..index + span.count]) };
        }
    }
    out
}

/// Stores both moments, after step `step`.
pub(crate) fn write(level: Level, moments: &mut Moments, values: &[Vec<f32>; 2], step: u64) {
    let place = SharedMoments::new(moments);
    for (span, index) in place.spans(moments.lines()) {
        for (moment, values) in [Moment::First, Moment::Second].into_iter().zip(values) {
            let (values, key) = (&values[index..index + span.count], [step, index as u64]);
            // SAFETY: the spans are those of the moments, which are borrowed here.
            unsafe { place.write(level, moment, span, values, key) };
        }
    }
}

/// The stored numbers of a span.
enum Stored<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    Int8 { codes: &'a mut [u8], scales: &'a mut [f32], block: usize },
}

/// The code of a moment's numbers.
#[inline(always)]
fn code(moment: Moment) -> &'static DynamicCode {
    match moment {
        Moment::First => &SIGNED,
        Moment::Second => &POSITIVE,
    }
}

struct Decode<'a> {
    moment: Moment,
    from: Stored<'a>,
    out: &'a mut [f32],
}

impl Kernel for Decode<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) {
        match self.from {
            Stored::F32(from) => self.out.copy_from_slice(from),
            Stored::Bf16(from) => {
                for (out, from) in self.out.iter_mut().zip(from) {
                    *out = f32::from_bits(u32::from(from.to_bits()) << 16);
                }
            }
            Stored::Int8 { codes, scales, block } => {
                let code = code(self.moment);
                let blocks = self.out.chunks_mut(block).zip(codes.chunks(block));
                for ((out, codes), &mut scale) in blocks.zip(scales) {
                    for (out, &byte) in out.iter_mut().zip(codes) {
                        *out = code.value(byte) * scale;
                    }
                    if self.moment == Moment::Second {
                        for out in out {
                            *out *= *out;
                        }
                    }
                }
            }
        }
    }
}

struct Encode<'a, R> {
    moment: Moment,
    values: &'a [f32],
    to: Stored<'a>,
    /// A random number for each index.
    random: R,
}

impl<R: Fn(u32) -> u32> Kernel for Encode<'_, R> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) {
        match (self.to, self.moment) {
            (Stored::F32(to), _) => to.copy_from_slice(self.values),
            (Stored::Bf16(to), Moment::First) => {
                for (to, &value) in to.iter_mut().zip(self.values) {
                    *to = bf16::from_f32(value);
                }
            }
            (Stored::Bf16(to), Moment::Second) => {
                for (i, (to, &value)) in to.iter_mut().zip(self.values).enumerate() {
                    // A random number is added to the bits that are cut off. Those of NaN stay, and infinity
                    // has none.
                    let random = if value.is_nan() { 0 } else { (self.random)(i as u32) & 0xffff };
                    let quiet = if value.is_nan() { 0x40_0000 } else { 0 };
                    *to = bf16::from_bits((((value.to_bits() | quiet) + random) >> 16) as u16);
                }
            }
            (Stored::Int8 { codes, scales, block }, moment) => {
                let code = code(moment);
                let blocks = self.values.chunks(block).zip(codes.chunks_mut(block));
                for ((values, codes), scale) in blocks.zip(scales) {
                    let root = |x: f32| if moment == Moment::Second { x.sqrt() } else { x };
                    // Compared as integers, NaN is of the greatest magnitude and becomes the scale.
                    let greater = |a: f32, b: f32| {
                        if b.abs().to_bits() > a.abs().to_bits() { b } else { a }
                    };
                    let greatest = root(values.iter().copied().fold(0.0, greater));
                    // Quotients by a subnormal scale are inexact; a block of such numbers is zero.
                    *scale = if greatest.abs() < f32::MIN_POSITIVE { 0.0 } else { greatest };
                    let divisor = if *scale == 0.0 { 1.0 } else { *scale };
                    for (byte, &value) in codes.iter_mut().zip(values) {
                        *byte = code.nearest(root(value) / divisor);
                    }
                }
            }
        }
    }
}
