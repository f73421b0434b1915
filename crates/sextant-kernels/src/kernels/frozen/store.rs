//! Converts numbers to their stored form, and the stored form to bytes and back.

use half::{bf16, f16};
use rayon::prelude::*;

use super::{BLOCK, Int4Block, Int8Block, Numbers};
use crate::FrozenFormat;

impl Numbers {
    /// Stores `[outputs][inputs]` numbers.
    pub(crate) fn store(values: &[f32], inputs: usize, format: FrozenFormat) -> Self {
        let outputs = values.par_chunks(inputs.max(1));
        match format {
            FrozenFormat::F32 => Self::F32(values.to_vec()),
            FrozenFormat::Bf16 => {
                Self::Bf16(values.par_iter().map(|&x| bf16::from_f32(x).to_bits()).collect())
            }
            FrozenFormat::Int8 => {
                Self::Int8(outputs.flat_map_iter(|row| row.chunks(BLOCK).map(int8)).collect())
            }
            FrozenFormat::Int4 => {
                Self::Int4(outputs.flat_map_iter(|row| row.chunks(BLOCK).map(int4)).collect())
            }
        }
    }

    pub(crate) fn zeros(inputs: usize, outputs: usize, format: FrozenFormat) -> Self {
        let (count, blocks) = (inputs * outputs, outputs * inputs.div_ceil(BLOCK));
        match format {
            FrozenFormat::F32 => Self::F32(vec![0.0; count]),
            FrozenFormat::Bf16 => Self::Bf16(vec![0; count]),
            FrozenFormat::Int8 => {
                Self::Int8(vec![Int8Block { scale: 0, codes: [0; BLOCK] }; blocks])
            }
            FrozenFormat::Int4 => {
                Self::Int4(vec![Int4Block { scale: 0, least: 0, codes: [0; BLOCK / 2] }; blocks])
            }
        }
    }

    pub(crate) fn byte_count(inputs: usize, outputs: usize, format: FrozenFormat) -> usize {
        let blocks = outputs * inputs.div_ceil(BLOCK);
        match format {
            FrozenFormat::F32 => 4 * inputs * outputs,
            FrozenFormat::Bf16 => 2 * inputs * outputs,
            FrozenFormat::Int8 => blocks * (2 + BLOCK),
            FrozenFormat::Int4 => blocks * (4 + BLOCK / 2),
        }
    }

    /// The stored form as little-endian bytes. Blocks are laid out like GGUF's `Q8_0` and `Q4_1`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let whole = self.pieces::<std::convert::Infallible>(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        match whole {
            Ok(()) => bytes,
            Err(never) => match never {},
        }
    }

    /// Calls `each` with the bytes of [`Numbers::to_bytes`] in order, some at a time.
    pub(crate) fn pieces<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        const COUNT: usize = 1 << 14;
        let mut piece: Vec<u8> = Vec::new();
        let mut send = |bytes: &mut dyn Iterator<Item = u8>| {
            piece.clear();
            piece.extend(bytes);
            each(&piece)
        };
        match self {
            Self::F32(numbers) => numbers
                .chunks(COUNT)
                .try_for_each(|part| send(&mut part.iter().flat_map(|x| x.to_le_bytes()))),
            Self::Bf16(numbers) => numbers
                .chunks(COUNT)
                .try_for_each(|part| send(&mut part.iter().flat_map(|bits| bits.to_le_bytes()))),
            Self::Int8(blocks) => blocks.chunks(COUNT).try_for_each(|part| {
                send(&mut part.iter().flat_map(|block| {
                    let codes = block.codes.map(i8::cast_unsigned);
                    block.scale.to_le_bytes().into_iter().chain(codes)
                }))
            }),
            Self::Int4(blocks) => blocks.chunks(COUNT).try_for_each(|part| {
                send(&mut part.iter().flat_map(|block| {
                    let scale = block.scale.to_le_bytes().into_iter();
                    scale.chain(block.least.to_le_bytes()).chain(block.codes)
                }))
            }),
        }
    }

    /// The inverse of [`Numbers::to_bytes`]; there are [`Numbers::byte_count`] bytes.
    pub(crate) fn from_bytes(
        bytes: &[u8],
        inputs: usize,
        outputs: usize,
        format: FrozenFormat,
    ) -> Self {
        let blocks = outputs * inputs.div_ceil(BLOCK);
        let short = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        match format {
            FrozenFormat::F32 => {
                let words = bytes.chunks_exact(4);
                Self::F32(words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            FrozenFormat::Bf16 => Self::Bf16(bytes.chunks_exact(2).map(short).collect()),
            FrozenFormat::Int8 => {
                let block = |bytes: &[u8]| Int8Block {
                    scale: short(bytes),
                    codes: std::array::from_fn(|i| bytes[2 + i].cast_signed()),
                };
                Self::Int8(bytes.chunks_exact(2 + BLOCK).take(blocks).map(block).collect())
            }
            FrozenFormat::Int4 => {
                let block = |bytes: &[u8]| Int4Block {
                    scale: short(bytes),
                    least: short(&bytes[2..]),
                    codes: std::array::from_fn(|i| bytes[4 + i]),
                };
                Self::Int4(bytes.chunks_exact(4 + BLOCK / 2).take(blocks).map(block).collect())
            }
        }
    }
}

/// Rounds up to [`BLOCK`] numbers to 8-bit codes. Codes cannot stand for infinity or NaN, so a block with a
/// number that is not finite gets a scale of NaN, and all of its numbers become NaN.
fn int8(values: &[f32]) -> Int8Block {
    if !values.iter().all(|x| x.is_finite()) {
        return Int8Block { scale: f16::NAN.to_bits(), codes: [0; BLOCK] };
    }
    let greatest = values.iter().fold(0.0f32, |greatest, x| greatest.max(x.abs()));
    let scale = f16::from_f32(greatest / 127.0);
    let inverse = inverse(scale.to_f32());
    let mut codes = [0; BLOCK];
    for (code, x) in codes.iter_mut().zip(values) {
        *code = (x * inverse).round().clamp(-127.0, 127.0) as i8;
    }
    Int8Block { scale: scale.to_bits(), codes }
}

/// Rounds up to [`BLOCK`] numbers to 4-bit codes. As in [`int8`], one number that is not finite makes all
/// numbers of its block NaN.
fn int4(values: &[f32]) -> Int4Block {
    if !values.iter().all(|x| x.is_finite()) {
        let nan = f16::NAN.to_bits();
        return Int4Block { scale: nan, least: nan, codes: [0; BLOCK / 2] };
    }
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let least = f16::from_f32(least);
    let scale = f16::from_f32((greatest - least.to_f32()) / 15.0);
    let inverse = inverse(scale.to_f32());
    let mut codes = [0; BLOCK / 2];
    for (i, x) in values.iter().enumerate() {
        let code = ((x - least.to_f32()) * inverse).round().clamp(0.0, 15.0) as u8;
        codes[i % (BLOCK / 2)] |= code << (4 * (i / (BLOCK / 2)));
    }
    Int4Block { scale: scale.to_bits(), least: least.to_bits(), codes }
}

/// `1 / scale`, or 0 for a block whose numbers are all equal.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
