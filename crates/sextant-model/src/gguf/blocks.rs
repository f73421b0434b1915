//! The number formats of GGUF tensors, as ggml defines them.

use half::{bf16, f16};

/// A number format that can be decoded here, by ggml's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// How many numbers a block of the K formats has.
const SUPER: usize = 256;

impl BlockType {
    /// The format with this number in ggml; `None` if it cannot be decoded here.
    pub(crate) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// How many numbers a block holds, and how many bytes it takes.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 2 + 16),
            Self::Q4_1 => (32, 4 + 16),
            Self::Q5_0 => (32, 2 + 4 + 16),
            Self::Q5_1 => (32, 4 + 4 + 16),
            Self::Q8_0 => (32, 2 + 32),
            Self::Q4K => (SUPER, 4 + 12 + 128),
            Self::Q5K => (SUPER, 4 + 12 + 32 + 128),
            Self::Q6K => (SUPER, 128 + 64 + 16 + 2),
        }
    }

    /// Decodes whole blocks.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let (numbers, size) = self.block();
        let mut values = Vec::with_capacity(bytes.len() / size * numbers);
        for block in bytes.chunks_exact(size) {
            match self {
                Self::F32 => {
                    values.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]]));
                }
                Self::F16 => values.push(half_at(block, 0)),
                Self::Bf16 => {
                    values.push(bf16::from_le_bytes([block[0], block[1]]).to_f32());
                }
                Self::Q4_0 => {
                    nibbles(&block[2..], |code| half_at(block, 0) * (code - 8.0), &mut values);
                }
                Self::Q4_1 => nibbles(
                    &block[4..],
                    |code| half_at(block, 0) * code + half_at(block, 2),
                    &mut values,
                ),
                Self::Q5_0 => {
                    fives(&block[2..], |code| half_at(block, 0) * (code - 16.0), &mut values);
                }
                Self::Q5_1 => fives(
                    &block[4..],
                    |code| half_at(block, 0) * code + half_at(block, 2),
                    &mut values,
                ),
                Self::Q8_0 => values.extend(
                    block[2..]
                        .iter()
                        .map(|&code| half_at(block, 0) * f32::from(code.cast_signed())),
                ),
                Self::Q4K => k4(block, &[0; 32], &block[16..], &mut values),
                Self::Q5K => {
                    let (high, low) = block[16..].split_at(32);
                    k4(block, high, low, &mut values);
                }
                Self::Q6K => k6(block, &mut values),
            }
        }
        values
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Decodes codes of 4 bits: first the low halves of all bytes, then the high halves.
fn nibbles(codes: &[u8], number: impl Fn(f32) -> f32, values: &mut Vec<f32>) {
    values.extend(codes.iter().map(|code| number(f32::from(code & 15))));
    values.extend(codes.iter().map(|code| number(f32::from(code >> 4))));
}

/// Decodes codes of 5 bits: four bytes hold the fifth bits of 32 codes, and the bytes after them the lower
/// four bits in the order of [`nibbles`].
fn fives(codes: &[u8], number: impl Fn(f32) -> f32, values: &mut Vec<f32>) {
    let high = u32::from_le_bytes([codes[0], codes[1], codes[2], codes[3]]);
    let low =
        codes[4..].iter().map(|code| code & 15).chain(codes[4..].iter().map(|code| code >> 4));
    let code = |(i, low): (usize, u8)| number(f32::from(low | (((high >> i & 1) as u8) << 4)));
    values.extend(low.enumerate().map(code));
}

/// Decodes a block of `Q4_K` or `Q5_K`: eight runs of 32 numbers, each run with a scale and an offset of 6
/// bits, which is subtracted. The fifth bit of number `i` of run `j` is bit `j` of byte `i` of `high`.
fn k4(block: &[u8], high: &[u8], low: &[u8], values: &mut Vec<f32>) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let packed = &block[4..16];
    for run in 0..8 {
        let (a, b) = if run < 4 {
            (packed[run] & 63, packed[run + 4] & 63)
        } else {
            (
                (packed[run + 4] & 15) | ((packed[run - 4] >> 6) << 4),
                (packed[run + 4] >> 4) | ((packed[run] >> 6) << 4),
            )
        };
        let (scale, least) = (scale * f32::from(a), least * f32::from(b));
        let codes = &low[run / 2 * 32..][..32];
        values.extend(codes.iter().zip(high).map(|(&code, &high)| {
            let code = if run % 2 == 0 { code & 15 } else { code >> 4 };
            scale * f32::from(code | ((high >> run & 1) << 4)) - least
        }));
    }
}

/// Decodes a block of `Q6_K`: sixteen runs of 16 numbers, each run with a signed scale. The block has two
/// halves of 128 numbers. Number `32 · q + i` of a half has its low four bits in byte `i + 32 · (q % 2)` of
/// the half's low bits, and its high two bits in bit pair `q` of byte `i` of the half's high bits.
fn k6(block: &[u8], values: &mut Vec<f32>) {
    let scale = half_at(block, 208);
    for half in 0..2 {
        let low = &block[64 * half..][..64];
        let high = &block[128 + 32 * half..][..32];
        let scales = &block[192 + 8 * half..][..8];
        for quarter in 0..4 {
            for i in 0..32 {
                let byte = low[i + 32 * (quarter % 2)];
                let code = if quarter < 2 { byte & 15 } else { byte >> 4 };
                let code = code | ((high[i] >> (2 * quarter) & 3) << 4);
                let step = f32::from(scales[2 * quarter + i / 16].cast_signed());
                values.push(scale * step * (f32::from(code) - 32.0));
            }
        }
    }
}
