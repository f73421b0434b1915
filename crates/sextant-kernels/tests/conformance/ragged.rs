//! Checks every operation, in both formats, on sizes that are no multiples of a block or a vector.

use crate::inputs::{
    Inputs, assert_close, bound_of, kept, largest_difference, random, some_dropout, values,
};
use crate::{
    check_attention, check_cross_entropy, check_embedding, check_layer_norm, check_linear,
};
use burn::tensor::Device;
use proptest::prelude::*;
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    Activation, AttentionSpec, Mask, PackedWeight, Precision, Rotary, Segments, composed, dropout,
    gated, linear, linear_packed, rms_norm, rotary, sum,
};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn ragged_linear(
        size in [1usize..40, 1usize..60, 1usize..60],
        bias: bool, activation in 0usize..5, input in 0usize..2, precision in 0usize..2,
    ) {
        let (input, precision) = (Precision::ALL[input], Precision::ALL[precision]);
        check_linear(size, bias, Activation::ALL[activation], input, precision);
    }

    #[test]
    fn ragged_cross_entropy(size in [1usize..60, 1usize..70], options: [bool; 3]) {
        check_cross_entropy(size, options);
    }

    #[test]
    fn ragged_layer_norm(
        rows in 1usize..150, width in 5usize..70, residual: bool, drop: bool,
        input in 0usize..2, output in 0usize..2,
    ) {
        let (input, output) = (Precision::ALL[input], Precision::ALL[output]);
        check_layer_norm([rows, width], residual, drop, input, output);
    }

    #[test]
    fn ragged_attention(
        lengths in prop::collection::vec(1usize..40, 1..7),
        group in 1usize..4, kv_heads in 1usize..3, head_dim in 1usize..40,
        kind in 0usize..3, before in 0usize..9, after in 0usize..9, drop: bool,
        precision in 0usize..2,
    ) {
        let spec = AttentionSpec {
            kv_heads,
            mask: [Mask::Bidirectional, Mask::Causal, Mask::SlidingWindow { before, after }][kind],
            dropout: some_dropout(drop),
            ..AttentionSpec::new(group * kv_heads, head_dim)
        };
        check_attention(&lengths, &spec, Precision::ALL[precision]);
    }

    #[test]
    fn ragged_embedding(
        width in 1usize..40, ids in prop::collection::vec(0i32..9, 1..50), precision in 0usize..2,
    ) {
        check_embedding(9, width, &ids, Precision::ALL[precision]);
    }

    #[test]
    fn ragged_dropout(rows in 1usize..90, columns in 1usize..70, precision in 0usize..2) {
        let (drop, precision) = (some_dropout(true).unwrap(), Precision::ALL[precision]);
        Inputs::new(&[[rows, columns]], &[]).check(
            "dropout",
            &precision.to_string(),
            bound_of(precision, 1e-6),
            |t| dropout(kept(t.matrices[0].clone(), precision), drop),
        );
    }

    #[test]
    fn ragged_sum(
        rows in 1usize..90, columns in 1usize..70, drop: bool, x in 0usize..2, residual in 0usize..2,
    ) {
        let (drop, formats) = (some_dropout(drop), [Precision::ALL[x], Precision::ALL[residual]]);
        let parts = |t: &Inputs| {
            let [x, residual] = [0, 1].map(|i| kept(t.matrices[i].clone(), formats[i]));
            (x, residual)
        };
        Inputs::new(&[[rows, columns]; 2], &[]).check(
            "sum",
            &format!("{drop:?} {formats:?}"),
            bound_of(formats[0].max(formats[1]), 1e-6),
            |t| { let (x, residual) = parts(t); sum(x, residual, drop) },
        );
    }

    #[test]
    fn ragged_rms_norm(
        rows in 1usize..150, width in 5usize..70, input in 0usize..2, output in 0usize..2,
    ) {
        let (input, output) = (Precision::ALL[input], Precision::ALL[output]);
        let x = |t: &Inputs| kept(t.matrices[0].clone(), input);
        Inputs::new(&[[rows, width]], &[width]).check(
            "rms_norm",
            &format!("{input} {output}"),
            bound_of(input.max(output), 5e-5),
            |t| rms_norm(x(t), t.vectors[0].clone(), 1e-6, output),
        );
    }

    #[test]
    fn ragged_gated(
        rows in 1usize..90, width in 1usize..50, activation in 0usize..5, precision in 0usize..2,
    ) {
        let (activation, precision) = (Activation::ALL[activation], Precision::ALL[precision]);
        Inputs::new(&[[rows, 2 * width]], &[]).check(
            "gated",
            &format!("{activation:?} {precision}"),
            bound_of(precision, 1e-5),
            |t| gated(kept(t.matrices[0].clone(), precision), activation),
        );
    }

    #[test]
    fn ragged_rotary(
        lengths in prop::collection::vec(1usize..40, 1..7),
        group in 1usize..4, kv_heads in 1usize..3, half in 1usize..20, rest in 0usize..5,
        precision in 0usize..2,
    ) {
        let precision = Precision::ALL[precision];
        let segments = Segments::from_lengths(&lengths).unwrap();
        let spec = AttentionSpec {
            kv_heads,
            ..AttentionSpec::new(group * kv_heads, 2 * half + rest)
        };
        let positions = Rotary::new(2 * half, 1e4);
        Inputs::new(&[[segments.tokens(), spec.qkv_width()]], &[]).check(
            "rotary",
            &format!("{precision}"),
            bound_of(precision, 1e-6),
            |t| rotary(kept(t.matrices[0].clone(), precision), &segments, &spec, &positions),
        );
    }

    #[test]
    fn ragged_int8([rows, inputs, outputs] in [1usize..150, 1usize..90, 1usize..120], bias: bool) {
        let device = Device::flex();
        let (x, w) = (random([rows, inputs], &device), random([inputs, outputs], &device));
        let bias = bias.then(|| random::<1>([outputs], &device));
        let exact = values(linear(
            x.clone(),
            w.clone(),
            bias.clone(),
            Activation::Silu,
            Precision::F32,
        ));
        for level in Level::supported() {
            let weight = with_level(level, || PackedWeight::int8(w.clone()));
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (x, bias) = (x.clone(), bias.clone());
                values(pool.install(|| linear_packed(x, &weight, bias, Activation::Silu)))
            };
            let ours = run(2);
            assert_eq!(&ours, &run(1));
            let theirs = composed::linear_packed(x.clone(), &weight, bias.clone(), Activation::Silu);
            // A value halfway between two bytes may be rounded either way.
            assert_close("int8", &ours, &values(theirs), 5e-3);
            // A result is a sum of products that may cancel each other: their roundings are measured by the
            // deviation of such sums. Without dot products of bytes, weights have half as many steps.
            let bound = if level.as_str() == "avx2" { 16e-2 } else { 8e-2 };
            let difference = largest_difference(&ours, &exact) / (inputs as f32).sqrt();
            assert!(difference <= bound, "int8 and f32 at {level:?}: {difference} of a deviation");
        }
    }

    #[test]
    fn packed_weights_change_no_bit(
        [rows, inputs, outputs] in [1usize..90, 1usize..90, 1usize..120], bf16: bool,
    ) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let device = Device::flex();
        let (x, w) = (random([rows, inputs], &device), random([inputs, outputs], &device));
        let bias = Some(random::<1>([outputs], &device));
        let weight = PackedWeight::new(w.clone(), precision);
        let ours = linear_packed(x.clone(), &weight, bias.clone(), Activation::Gelu);
        let theirs = linear(x, w, bias, Activation::Gelu, precision);
        prop_assert_eq!(values(ours), values(theirs));
    }
}
