//! Compares the result and the gradients of every operation on the flex device with those of its composed body,
//! at each instruction set that this machine has, and checks that one thread and two threads give the same
//! bits.

#![expect(clippy::unwrap_used, reason = "a test")]

mod cases;
mod frozen;
mod inputs;
mod moments;
mod nonfinite;
mod optimizer;
mod ragged;
mod scores;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use inputs::{Inputs, bound_of, kept, random, some_dropout, tracked, values};
use optimizer::step;
use sextant_kernels::{
    Activation, AttentionSpec, ClassTargets, Precision, ReusedWeight, Segments, adamw,
    add_layer_norm, attention, composed, cross_entropy, embedding, gated, linear, linear_reusing,
    sum,
};

fn check_linear(
    [rows, inputs, outputs]: [usize; 3],
    bias: bool,
    activation: Activation,
    input: Precision,
    precision: Precision,
) {
    let biases = if bias { vec![outputs] } else { vec![] };
    let bound = bound_of(input.max(precision), 2e-5);
    let what = format!("{rows}x{inputs}x{outputs} {activation:?} {input} {precision}");
    Inputs::new(&[[rows, inputs], [inputs, outputs]], &biases).check("linear", &what, bound, |t| {
        let (x, w) = (kept(t.matrices[0].clone(), input), t.matrices[1].clone());
        linear(x, w, t.vectors.first().cloned(), activation, precision)
    });
}

/// Checks `add_layer_norm` with an input and a result in the given formats, and a residual in `f32`.
fn check_layer_norm(
    [rows, width]: [usize; 2],
    residual: bool,
    drop: bool,
    input: Precision,
    output: Precision,
) {
    let matrices = vec![[rows, width]; 1 + usize::from(residual)];
    let dropout = some_dropout(drop);
    let parts = |t: &Inputs| (kept(t.matrices[0].clone(), input), t.matrices.get(1).cloned());
    // The gradient of a row of few columns is the small rest of what two means take away, beside which the
    // roundings of bf16 are large.
    let rounds = input.max(output) == Precision::Bf16;
    let mut bound = bound_of(input.max(output), 5e-5);
    if rounds && width < 16 {
        bound.relative *= 4.0;
    }
    Inputs::new(&matrices, &[width, width]).check(
        "add_layer_norm",
        &format!("{rows}x{width} {residual} {drop} {input} {output}"),
        bound,
        |t| {
            let ((x, r), g, b) = (parts(t), t.vectors[0].clone(), t.vectors[1].clone());
            add_layer_norm(x, r, g, b, 1e-5, dropout, output)
        },
    );
}

/// Targets with or without weights of rows, weights of classes, and label smoothing, by the three options.
fn targets(rows: usize, classes: usize, options: [bool; 3]) -> ClassTargets {
    let [weighted, by_class, smooth] = options;
    let spread = |n: usize, wanted: bool| {
        if wanted { (0..n).map(|i| 0.5 + (i * 7 % 5) as f32 / 4.0).collect() } else { vec![] }
    };
    ClassTargets {
        classes: (0..rows).map(|row| (row * 31 % classes) as u32).collect(),
        row_weights: spread(rows, weighted),
        class_weights: spread(classes, by_class),
        label_smoothing: if smooth { 0.2 } else { 0.0 },
    }
}

fn check_cross_entropy([rows, classes]: [usize; 2], options: [bool; 3]) {
    let targets = targets(rows, classes, options);
    let what = format!("{rows}x{classes} {options:?}");
    Inputs::new(&[[rows, classes]], &[]).check("cross_entropy", &what, 1e-5, |t| {
        cross_entropy(t.matrices[0].clone(), &targets).unsqueeze_dim::<2>(1)
    });
}

fn check_attention(lengths: &[usize], spec: &AttentionSpec, precision: Precision) {
    let segments = Segments::from_lengths(lengths).unwrap();
    let what = format!("{lengths:?} {spec:?} {precision}");
    let inputs = Inputs::new(&[[segments.tokens(), spec.qkv_width()]], &[]);
    inputs.check("attention", &what, bound_of(precision, 2e-5), |t| {
        attention(kept(t.matrices[0].clone(), precision), &segments, spec)
    });
}

fn check_embedding(rows: usize, width: usize, ids: &[i32], precision: Precision) {
    let ids = Tensor::<1, Int>::from_data(TensorData::from(ids), &tracked());
    // The definition adds gradients in the format of the table, so its result is computed in `f32`.
    let gather =
        |t: &Inputs, precision| embedding(kept(t.matrices[0].clone(), precision), ids.clone());
    let inputs = Inputs::new(&[[rows, width]], &[]);
    let (expected, ran) =
        composed::instead_of_kernels(|| inputs.run(|t| gather(t, Precision::F32)));
    assert_eq!(ran, ["embedding"]);
    let bound = bound_of(precision, 1e-6);
    inputs.compare(&format!("embedding {precision}"), bound, |t| gather(t, precision), &expected);
}

/// Checks operations at the sizes of a small encoder, which are large enough for several blocks and threads in
/// every kernel.
#[test]
fn encoder_sizes() {
    for precision in Precision::ALL {
        check_linear([300, 96, 200], true, Activation::Gelu, Precision::F32, precision);
        check_linear([300, 200, 96], true, Activation::None, precision, precision);
    }
    check_cross_entropy([300, 1000], [true; 3]);
    let spec = AttentionSpec { dropout: some_dropout(true), ..AttentionSpec::new(4, 24) };
    let ids: Vec<i32> = (0..300).map(|i| i * i % 53).collect();
    for precision in Precision::ALL {
        check_layer_norm([300, 96], true, true, precision, Precision::F32);
        check_layer_norm([300, 96], true, false, precision, precision);
        check_attention(&[3, 90, 1, 17, 70, 28, 28, 30, 2, 31], &spec, precision);
        check_embedding(53, 96, &ids, precision);
    }
}

/// Checks that the activations between the operations of a bf16 pass, and their gradients, are bf16, and that
/// residual sums and the gradients of parameters stay `f32`.
#[test]
fn a_bf16_pass_keeps_bf16_numbers() {
    let device = tracked();
    let (bf16, segments) = (Precision::Bf16, Segments::from_lengths(&[3, 6]).unwrap());
    let spec = AttentionSpec::new(2, 4);
    let weight = |inputs, outputs| random([inputs, outputs], &device).require_grad();
    let (up, down) = (weight(8, 24), weight(8, 8));
    let x = random([9, 8], &device).require_grad();
    let qkv = linear(x.clone(), up.clone(), None, Activation::Gelu, bf16);
    let gathered = attention(qkv.clone(), &segments, &spec);
    let y = linear(gathered.clone(), down.clone(), None, Activation::None, bf16);
    for (what, kept) in [("qkv", &qkv), ("attention", &gathered), ("linear", &y)] {
        assert_eq!(kept.dtype(), DType::BF16, "{what}");
    }
    assert_eq!(gated(qkv, Activation::Silu).dtype(), DType::BF16);
    let total = sum(y, x.clone(), some_dropout(true));
    assert_eq!(total.dtype(), DType::F32);
    let gradients = total.sum().backward();
    assert_eq!(x.grad(&gradients).unwrap().dtype(), DType::F32);
    assert_eq!(up.grad(&gradients).unwrap().dtype(), DType::F32);

    let leaf = gathered.detach().require_grad();
    let y = linear(leaf.clone(), down, None, Activation::None, bf16);
    let gradients = y.cast(DType::F32).sum().backward();
    assert_eq!(leaf.grad(&gradients).unwrap().dtype(), DType::BF16);
}

#[test]
fn a_reused_weight_changes_no_bit() {
    for precision in Precision::ALL {
        let device = tracked();
        let (packed, weight) = (ReusedWeight::new(), random([13, 70], &device));
        for rows in [3, 50] {
            let inputs = Inputs::new(&[[rows, 13]], &[70]);
            let run = |packed: &ReusedWeight| {
                inputs.run(|t| {
                    let (x, bias) = (t.matrices[0].clone(), Some(t.vectors[0].clone()));
                    linear_reusing(x, weight.clone(), bias, Activation::Gelu, precision, packed)
                })
            };
            assert_eq!(run(&packed), run(&ReusedWeight::new()), "{rows} rows in {precision}");
        }
    }
}

#[test]
fn views_are_read_as_they_show() {
    let device = Device::flex();
    let wide = random([12, 20], &device);
    let view = wide.clone().narrow(1, 3, 8);
    let weight = random([6, 8], &device).transpose();
    let copy = |t: Tensor<2>| {
        let dims = t.dims();
        Tensor::<2>::from_data(TensorData::new(values(t), dims), &device)
    };
    let run = |x, w| values(linear(x, w, None, Activation::None, Precision::F32));
    assert_eq!(run(view.clone(), weight.clone()), run(copy(view), copy(weight)));
    let rows = wide.clone().narrow(0, 4, 5);
    let step = step(3);
    let zeros = Tensor::<2>::zeros([5, 20], &device);
    let (moved, ..) = adamw(rows.clone(), rows.clone(), zeros.clone(), zeros.clone(), &step);
    let (expected, ..) = adamw(copy(rows.clone()), rows, zeros.clone(), zeros, &step);
    assert_eq!(values(moved), values(expected));
}

#[test]
fn wrong_shapes_are_named() {
    let message = |body: Box<dyn FnOnce() + std::panic::UnwindSafe>| {
        let panic = std::panic::catch_unwind(body).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    let said = message(Box::new(|| {
        let device = Device::flex();
        let (x, w) = (random([2, 3], &device), random([4, 5], &device));
        linear(x, w, None, Activation::None, Precision::F32);
    }));
    assert_eq!(said, "linear: input of width 3 does not fit a weight of [4, 5]");
    let said = message(Box::new(|| {
        let segments = Segments::from_lengths(&[2, 3]).unwrap();
        attention(random([5, 20], &Device::flex()), &segments, &AttentionSpec::new(2, 4));
    }));
    assert_eq!(said, "attention: input of [5, 20] where segments and heads ask for [5, 24]");
    let said = message(Box::new(|| {
        let ids = Tensor::<1, Int>::from_data([1, 4], &Device::flex());
        embedding(random([4, 2], &Device::flex()), ids);
    }));
    assert_eq!(said, "embedding: id 4 is outside a table of 4 rows");
}
