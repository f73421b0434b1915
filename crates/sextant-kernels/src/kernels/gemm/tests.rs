use proptest::prelude::*;

use super::*;
use crate::simd::Level;
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
    let view = |data, rows, columns, turned| {
        if turned { Matrix::rows(data, rows).transposed() } else { Matrix::rows(data, columns) }
    };
    let (left, right) = (view(&a, rows, depth, turn_a), view(&b, depth, columns, turn_b));
    let packed = Packed::<P>::new(level, right, depth, columns);
    let mut c = vec![f32::NAN; rows * columns];
    multiply(rows, left, &packed, Init::Bias(&bias), &mut c, Epilogue::NONE);
    let element = |m: Matrix<'_>, i: usize, j: usize| {
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

/// Pairs of bf16 numbers also on a level that would not pair them, so that packing pairs is tested
/// on machines without bf16 products.
#[derive(Clone, Copy)]
struct Pairs;

impl Product for Pairs {
    const PLAIN: bool = false;
    fn per_word<S: Simd>() -> usize {
        2
    }
    #[inline(always)]
    unsafe fn dot<S: Simd>(acc: S::V, a: S::V, b: S::V) -> S::V {
        // SAFETY: passed on to the caller.
        unsafe { S::dot_bf16(acc, a, b) }
    }
}

fn check(level: Level, size: [usize; 3], turned: [bool; 2]) {
    let e = error::<F32>(level, size, turned, f64::from);
    assert!(e < 4e-6, "f32 {level:?} {size:?} {turned:?}: {e}");
    let e = error::<Bf16>(level, size, turned, |x| bf16::from_f32(x).to_f64());
    assert!(e < 4e-6, "bf16 {level:?} {size:?} {turned:?}: {e}");
    if level == Level::Portable {
        let e = error::<Pairs>(level, size, turned, |x| bf16::from_f32(x).to_f64());
        assert!(e < 4e-6, "pairs {size:?} {turned:?}: {e}");
    }
}

#[test]
fn products_larger_than_every_block() {
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            check(level, [131, 97, 1601], turned);
            check(level, [9, 400, 33], turned);
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
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            check(level, [rows, columns, depth], [turn_a, turn_b]);
        }
    }
}
