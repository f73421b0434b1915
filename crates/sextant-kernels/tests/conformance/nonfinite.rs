//! Checks that a NaN in an operation's input gives NaN, at every level, in the rows of the result that depend
//! on it and in no other row.
//!
//! This needs care, because `f32::max` ignores a NaN, the processors' `min` and `max` instructions ignore or
//! keep it depending on which operand it is, and rounding to a byte turns it into some number. So a damaged
//! weight could give a plausible result.

use crate::inputs::{kept, random, values};
use burn::tensor::{Device, Tensor, TensorData};
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    Activation, AttentionSpec, ClassTargets, Dropout, FrozenFormat, FrozenWeight, Mask,
    PackedWeight, Precision, Rotary, ScorePrecision, Segments, add_layer_norm, attention,
    cross_entropy, dropout, frozen_linear, gated, linear, linear_packed, rms_norm, rotary, sum,
};

/// NaNs of both signs, two of which have no mantissa bit among those that bf16 keeps.
pub(crate) fn nans() -> [f32; 4] {
    let bits = f32::from_bits;
    [f32::NAN, -f32::NAN, bits(0x7f80_0001), bits(0xff80_0100)]
}

/// The matrix with one number replaced.
pub(crate) fn with(x: &Tensor<2>, [row, column]: [usize; 2], number: f32) -> Tensor<2> {
    let dims = x.dims();
    let mut numbers = values(x.clone());
    numbers[row * dims[1] + column] = number;
    Tensor::from_data(TensorData::new(numbers, dims), &Device::flex())
}

/// Replaces one number of a matrix by NaN, at several places, and checks that the results of its row are NaN
/// everywhere (`whole`) or somewhere, and that all other results are unchanged, bit for bit. `of` maps a row of
/// the matrix, or of the result, to the row of the pack that it belongs to.
fn check_rows(
    what: &str,
    x: &Tensor<2>,
    whole: bool,
    of: impl Fn(usize) -> usize,
    run: impl Fn(Tensor<2>) -> Tensor<2>,
) {
    let [rows, columns] = x.dims();
    for level in Level::supported() {
        with_level(level, || {
            let clean = run(x.clone());
            let results = clean.dims()[0];
            let clean = values(clean);
            let width = clean.len() / results;
            assert!(clean.iter().all(|y| y.is_finite()), "{what} at {level:?}");
            let places =
                [[0, 0], [rows / 2, columns - 1], [rows - 1, columns / 3], [rows - 1, columns - 1]];
            for (place, nan) in places.into_iter().zip(nans()) {
                let found = values(run(with(x, place, nan)));
                for (i, (y, before)) in found.chunks(width).zip(clean.chunks(width)).enumerate() {
                    let what = format!("{what} at {level:?}, {nan:?} in {place:?}, result {i}");
                    if of(i) != of(place[0]) {
                        let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
                        assert_eq!(bits(y), bits(before), "{what} is untouched");
                    } else if whole {
                        assert!(y.iter().all(|y| y.is_nan()), "{what}: {y:?}");
                    } else {
                        assert!(y.iter().all(|y| !y.is_infinite()), "{what}: {y:?}");
                        assert!(y.iter().any(|y| y.is_nan()), "{what}: {y:?}");
                    }
                }
            }
        });
    }
}

fn vector(length: usize) -> Tensor<1> {
    random([length], &Device::flex())
}

fn matrix(rows: usize, columns: usize) -> Tensor<2> {
    random([rows, columns], &Device::flex())
}

/// Shapes of `[rows, inputs, outputs]`, some of which do not fill whole blocks or vectors.
const SHAPES: [[usize; 3]; 3] = [[3, 5, 7], [70, 33, 50], [67, 64, 48]];

#[test]
fn linear_layers() {
    for [rows, inputs, outputs] in SHAPES {
        let (x, weight, bias) = (matrix(rows, inputs), matrix(inputs, outputs), vector(outputs));
        for activation in [
            Activation::None,
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Silu,
            Activation::Tanh,
        ] {
            for precision in Precision::ALL {
                let what = format!("linear {rows}x{inputs}x{outputs} {activation:?} {precision}");
                check_rows(
                    &what,
                    &x,
                    true,
                    |row| row,
                    |x| {
                        let (x, bias) = (kept(x, precision), Some(bias.clone()));
                        linear(x, weight.clone(), bias, activation, precision)
                    },
                );
            }
            for precision in ScorePrecision::ALL {
                let what = format!("packed {rows}x{inputs}x{outputs} {activation:?} {precision}");
                check_rows(
                    &what,
                    &x,
                    true,
                    |row| row,
                    |x| {
                        let packed = PackedWeight::for_scoring(weight.clone(), precision);
                        linear_packed(x, &packed, Some(bias.clone()), activation)
                    },
                );
                // A NaN in the weight gives NaN in all rows, in the column that it belongs to.
                for (level, nan) in Level::supported().into_iter().zip(nans()) {
                    let column = outputs / 2;
                    let damaged = with(&weight, [inputs - 1, column], nan);
                    let y = with_level(level, || {
                        let packed = PackedWeight::for_scoring(damaged, precision);
                        linear_packed(x.clone(), &packed, Some(bias.clone()), activation)
                    });
                    for (i, y) in values(y).into_iter().enumerate() {
                        assert_eq!(y.is_nan(), i % outputs == column, "{what} at {level:?}: {i}");
                    }
                }
            }
        }
    }
}

#[test]
fn gated_activations() {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Tanh] {
        for precision in Precision::ALL {
            let what = format!("gated {activation:?} {precision}");
            check_rows(
                &what,
                &matrix(35, 2 * 19),
                false,
                |row| row,
                |x| gated(kept(x, precision), activation),
            );
        }
    }
}

#[test]
fn norms_sums_and_dropout() {
    for width in [5, 33, 64] {
        let (gamma, beta, residual) = (vector(width), vector(width), matrix(70, width));
        for precision in Precision::ALL {
            for dropped in [None, Some(Dropout { probability: 0.25, seed: 99 })] {
                let what = format!("layer norm {width} {precision} {dropped:?}");
                let x = matrix(70, width);
                check_rows(
                    &what,
                    &x,
                    true,
                    |row| row,
                    |x| {
                        let (x, residual) = (kept(x, precision), Some(residual.clone()));
                        add_layer_norm(
                            x,
                            residual,
                            gamma.clone(),
                            beta.clone(),
                            1e-5,
                            dropped,
                            precision,
                        )
                    },
                );
                check_rows(
                    &what,
                    &x,
                    false,
                    |row| row,
                    |x| sum(kept(x, precision), residual.clone(), dropped),
                );
            }
            check_rows(
                "rms norm",
                &matrix(70, width),
                true,
                |row| row,
                |x| rms_norm(kept(x, precision), gamma.clone(), 1e-6, precision),
            );
            // A NaN that is dropped stays NaN too, because 0 · NaN is NaN.
            check_rows(
                "dropout",
                &matrix(70, width),
                false,
                |row| row,
                |x| dropout(kept(x, precision), Dropout { probability: 0.9, seed: 4 }),
            );
        }
    }
}

/// Checks that a NaN in a token affects only the token's own row of the pack: with a causal mask the token and
/// the later tokens of the row, without a mask all of its tokens.
#[test]
fn attention_within_a_row() {
    let lengths = [5, 70, 1, 9];
    let segments = Segments::from_lengths(&lengths).unwrap();
    let row_of = |token: usize| segments.ranges().position(|row| row.contains(&token)).unwrap();
    for (heads, kv_heads, dim) in [(2, 1, 5), (2, 2, 16), (1, 1, 33)] {
        let spec = AttentionSpec { kv_heads, ..AttentionSpec::new(heads, dim) };
        let x = matrix(segments.tokens(), spec.qkv_width());
        for precision in Precision::ALL {
            let what = format!("attention {heads} {kv_heads} {dim} {precision}");
            let run =
                |x: Tensor<2>, spec: &AttentionSpec| attention(kept(x, precision), &segments, spec);
            for mask in [Mask::Bidirectional, Mask::Causal] {
                let spec = AttentionSpec { mask, ..spec };
                for level in Level::supported() {
                    with_level(level, || {
                        let clean = values(run(x.clone(), &spec));
                        // The NaN is in a query, a key or a value of a token of the second row.
                        for (part, nan) in [0, heads, heads + kv_heads].into_iter().zip(nans()) {
                            let token = 5 + 40;
                            let found = values(run(with(&x, [token, part * dim], nan), &spec));
                            let pairs = found.chunks(spec.width()).zip(clean.chunks(spec.width()));
                            for (i, (y, before)) in pairs.enumerate() {
                                let what =
                                    format!("{what} {mask:?} {level:?} part {part} token {i}");
                                let sees = match mask {
                                    Mask::Causal => i >= token,
                                    _ => true,
                                };
                                let touched = if part == 0 { i == token } else { sees };
                                if row_of(i) != 1 {
                                    assert_eq!(y, before, "{what} is untouched");
                                } else if touched {
                                    assert!(y.iter().any(|y| y.is_nan()), "{what}: {y:?}");
                                }
                            }
                        }
                    });
                }
            }
            let turn = Rotary::new(dim / 2 * 2, 1e4);
            let what = format!("rotary {heads} {kv_heads} {dim} {precision}");
            check_rows(
                &what,
                &x,
                false,
                |row| row,
                |x| rotary(kept(x, precision), &segments, &spec, &turn),
            );
        }
    }
}

/// Checks scores of ±inf, which products beyond the range of `f32` give: where the softmax of such scores is
/// undefined, the result is NaN, and not that of uniform probabilities or of a probability of 1.
#[test]
fn infinite_scores() {
    let segments = Segments::from_lengths(&[20]).unwrap();
    let spec = AttentionSpec::new(1, 4);
    for level in Level::supported() {
        for (key, nan) in [(f32::INFINITY, true), (f32::NEG_INFINITY, false)] {
            // One key makes all scores with it infinite. A score of -inf for one key is a probability of 0.
            let mut qkv = vec![0.5; 20 * 12];
            qkv[7 * 12 + 4] = key;
            let x = Tensor::<2>::from_data(TensorData::new(qkv, [20, 12]), &Device::flex());
            let y = values(with_level(level, || attention(x, &segments, &spec)));
            assert!(y.iter().all(|y| y.is_nan() == nan), "{level:?} {key}: {y:?}");
            assert!(nan || y.iter().all(|y| (y - 0.5).abs() < 1e-6), "{level:?} {key}: {y:?}");
        }
        // If all scores are -inf, the softmax is undefined.
        let mut qkv = vec![0.5; 20 * 12];
        (0..20).for_each(|token| qkv[token * 12 + 4] = f32::NEG_INFINITY);
        let x = Tensor::<2>::from_data(TensorData::new(qkv, [20, 12]), &Device::flex());
        let y = values(with_level(level, || attention(x, &segments, &spec)));
        assert!(y.iter().all(|y| y.is_nan()), "{level:?}: {y:?}");
    }
}

#[test]
fn losses() {
    for columns in [3, 16, 40] {
        for label_smoothing in [0.0, 0.1] {
            let targets = ClassTargets {
                classes: (0..50).map(|row| row % columns as u32).collect(),
                row_weights: vec![1.0; 50],
                class_weights: vec![1.0; columns],
                label_smoothing,
            };
            let what = format!("cross entropy {columns} {label_smoothing}");
            let run = |x: Tensor<2>| cross_entropy(x, &targets).unsqueeze_dim::<2>(1);
            let logits = matrix(50, columns);
            check_rows(&what, &logits, true, |row| row, run);
            for level in Level::supported() {
                let of = |number: f32| {
                    let logits = with(&logits, [20, 1], number);
                    values(with_level(level, || run(logits)))[20]
                };
                // The replaced logit is not that of the true class.
                assert!(of(f32::INFINITY).is_nan(), "{what} {level:?}");
                let none = of(f32::NEG_INFINITY);
                assert_eq!(none.is_finite(), label_smoothing == 0.0, "{what} {level:?}: {none}");
            }
        }
    }
}

/// Checks that a number that is not finite stays so when a weight is stored, and that it affects only the
/// results of its output.
#[test]
fn frozen_weights() {
    let (inputs, outputs) = (70, 9);
    for format in FrozenFormat::ALL {
        for (damage, at) in [(f32::NAN, 3), (f32::INFINITY, 65), (f32::NEG_INFINITY, 40)] {
            let mut numbers = values(matrix(outputs, inputs));
            numbers[4 * inputs + at] = damage;
            let weight = FrozenWeight::new(&numbers, [inputs, outputs], format, &Device::flex());
            let device = Device::flex();
            let again =
                FrozenWeight::from_bytes(&weight.to_bytes(), [inputs, outputs], format, &device);
            let lost = weight.values();
            assert!(!lost[4 * inputs + at].is_finite(), "{format} {damage}");
            assert!(!again.unwrap().values()[4 * inputs + at].is_finite(), "{format} {damage}");
            for level in Level::supported() {
                for precision in Precision::ALL {
                    let x = matrix(20, inputs);
                    let run = || frozen_linear(kept(x, precision), &weight, None, None, precision);
                    for (i, y) in values(with_level(level, run)).into_iter().enumerate() {
                        let what = format!("{format} {damage} {level:?} {precision}: {i}");
                        assert_eq!(y.is_finite(), i % outputs != 4, "{what}");
                    }
                }
            }
        }
    }
}
