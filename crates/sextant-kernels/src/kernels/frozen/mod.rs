//! Weights that training does not change, stored once and in few bits.
//!
//! The numbers are stored as `[outputs][inputs]`. Neither the weight nor its transpose needs a second copy:
//! a product decodes one panel of the factor that it needs, packs the panel, and multiplies all rows by it
//! ([`multiply`]). Decoding costs one pass over the weight for each pack, which is little beside the
//! multiplication of hundreds of rows.

mod multiply;
mod store;
#[cfg(test)]
mod tests;

use half::f16;
pub(crate) use multiply::{Base, Side, add_product, product};

use crate::FrozenFormat;

/// The number of consecutive inputs that share a scale.
const BLOCK: usize = 32;

/// The numbers of a weight, `[outputs][inputs]`; the last block of an output is padded.
#[derive(Debug)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
    Int8(Vec<Int8Block>),
    Int4(Vec<Int4Block>),
}

/// A block of 8-bit codes, which stand for the numbers `scale · code`. The scale is the bits of an f16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8Block {
    scale: u16,
    codes: [i8; BLOCK],
}

/// A block of 4-bit codes, which stand for the numbers `least + scale · code`. Byte `i` holds code `i` in its
/// low half and code `i + 16` in its high half; `scale` and `least` are the bits of an f16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int4Block {
    scale: u16,
    least: u16,
    codes: [u8; BLOCK / 2],
}

impl Int8Block {
    #[inline(always)]
    fn decode(&self, to: &mut [f32; BLOCK]) {
        let scale = f16_to_f32(self.scale);
        for (to, &code) in to.iter_mut().zip(&self.codes) {
            *to = scale * f32::from(code);
        }
    }
}

impl Int4Block {
    #[inline(always)]
    fn decode(&self, to: &mut [f32; BLOCK]) {
        let (scale, least) = (f16_to_f32(self.scale), f16_to_f32(self.least));
        let (low, high) = to.split_at_mut(BLOCK / 2);
        for ((low, high), &codes) in low.iter_mut().zip(high).zip(&self.codes) {
            *low = least + scale * f32::from(codes & 15);
            *high = least + scale * f32::from(codes >> 4);
        }
    }
}

/// The number that these bits of an f16 stand for. Unlike `f16::to_f32`, this does not detect the machine's
/// instructions at each call.
#[inline(always)]
fn f16_to_f32(bits: u16) -> f32 {
    f16::from_bits(bits).to_f32_const()
}

impl Numbers {
    pub(crate) fn format(&self) -> FrozenFormat {
        match self {
            Self::F32(_) => FrozenFormat::F32,
            Self::Bf16(_) => FrozenFormat::Bf16,
            Self::Int8(_) => FrozenFormat::Int8,
            Self::Int4(_) => FrozenFormat::Int4,
        }
    }

    /// Decodes the numbers of `to.len()` inputs of an output, from input `first` on. Each output has `inputs`
    /// inputs.
    #[inline(always)]
    pub(crate) fn decode(&self, inputs: usize, output: usize, first: usize, to: &mut [f32]) {
        let dense = output * inputs + first;
        let blocks = output * inputs.div_ceil(BLOCK);
        match self {
            Self::F32(numbers) => to.copy_from_slice(&numbers[dense..dense + to.len()]),
            Self::Bf16(numbers) => {
                for (to, &bits) in to.iter_mut().zip(&numbers[dense..]) {
                    *to = f32::from_bits(u32::from(bits) << 16);
                }
            }
            Self::Int8(all) => decode_blocks(&all[blocks..], first, to, Int8Block::decode),
            Self::Int4(all) => decode_blocks(&all[blocks..], first, to, Int4Block::decode),
        }
    }

    /// All numbers, `[outputs][inputs]`.
    pub(crate) fn decoded(&self, inputs: usize) -> Vec<f32> {
        let per_output = inputs.div_ceil(BLOCK).max(1);
        let outputs = match self {
            Self::F32(numbers) => numbers.len() / inputs.max(1),
            Self::Bf16(numbers) => numbers.len() / inputs.max(1),
            Self::Int8(blocks) => blocks.len() / per_output,
            Self::Int4(blocks) => blocks.len() / per_output,
        };
        let mut values = vec![0.0; outputs * inputs];
        for (output, to) in values.chunks_exact_mut(inputs.max(1)).enumerate() {
            self.decode(inputs, output, 0, to);
        }
        values
    }
}

/// Decodes `to.len()` numbers, from number `first` on, from the blocks of one output.
#[inline(always)]
fn decode_blocks<B>(
    blocks: &[B],
    first: usize,
    to: &mut [f32],
    decode: impl Fn(&B, &mut [f32; BLOCK]),
) {
    let mut block = first / BLOCK;
    let mut skip = first % BLOCK;
    let mut done = 0;
    let mut numbers = [0.0; BLOCK];
    while done < to.len() {
        decode(&blocks[block], &mut numbers);
        let count = (BLOCK - skip).min(to.len() - done);
        to[done..done + count].copy_from_slice(&numbers[skip..skip + count]);
        (block, skip, done) = (block + 1, 0, done + count);
    }
}
