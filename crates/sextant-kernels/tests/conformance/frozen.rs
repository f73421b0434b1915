//! Checks linear layers and embeddings whose weight is frozen, in every stored format.

use crate::inputs::{Bound, Inputs, assert_close, kept, random, some_dropout, tracked, values};
use burn::tensor::{Device, Int, Tensor, TensorData};
use proptest::prelude::*;
use sextant_kernels::{
    Activation, FrozenFormat, FrozenWeight, LoraFactors, PackedWeight, Precision, ScorePrecision,
    composed, frozen_embedding, frozen_linear, linear_packed,
};

/// A random weight of `[inputs, outputs]`, and its decoded numbers as a tensor on the autodiff device.
pub(crate) fn weight(
    [inputs, outputs]: [usize; 2],
    format: FrozenFormat,
) -> (FrozenWeight, Tensor<2>) {
    let numbers = values(random([outputs, inputs], &Device::flex()));
    let weight = FrozenWeight::new(&numbers, [inputs, outputs], format, &tracked());
    let decoded = TensorData::new(weight.values(), [outputs, inputs]);
    let decoded = Tensor::<2>::from_data(decoded, &tracked()).transpose();
    (weight, decoded)
}

/// The factors of a LoRA layer, if the inputs have matrices for them.
pub(crate) fn factors(t: &Inputs, drop: bool) -> Option<LoraFactors> {
    let [_, a, b] = &t.matrices[..] else { return None };
    Some(LoraFactors { a: a.clone(), b: b.clone(), scale: 0.5, dropout: some_dropout(drop) })
}

fn check_frozen(
    [rows, inputs, outputs, rank]: [usize; 4],
    [bias, drop, lora]: [bool; 3],
    format: FrozenFormat,
    precision: Precision,
) {
    let (weight, _) = weight([inputs, outputs], format);
    let biases = if bias { vec![outputs] } else { vec![] };
    let bound = if precision == Precision::F32 { 2e-5 } else { 3e-2 };
    let mut matrices = vec![[rows, inputs]];
    if lora {
        matrices.extend([[inputs, rank], [rank, outputs]]);
    }
    Inputs::new(&matrices, &biases).check(
        "frozen_linear",
        &format!("{rows}x{inputs}x{outputs} rank {rank} {bias} {drop} {lora} {format} {precision}"),
        bound,
        |t| {
            let (x, bias) = (kept(t.matrices[0].clone(), precision), t.vectors.first().cloned());
            frozen_linear(x, &weight, bias, factors(t, drop), precision)
        },
    );
}

/// Checks frozen linear layers at the sizes of a small decoder.
#[test]
fn decoder_sizes() {
    for precision in Precision::ALL {
        for format in FrozenFormat::ALL {
            check_frozen([300, 96, 200, 16], [true; 3], format, precision);
        }
    }
}

/// A weight that is packed in few bits gives the bits of the frozen weight in that format, followed by the activation.
#[test]
fn packed_weights_of_few_bits() {
    let device = Device::flex();
    for (rows, inputs, outputs) in [(1, 5, 3), (70, 800, 40), (33, 96, 131)] {
        let (x, w) = (random([rows, inputs], &device), random([inputs, outputs], &device));
        let bias = random([1, outputs], &device).reshape([outputs]);
        for (precision, format) in ScorePrecision::ALL.map(|p| (p, p.stored())) {
            let Some(format) = format else { continue };
            let packed = PackedWeight::for_scoring(w.clone(), precision);
            let frozen = values(w.clone().transpose());
            let frozen = FrozenWeight::new(&frozen, [inputs, outputs], format, &device);
            for activation in [Activation::None, Activation::Gelu, Activation::Silu] {
                let ours = linear_packed(x.clone(), &packed, Some(bias.clone()), activation);
                let sums =
                    frozen_linear(x.clone(), &frozen, Some(bias.clone()), None, Precision::F32);
                let theirs = composed::activate(sums, activation);
                let what = format!("{precision} {activation:?} {rows}x{inputs}x{outputs}");
                // What is rounded are sums of numbers near 1; an activation may make less of them.
                let bound = Bound { relative: 1e-6, least: 1.0 };
                assert_close(&what, &values(ours), &values(theirs), bound);
            }
        }
    }
}

#[test]
fn rows_of_a_frozen_table() {
    for format in FrozenFormat::ALL {
        let (table, decoded) = weight([37, 11], format);
        for device in [Device::flex(), tracked()] {
            let ids = Tensor::<1, Int>::from_data([3, 0, 10, 3], &device);
            let rows = frozen_embedding(&table, ids);
            assert_eq!(rows.device().is_autodiff(), device.is_autodiff());
            let expected = decoded.clone().inner().transpose();
            let ids = Tensor::<1, Int>::from_data([3, 0, 10, 3], &Device::flex());
            assert_eq!(values(rows), values(expected.select(0, ids)), "{format}");
        }
    }
}

#[test]
fn stored_bytes_of_another_size_are_refused() {
    let error = FrozenWeight::from_bytes(&[0; 9], [32, 2], FrozenFormat::Int4, &Device::flex());
    assert_eq!(
        error.unwrap_err().to_string(),
        "a weight of 2 by 32 numbers as int4 takes 40 bytes, not 9"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn ragged_frozen(
        size in [1usize..40, 1usize..60, 1usize..60, 1usize..20],
        options: [bool; 3], format in 0usize..4, bf16: bool,
    ) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        check_frozen(size, options, FrozenFormat::ALL[format], precision);
    }
}
