//! Decoding stored bytes to numbers, and finding numbers that are not finite.

use half::{bf16, f16};
use safetensors::Dtype;

/// The index of the first value that is infinite or not a number.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Whole runs of numbers are checked without a branch for each number.
    const RUN: usize = 1024;
    let run = values
        .chunks(RUN)
        .position(|run| run.iter().fold(false, |found, x| found | !x.is_finite()))?;
    let start = run * RUN;
    values[start..].iter().position(|x| !x.is_finite()).map(|place| start + place)
}

/// The index of the first value that is infinite or not a number, among values given as `f16` bits.
pub(crate) fn first_not_finite_f16(mut bits: impl Iterator<Item = u16>) -> Option<usize> {
    bits.position(|bits| !f16::from_bits(bits).is_finite())
}

/// Converts a row-major place in a tensor of this shape to an index in each dimension.
pub(crate) fn index(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, &size) in index.iter_mut().zip(shape).rev() {
        *at = place % size.max(1);
        place /= size.max(1);
    }
    index
}

/// Decodes the little-endian bytes of an `f32`, `f16` or `bf16` tensor.
pub(crate) fn floats(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    let words = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match dtype {
        Dtype::F16 => words.map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => words.map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_number_is_found_wherever_it_is() {
        for length in [1, 7, 1023, 1024, 1025, 4000] {
            let mut values = vec![f32::MAX; length];
            assert_eq!(first_not_finite(&values), None);
            for place in [0, length / 2, length - 1] {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let old = std::mem::replace(&mut values[place], bad);
                    assert_eq!(first_not_finite(&values), Some(place));
                    values[place] = old;
                }
            }
        }
        assert_eq!(index(7, &[2, 5]), [1, 2]);
        assert_eq!(index(3, &[4]), [3]);
    }
}
