//! Attention whose scores are capped, or changed by relative positions.

use crate::inputs::{Inputs, bound_of, kept, random, some_dropout, values};
use crate::nonfinite::{nans, with};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    AttentionSpec, Mask, Precision, RelativePositions, Segments, capped_attention,
    relative_attention,
};

fn check_capped(lengths: &[usize], spec: &AttentionSpec, cap: f32, precision: Precision) {
    let segments = Segments::from_lengths(lengths).unwrap();
    let what = format!("{lengths:?} {spec:?} {cap} {precision}");
    let inputs = Inputs::new(&[[segments.tokens(), spec.qkv_width()]], &[]);
    inputs.check("capped_attention", &what, bound_of(precision, 2e-5), |t| {
        capped_attention(kept(t.matrices[0].clone(), precision), &segments, spec, cap)
    });
}

/// The shapes of the inputs of an attention with relative positions.
pub(crate) fn shapes(
    segments: &Segments,
    spec: &AttentionSpec,
    positions: &RelativePositions,
) -> [[usize; 2]; 2] {
    let used = positions.used(segments.max_len()).count();
    [[segments.tokens(), spec.qkv_width()], [used, 2 * spec.width()]]
}

fn check_relative(
    lengths: &[usize],
    spec: &AttentionSpec,
    positions: RelativePositions,
    precision: Precision,
) {
    let segments = Segments::from_lengths(lengths).unwrap();
    let what = format!("{lengths:?} {spec:?} {positions:?} {precision}");
    let [qkv, table] = shapes(&segments, spec, &positions);
    let [first, second] = [qkv, table].map(|[rows, columns]| rows * columns);
    // One input holds both tensors, so that the larger of their gradients sets the scale of what may differ.
    // The gradient of the table is a sum of differences whose terms are as large as the gradient of qkv.
    // Where every token attends only to itself, the true sum is zero, and both sides compute only the
    // rounding errors of these terms.
    Inputs::new(&[[1, first + second]], &[]).check(
        "relative_attention",
        &what,
        bound_of(precision, 2e-5),
        |t| {
            let both = t.matrices[0].clone();
            let x = both.clone().narrow(1, 0, first).reshape(qkv);
            // a table with numbers as large as those of qkv would make scores of some tens
            let table = both.narrow(1, first, second).reshape(table) * 0.5;
            let (x, table) = (kept(x, precision), kept(table, precision));
            relative_attention(x, table, &segments, spec, &positions)
        },
    );
}

/// Several blocks of queries and of keys, and rows for every chunk of the table's gradient.
#[test]
fn encoder_sizes() {
    let lengths = [3, 150, 1, 17, 70, 28, 64, 65, 2, 31, 129, 150, 140, 9];
    let spec = AttentionSpec { dropout: some_dropout(true), ..AttentionSpec::new(3, 24) };
    let window = Mask::SlidingWindow { before: 40, after: 3 };
    for precision in Precision::ALL {
        for mask in [Mask::Bidirectional, window] {
            let spec = AttentionSpec { mask, ..spec };
            check_relative(&lengths, &spec, RelativePositions::new(64, Some(256)), precision);
        }
        let spec = AttentionSpec { heads: 4, kv_heads: 2, mask: window, ..spec };
        check_capped(&lengths, &spec, 0.8, precision);
    }
    let long = AttentionSpec::new(2, 64);
    let positions = RelativePositions::new(16, None);
    check_relative(&[200, 300, 7, 210, 205], &long, positions, Precision::F32);
}

/// A NaN in `qkv` affects only its own row of the pack, and a NaN in the table only rows that are long
/// enough to use its position.
#[test]
fn what_is_no_number_stays_so() {
    let segments = Segments::from_lengths(&[5, 70, 1, 40]).unwrap();
    let spec = AttentionSpec::new(2, 20);
    let positions = RelativePositions::new(64, Some(256));
    let [x, table] = shapes(&segments, &spec, &positions).map(|s| random(s, &Device::flex()));
    for level in Level::supported() {
        let relative = |x: Tensor<2>, table: Tensor<2>| {
            values(with_level(level, || {
                relative_attention(x, table * 0.3, &segments, &spec, &positions)
            }))
        };
        let capped =
            |x: Tensor<2>| values(with_level(level, || capped_attention(x, &segments, &spec, 3.0)));
        let rows = |y: &[f32]| y.chunks(spec.width()).map(<[f32]>::to_vec).collect::<Vec<_>>();
        // the tokens of the result that hold NaN; all other tokens are unchanged
        let touched = |found: Vec<f32>, clean: &[f32]| -> Vec<usize> {
            let pairs = rows(&found).into_iter().zip(rows(clean)).enumerate();
            let changed = pairs.filter(|(_, (y, before))| y != before);
            changed
                .map(|(token, (y, _))| {
                    assert!(y.iter().any(|y| y.is_nan()), "{level:?} token {token}: {y:?}");
                    token
                })
                .collect()
        };
        let clean = [relative(x.clone(), table.clone()), capped(x.clone())];
        assert!(clean.iter().flatten().all(|y| y.is_finite()));
        let (row, token): (Vec<usize>, usize) = ((5..75).collect(), 45);
        for (part, nan) in nans().into_iter().take(3).enumerate() {
            let damaged = with(&x, [token, part * spec.width()], nan);
            let expected = if part == 0 { vec![token] } else { row.clone() };
            assert_eq!(touched(relative(damaged.clone(), table.clone()), &clean[0]), expected);
            assert_eq!(touched(capped(damaged), &clean[1]), expected);
        }
        // the table's row for a query that is 30 tokens after a key; no other distance has this row
        let used = positions.used(segments.max_len());
        for (side, nan) in nans().into_iter().take(2).enumerate() {
            let place = [positions.row(30) - used.start(), side * spec.width()];
            let expected: Vec<usize> = (35..75).chain(106..116).collect();
            let damaged = with(&table, place, nan);
            assert_eq!(touched(relative(x.clone(), damaged), &clean[0]), expected, "{level:?}");
        }
    }
}

/// A score whose product is infinite becomes the cap, with the sign of the product.
#[test]
fn infinite_products_are_capped() {
    let segments = Segments::from_lengths(&[20]).unwrap();
    let spec = AttentionSpec::new(1, 4);
    for key in [f32::INFINITY, f32::NEG_INFINITY] {
        let mut qkv = vec![0.5; 20 * 12];
        qkv[7 * 12 + 4] = key;
        qkv[7 * 12 + 8] = 2.0;
        let x = Tensor::<2>::from_data(TensorData::new(qkv, [20, 12]), &Device::flex());
        let share = 1.0
            / (1.0
                + 19.0 * (0.5_f64 / 1.5).tanh().mul_add(1.5, -1.5 * f64::from(key.signum())).exp());
        let expected = 0.5 + 1.5 * share;
        for level in Level::supported() {
            let y =
                values(with_level(level, || capped_attention(x.clone(), &segments, &spec, 1.5)));
            assert!((f64::from(y[0]) - expected).abs() < 1e-5, "{level:?} {key}: {y:?}");
        }
    }
}

fn mask(kind: usize, before: usize, after: usize) -> Mask {
    [Mask::Bidirectional, Mask::Causal, Mask::SlidingWindow { before, after }][kind]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn ragged_capped(
        lengths in prop::collection::vec(1usize..40, 1..7),
        group in 1usize..4, kv_heads in 1usize..3, head_dim in 1usize..40,
        kind in 0usize..3, before in 0usize..9, after in 0usize..9, drop: bool,
        cap in 0.1f32..50.0, precision in 0usize..2,
    ) {
        let spec = AttentionSpec {
            kv_heads,
            mask: mask(kind, before, after),
            dropout: some_dropout(drop),
            ..AttentionSpec::new(group * kv_heads, head_dim)
        };
        check_capped(&lengths, &spec, cap, Precision::ALL[precision]);
    }

    #[test]
    fn ragged_relative(
        lengths in prop::collection::vec(1usize..90, 1..7),
        heads in 1usize..4, head_dim in 1usize..40,
        kind in 0usize..3, before in 0usize..9, after in 0usize..9, drop: bool,
        span in 2usize..40, reach in 0usize..60, precision in 0usize..2,
    ) {
        let spec = AttentionSpec {
            mask: mask(kind, before, after),
            dropout: some_dropout(drop),
            ..AttentionSpec::new(heads, head_dim)
        };
        let reach = (reach > 0).then_some(span / 2 + 1 + reach);
        let positions = RelativePositions::new(span, reach);
        check_relative(&lengths, &spec, positions, Precision::ALL[precision]);
    }
}
