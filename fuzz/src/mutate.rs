//! Random changes of an input, for tests that coverage does not guide.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Numbers at which arithmetic is likely to go wrong.
const NUMBERS: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];
/// Pieces at which the reading of text is likely to go wrong.
const PIECES: [&[u8]; 12] = [
    b"\"",
    b"\\",
    b"{",
    b"[[[[",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"-1",
    b"1e999",
    b"null",
    b"99999999999999999999",
];

/// The input after one to four changes: bytes flipped, numbers and pieces put in, parts cut out, doubled or
/// taken from another input.
pub fn mutated(rng: &mut impl Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..64)).min(bytes.len());
        match rng.random_range(0..8) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.random();
                }
            }
            2 => {
                let number = NUMBERS.choose(rng).copied().unwrap_or_default().to_le_bytes();
                let width = [1, 2, 4, 8].choose(rng).copied().unwrap_or(1);
                for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
                    *byte = *new;
                }
            }
            3 => {
                let piece = PIECES.choose(rng).copied().unwrap_or_default();
                bytes.splice(at..at, piece.iter().copied());
            }
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            6 => bytes.truncate(at),
            _ => {
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    bytes
}
