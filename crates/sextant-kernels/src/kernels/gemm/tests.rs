use proptest::prelude::*;

use super::*;
use crate::simd::{Level, TileWords};
use half::bf16;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    })
    .take(count)
    .collect()
}

fn view(data: Floats<'_>, rows: usize, columns: usize, turned: bool) -> Matrix<'_> {
    if turned { Matrix::rows(data, rows).transposed() } else { Matrix::rows(data, columns) }
}

/// The largest difference from a product in `f64`, per root of the depth.
fn error<P: Product>(
    level: Level,
    [rows, columns, depth]: [usize; 3],
    [turn_a, turn_b]: [bool; 2],
    round: fn(f32) -> f64,
) -> f64 {
    let a = numbers(rows * depth, 1);
    let b = numbers(depth * columns, 2);
    let bias = numbers(columns, 3);
    let (left, right) =
        (view(Floats::F32(&a), rows, depth, turn_a), view(Floats::F32(&b), depth, columns, turn_b));
    let packed = Packed::<P>::new(level, right, depth, columns);
    let mut c = vec![f32::NAN; rows * columns];
    multiply(rows, left, &packed, Init::Bias(&bias), &mut c, Epilogue::NONE);
    let element = |m: Matrix<'_>, i: usize, j: usize| {
        // SAFETY: `multiply` and `Packed::new` have checked that the matrix lies within its data, and `i` and `j`
        // are below its dimensions.
        round(unsafe { m.data.at(i * m.row + j * m.column).get(0) })
    };
    let mut worst = 0.0f64;
    for i in 0..rows {
        for j in 0..columns {
            let sum: f64 = (0..depth).map(|k| element(left, i, k) * element(right, k, j)).sum();
            let truth = sum + f64::from(bias[j]);
            worst = worst.max((f64::from(c[i * columns + j]) - truth).abs());
        }
    }
    worst / (depth as f64).sqrt()
}

/// Words of two bf16 numbers on every level, so that packing pairs is tested on machines without bf16
/// products too.
#[derive(Clone, Copy)]
struct Pairs;

impl Product for Pairs {
    const PLAIN: bool = false;
    const TILES: Option<TileWords> = None;
    fn per_word<S: Simd>() -> usize {
        2
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, acc: S::V, a: S::V, b: S::V) -> S::V {
        simd.dot_bf16(acc, a, b)
    }
}

fn check(level: Level, size: [usize; 3], turned: [bool; 2]) {
    let e = error::<F32>(level, size, turned, f64::from);
    assert!(e < 4e-6, "f32 {level:?} {size:?} {turned:?}: {e}");
    let e = error::<Bf16>(level, size, turned, |x| bf16::from_f32(x).to_f64());
    assert!(e < 4e-6, "bf16 {level:?} {size:?} {turned:?}: {e}");
    if level == Level::PORTABLE {
        let e = error::<Pairs>(level, size, turned, |x| bf16::from_f32(x).to_f64());
        assert!(e < 4e-6, "pairs {size:?} {turned:?}: {e}");
    }
}

/// Checks that bf16 factors give the sums of the same numbers as `f32`, rounded once to bf16. `shift` moves
/// the left factor within its buffer, so that its pairs of bf16 numbers are not aligned like words.
fn check_rounded(
    level: Level,
    [rows, columns, depth]: [usize; 3],
    [turn_a, turn_b]: [bool; 2],
    shift: usize,
    activation: Activation,
) {
    let some = |count: usize, seed: u64| -> Vec<bf16> {
        numbers(count, seed).into_iter().map(bf16::from_f32).collect()
    };
    let (a, b) = (some(rows * depth + shift, 1), some(depth * columns, 2));
    let bias = numbers(columns, 3);
    let left = view(Floats::Bf16(&a[shift..]), rows, depth, turn_a);
    let right = view(Floats::Bf16(&b), depth, columns, turn_b);
    let wide = |x: &[bf16]| -> Vec<f32> { x.iter().map(|x| x.to_f32()).collect() };
    let (wide_a, wide_b) = (wide(&a[shift..]), wide(&b));
    let exact = view(Floats::F32(&wide_b), depth, columns, turn_b);
    let exact = Packed::<Bf16>::new(level, exact, depth, columns);
    let mut sums = vec![f32::NAN; rows * columns];
    let wide_left = view(Floats::F32(&wide_a), rows, depth, turn_a);
    multiply(rows, wide_left, &exact, Init::Bias(&bias), &mut sums, Epilogue::NONE);

    let packed = Packed::<Bf16>::new(level, right, depth, columns);
    let mut y = FloatRoom::new(Precision::Bf16, rows * columns);
    let epilogue = Epilogue { activation, output: Some(y.shared()) };
    let z = product(rows, left, &packed, Some(&bias), Precision::Bf16, epilogue);
    let what = format!("{level:?} {rows}x{depth}x{columns} {turn_a} {turn_b} {shift}");
    let rounded: Vec<f32> = sums.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
    assert_eq!(z.into_f32(level), rounded, "{what}");
    // SAFETY: the epilogue writes the output of every block, and the blocks cover the whole product, so every
    // number of `y` was written.
    let y = unsafe { y.filled() }.into_f32(level);
    for (y, sum) in y.iter().zip(&sums) {
        let expected = sum / (1.0 + (-sum).exp());
        assert!((y - expected).abs() <= 1e-5 + expected.abs() / 256.0, "{what}: {y}, {expected}");
    }
}

#[test]
fn bf16_factors_and_results() {
    for level in Level::supported() {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            for (size, shift) in [([203, 97, 640], 0), ([203, 50, 333], 1), ([21, 33, 300], 1)] {
                check_rounded(level, size, turned, shift, Activation::Silu);
            }
        }
    }
}

#[test]
fn products_larger_than_every_block() {
    for level in Level::supported() {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            check(level, [131, 97, 1601], turned);
            check(level, [9, 400, 33], turned);
            // Rows that are 4 KiB apart are copied into groups.
            check(level, [27, 130, 1024], turned);
        }
        let bytes = [[false, false], [false, true]].map(|turned| ([27, 130, 2048], turned));
        for (size, turned) in bytes {
            check_rounded(level, size, turned, 0, Activation::Silu);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn ragged_products(
        rows in 1usize..40, columns in 1usize..70, depth in 1usize..70,
        turn_a: bool, turn_b: bool,
    ) {
        for level in Level::supported() {
            check(level, [rows, columns, depth], [turn_a, turn_b]);
        }
    }
}
