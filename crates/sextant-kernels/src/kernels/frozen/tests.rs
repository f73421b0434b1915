use proptest::prelude::*;

use super::*;
use crate::Activation::None as NONE;
use crate::kernels::gemm::{self, Bf16, Epilogue, F32, Init, Matrix, Packed, Product};
use crate::simd::{self, Level};

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

/// The product of the decoded weight, by the dense kernel.
#[expect(clippy::too_many_arguments, reason = "as the function that it checks")]
fn dense<P: Product>(
    level: Level,
    rows: usize,
    a: &[f32],
    weight: &[f32],
    [inputs, outputs]: [usize; 2],
    side: Side,
    init: Init<'_>,
    c: &mut [f32],
) {
    let by_outputs = Matrix::rows(weight, inputs);
    let (matrix, depth, columns) = match side {
        Side::Weight => (by_outputs.transposed(), inputs, outputs),
        Side::Turned => (by_outputs, outputs, inputs),
    };
    let packed = Packed::<P>::new(level, matrix, depth, columns);
    gemm::multiply(rows, Matrix::rows(a, depth), &packed, init, c, Epilogue::NONE);
}

fn check<P: Product>(level: Level, format: FrozenFormat, rows: usize, dims: [usize; 2], seed: u32) {
    let [inputs, outputs] = dims;
    let stored = Numbers::store(&numbers(inputs * outputs, seed), inputs, format);
    let decoded = stored.decoded(inputs);
    for side in [Side::Weight, Side::Turned] {
        let (depth, columns) = match side {
            Side::Weight => (inputs, outputs),
            Side::Turned => (outputs, inputs),
        };
        let a = numbers(rows * depth, seed + 1);
        let bias = numbers(columns, seed + 2);
        for init in [Init::Zero, Init::Bias(&bias), Init::Accumulate] {
            let mut ours = numbers(rows * columns, seed + 3);
            let mut theirs = ours.clone();
            let (a_floats, base) = ((&a).into(), Base { weight: &stored, dims });
            match init {
                Init::Zero => ours = product::<P>(level, rows, a_floats, base, side, None, NONE),
                Init::Bias(bias) => {
                    ours = product::<P>(level, rows, a_floats, base, side, Some(bias), NONE);
                }
                Init::Accumulate => {
                    add_product::<P>(level, rows, a_floats, base, side, &mut ours);
                }
            }
            dense::<P>(level, rows, &a, &decoded, dims, side, init, &mut theirs);
            assert_eq!(ours, theirs, "{format} {level:?} {side:?} {rows} rows {dims:?}");
        }
    }
}

fn levels() -> Vec<Level> {
    Level::supported()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Decoding one panel at a time gives the same bits as a product with the whole decoded weight.
    #[test]
    fn products_equal_those_of_the_decoded_weight(
        rows in 1usize..40, inputs in 1usize..130, outputs in 1usize..130, seed in 0u32..1000,
    ) {
        for level in levels() {
            for format in FrozenFormat::ALL {
                check::<F32>(level, format, rows, [inputs, outputs], seed);
                check::<Bf16>(level, format, rows, [inputs, outputs], seed);
            }
        }
    }

    #[test]
    fn bytes_come_back(inputs in 1usize..100, outputs in 1usize..5, seed in 0u32..1000) {
        for format in FrozenFormat::ALL {
            let stored = Numbers::store(&numbers(inputs * outputs, seed), inputs, format);
            let bytes = stored.to_bytes();
            prop_assert_eq!(bytes.len(), Numbers::byte_count(inputs, outputs, format));
            let back = Numbers::from_bytes(&bytes, inputs, outputs, format);
            prop_assert_eq!(back.decoded(inputs), stored.decoded(inputs));
            // Storing the decoded numbers again changes them by little more.
            let again = Numbers::store(&stored.decoded(inputs), inputs, format);
            for (x, y) in again.decoded(inputs).iter().zip(stored.decoded(inputs)) {
                prop_assert!((x - y).abs() < 2e-3, "{} {} {}", format, x, y);
            }
        }
    }

    /// Parts of a row decode as the whole row does.
    #[test]
    fn parts_decode_alike(first in 0usize..90, count in 1usize..90, seed in 0u32..1000) {
        let inputs = first + count + 3;
        for format in FrozenFormat::ALL {
            let stored = Numbers::store(&numbers(2 * inputs, seed), inputs, format);
            let mut part = vec![0.0; count];
            stored.decode(inputs, 1, first, &mut part);
            prop_assert_eq!(&part[..], &stored.decoded(inputs)[inputs + first..][..count]);
        }
    }
}

/// Checks products whose depth takes more than one pass.
#[test]
fn deep_products() {
    for format in FrozenFormat::ALL {
        check::<F32>(simd::level(), format, 9, [1700, 50], 7);
        check::<Bf16>(simd::level(), format, 9, [50, 1700], 8);
    }
}

/// Checks how far decoded numbers are from the original numbers, which are in [-0.5, 0.5].
#[test]
fn rounding_is_bounded() {
    let values = numbers(32 * 200, 5);
    // The bounds are half a step, which is a bf16 ulp below 0.5, 0.5 / 127, or 1 / 15. The assertion allows a
    // little more, because scales are rounded to f16.
    let bounds = [0.0, 0.5 / 512.0, 0.5 * 0.5 / 127.0, 0.5 / 15.0];
    for (format, bound) in FrozenFormat::ALL.into_iter().zip(bounds) {
        let decoded = Numbers::store(&values, 32, format).decoded(32);
        let worst = values.iter().zip(decoded).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(worst <= bound * 1.02, "{format}: {worst} of {bound}");
    }
    let equal = Numbers::store(&[0.25; 40], 40, FrozenFormat::Int4);
    assert_eq!(equal.decoded(40), [0.25; 40]);
    let zeros = Numbers::store(&[0.0; 40], 40, FrozenFormat::Int8);
    assert_eq!(zeros.decoded(40), [0.0; 40]);
}
