//! The 8-bit code of dynamic quantisation.

use std::sync::LazyLock;

/// How many powers of ten a code spans.
const DECADES: i32 = 7;
/// The value that stands in the place of zero where no code may mean zero.
const LEAST: f32 = 1e-7;
/// The exponent, as `f32` stores it, below which all magnitudes have the least code: that of `2^-24`.
const LOWEST: u32 = 127 - 24;
/// A cell holds the magnitudes that agree in their exponent and in the first seven bits of their mantissa, so
/// that at most one boundary between two codes lies in it.
const CELLS: usize = 24 * 128 + 1;

/// 256 numbers of magnitude at most 1: in each power of ten, twice as many as in the one below it (Dettmers et
/// al. 2022, section 2.2; the values are those of `create_dynamic_map` of bitsandbytes).
#[derive(Debug)]
pub(crate) struct DynamicCode {
    /// The value of each code, ascending.
    values: [f32; 256],
    /// The code of zero, or of the least magnitude.
    zero: u8,
    /// For each magnitude, the boundary above which the next one is nearer.
    bounds: [f32; 256],
    /// For each cell, the magnitude that is nearest to its least number.
    first: Vec<u8>,
}

/// The code with a sign.
pub(crate) static SIGNED: LazyLock<DynamicCode> = LazyLock::new(|| DynamicCode::new(true));
/// The code of numbers that are above zero. None of its values is zero.
pub(crate) static POSITIVE: LazyLock<DynamicCode> = LazyLock::new(|| DynamicCode::new(false));

impl DynamicCode {
    fn new(signed: bool) -> Self {
        let mut magnitudes = vec![if signed { 0.0 } else { f64::from(LEAST) }];
        for decade in 0..DECADES {
            // The means of the ends of equal parts of the interval from 0.1 to 1, times a power of ten.
            let parts = 1 << if signed { decade } else { decade + 1 };
            let width = 0.9 / f64::from(parts);
            let ten = 10f64.powi(decade + 1 - DECADES);
            magnitudes.extend((0..parts).map(|part| ten * (0.1 + width * (f64::from(part) + 0.5))));
        }
        magnitudes.push(1.0);
        let zero = if signed { magnitudes.len() - 2 } else { 0 };
        let mut values = [0.0; 256];
        for (index, &magnitude) in magnitudes.iter().enumerate() {
            values[zero + index] = magnitude as f32;
            // Below zero there is no code for -1: a block's number of greatest magnitude is its scale.
            if signed && index < magnitudes.len() - 1 {
                values[zero - index] = -magnitude as f32;
            }
        }
        values[zero] = magnitudes[0] as f32;
        let mut bounds = [f32::INFINITY; 256];
        for (bound, pair) in bounds.iter_mut().zip(magnitudes.windows(2)) {
            *bound = f64::midpoint(pair[0], pair[1]) as f32;
        }
        let first = (0..CELLS as u32)
            .map(|cell| {
                let least = f32::from_bits((LOWEST << 23) + (cell << 16));
                bounds.iter().position(|&bound| least <= bound).unwrap_or(255) as u8
            })
            .collect();
        Self { values, zero: zero as u8, bounds, first }
    }

    /// The value of a code.
    #[inline(always)]
    pub(crate) fn value(&self, code: u8) -> f32 {
        self.values[usize::from(code)]
    }

    /// The code of the value that is nearest to `x`, which is at most 1 in magnitude; of two, the one of lesser
    /// magnitude.
    #[inline(always)]
    pub(crate) fn nearest(&self, x: f32) -> u8 {
        let magnitude = x.abs();
        let cell = (magnitude.to_bits() >> 16).saturating_sub(LOWEST << 7);
        let index = self.first[(cell as usize).min(CELLS - 1)];
        let index = index + u8::from(magnitude > self.bounds[usize::from(index)]);
        if x < 0.0 { self.zero - index.min(self.zero) } else { self.zero + index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_paper() {
        for (code, zeros, ones) in [(&SIGNED, 1, 1), (&POSITIVE, 0, 1)] {
            assert!(code.values.windows(2).all(|pair| pair[0] < pair[1]));
            let count = |x: f32| code.values.iter().filter(|&&value| value == x).count();
            assert_eq!((count(0.0), count(1.0), code.values[255]), (zeros, ones, 1.0));
        }
        // Worked by hand: the lowest power of ten of the signed code has the one value 0.55, the next the two
        // values 0.325 and 0.775.
        for (steps, value) in [(1, 5.5e-7), (2, 3.25e-6), (3, 7.75e-6)] {
            assert!((SIGNED.value(127 + steps) / value - 1.0).abs() < 1e-6);
            assert_eq!(SIGNED.value(127 - steps), -SIGNED.value(127 + steps));
        }
        assert_eq!((POSITIVE.value(0), SIGNED.value(127)), (LEAST, 0.0));
    }

    /// A number on either side of every boundary, every cell's least number, and what lies outside.
    #[test]
    fn the_nearest_value_is_found() {
        let cells = (0..CELLS as u32 + 200)
            .map(|cell| f32::from_bits(((LOWEST << 23) + (cell << 16)).saturating_sub(100 << 16)));
        for code in [&*SIGNED, &*POSITIVE] {
            let near = |&bound: &f32| [bound, bound.next_up(), bound.next_down()];
            let numbers = cells.clone().chain(code.bounds.iter().flat_map(near)).chain([0.0]);
            for magnitude in numbers.filter(|&x| x <= 1.0) {
                let both = [magnitude, if code.zero == 0 { magnitude } else { -magnitude }];
                for x in both {
                    let distance = |code: &f32| (f64::from(*code) - f64::from(x)).abs();
                    let least = code.values.iter().map(distance).fold(f64::MAX, f64::min);
                    let found = distance(&code.value(code.nearest(x)));
                    // Boundaries are rounded to `f32`.
                    assert!(
                        found <= least + 2e-7 * f64::from(magnitude),
                        "{x}: {found} is not {least}"
                    );
                }
            }
            for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, -3.0] {
                let _ = code.nearest(x); // whatever it is, it is a code
            }
        }
    }
}
