//! One or more cases of every operation, for checks that are the same for all operations.

use crate::frozen::{factors, weight};
use crate::inputs::{Inputs, some_dropout, values};
use crate::{scores, targets};
use burn::tensor::{Int, Tensor};
use sextant_kernels::{
    Activation, AttentionSpec, FrozenFormat, Mask, Precision, RelativePositions, Rotary, Segments,
    add_layer_norm, attention, capped_attention, cross_entropy, dropout, embedding, frozen_linear,
    gated, linear, relative_attention, rms_norm, rotary, sum,
};

type Run = Box<dyn Fn(&Inputs) -> Tensor<2>>;

/// An operation on some inputs.
struct Case {
    /// The name of the operation.
    name: &'static str,
    /// What distinguishes this case from others of the operation.
    what: String,
    inputs: Inputs,
    run: Run,
}

/// Operations without a gradient, whose inputs cannot be tracked.
const WITHOUT_GRADIENT: [&str; 1] = ["linear_packed"];

/// Cases of every operation, with and without its optional tensors.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, what: String, matrices: &[[usize; 2]], vectors: &[usize], run| {
        cases.push(Case { name, what, inputs: Inputs::new(matrices, vectors), run });
    };
    let matrix = |t: &Inputs, i: usize| t.matrices[i].clone();
    let vector = |t: &Inputs, i: usize| t.vectors[i].clone();
    for activation in Activation::ALL {
        for biases in [&[21][..], &[]] {
            let run: Run = Box::new(move |t| {
                let bias = t.vectors.first().cloned();
                linear(matrix(t, 0), matrix(t, 1), bias, activation, Precision::F32)
            });
            let what = format!("{activation:?} with biases {biases:?}");
            add("linear", what, &[[20, 13], [13, 21]], biases, run);
        }
        let run: Run = Box::new(move |t| gated(matrix(t, 0), activation));
        add("gated", format!("{activation:?}"), &[[20, 26]], &[], run);
    }
    for drop in [None, some_dropout(true)] {
        for matrices in [&[[20, 33]; 2][..], &[[20, 33]]] {
            let run: Run = Box::new(move |t| {
                let (x, residual) = (matrix(t, 0), t.matrices.get(1).cloned());
                let (gamma, beta) = (vector(t, 0), vector(t, 1));
                add_layer_norm(x, residual, gamma, beta, 1e-5, drop, Precision::F32)
            });
            let what = format!("of {} tensors, {drop:?}", matrices.len());
            add("add_layer_norm", what, matrices, &[33, 33], run);
        }
        let run: Run = Box::new(move |t| sum(matrix(t, 0), matrix(t, 1), drop));
        add("sum", format!("{drop:?}"), &[[20, 33]; 2], &[], run);
        let segments = Segments::from_lengths(&[1, 9, 14]).unwrap();
        let spec = AttentionSpec {
            kv_heads: 1,
            mask: Mask::Causal,
            dropout: drop,
            ..AttentionSpec::new(2, 10)
        };
        let (shape, what) = ([24, spec.qkv_width()], format!("{drop:?}"));
        let rows = segments.clone();
        let run: Run = Box::new(move |t| attention(matrix(t, 0), &rows, &spec));
        add("attention", what.clone(), &[shape], &[], run);
        let rows = segments.clone();
        let run: Run = Box::new(move |t| capped_attention(matrix(t, 0), &rows, &spec, 0.9));
        add("capped_attention", what.clone(), &[shape], &[], run);
        let spec = AttentionSpec { dropout: drop, ..AttentionSpec::new(2, 10) };
        for positions in [RelativePositions::new(3, None), RelativePositions::new(6, Some(20))] {
            let shapes = scores::shapes(&segments, &spec, &positions);
            let rows = segments.clone();
            let run: Run = Box::new(move |t| {
                relative_attention(matrix(t, 0), matrix(t, 1), &rows, &spec, &positions)
            });
            add("relative_attention", format!("{positions:?}, {drop:?}"), &shapes, &[], run);
        }
        for format in FrozenFormat::ALL {
            let (weight, _) = weight([13, 21], format);
            for matrices in [&[[20, 13], [13, 4], [4, 21]][..], &[[20, 13]]] {
                for biases in [&[21][..], &[]] {
                    let weight = weight.clone();
                    let run: Run = Box::new(move |t| {
                        let bias = t.vectors.first().cloned();
                        let lora = factors(t, drop.is_some());
                        frozen_linear(matrix(t, 0), &weight, bias, lora, Precision::F32)
                    });
                    let what = format!("{format} of {} tensors, {biases:?}", matrices.len());
                    add("frozen_linear", what, matrices, biases, run);
                }
            }
        }
    }
    let drop = some_dropout(true).unwrap();
    let run: Run = Box::new(move |t| dropout(matrix(t, 0), drop));
    add("dropout", String::new(), &[[20, 33]], &[], run);
    let run: Run = Box::new(move |t| rms_norm(matrix(t, 0), vector(t, 0), 1e-6, Precision::F32));
    add("rms_norm", String::new(), &[[20, 33]], &[33], run);
    let segments = Segments::from_lengths(&[1, 9, 14]).unwrap();
    let (spec, turn) = (AttentionSpec::new(2, 10), Rotary::new(8, 1e4));
    let run: Run = Box::new(move |t| rotary(matrix(t, 0), &segments, &spec, &turn));
    add("rotary", String::new(), &[[24, spec.qkv_width()]], &[], run);
    let run: Run = Box::new(move |t| {
        let table = matrix(t, 0);
        let ids = Tensor::<1, Int>::from_data([3, 1, 1, 4, 0, 3, 3], &table.device());
        embedding(table, ids)
    });
    add("embedding", String::new(), &[[5, 8]], &[], run);
    for options in [[false; 3], [true; 3]] {
        let targets = targets(20, 5, options);
        let run: Run =
            Box::new(move |t| cross_entropy(matrix(t, 0), &targets).unsqueeze_dim::<2>(1));
        add("cross_entropy", format!("{options:?}"), &[[20, 5]], &[], run);
    }
    cases
}

/// The names of all operations, read from the constants `NAME` in the sources.
fn names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let stated =
            source.lines().filter_map(|line| line.split("const NAME: &'static str = ").nth(1));
        names.extend(stated.map(|name| name.trim_matches(&['"', ';'][..]).to_owned()));
    }
    names
}

#[test]
fn every_operation_has_a_case() {
    let cases = cases();
    let names = names();
    assert!(names.len() > WITHOUT_GRADIENT.len(), "no names were found: {names:?}");
    for name in names {
        let known = cases.iter().any(|case| case.name == name);
        assert!(known || WITHOUT_GRADIENT.contains(&&*name), "{name} has no case");
    }
}

/// Compares gradients with finite differences of the operation's own forward pass.
#[test]
fn gradients_are_slopes() {
    for Case { name, what, inputs, run } in cases() {
        inputs.check_slope(&format!("{name} {what}"), run);
    }
}

/// Checks that the choice of tracked tensors changes no bit of the result or of the gradients of the tracked
/// tensors, that the other tensors have no gradient, and that autodiff itself does not change the result.
#[test]
fn tracked_inputs_alone_get_gradients() {
    for Case { name, what, inputs, run } in cases() {
        let (value, all) = inputs.gradients(&run);
        assert_eq!(values(run(&inputs.plain())), value, "{name} {what} without autodiff");
        let untracked = run(&inputs.of_which(|_| false));
        assert!(untracked.device().is_autodiff(), "{name} {what}");
        assert_eq!(values(untracked.inner()), value, "{name} {what} of untracked inputs");
        for subset in 1..1 << inputs.count() {
            let wanted = |i: usize| subset >> i & 1 == 1;
            let (found, gradients) = inputs.of_which(wanted).gradients(&run);
            assert_eq!(found, value, "{name} {what}, tracked {subset:b}");
            for (i, (one, of_all)) in gradients.iter().zip(&all).enumerate() {
                let expected = of_all.as_ref().filter(|_| wanted(i));
                assert_eq!(one.as_ref(), expected, "{name} {what}, tracked {subset:b}, input {i}");
            }
        }
    }
}
