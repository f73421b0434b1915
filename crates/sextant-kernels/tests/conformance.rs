//! Every operation on the flex device, value and gradients, against its composed body, at each
//! instruction set this machine has, and with the same bits on one thread and on two.

#![expect(clippy::unwrap_used, reason = "a test")]

use burn::tensor::{Device, Distribution, Gradients, Int, Tensor, TensorData};
use proptest::prelude::*;
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    Activation, AdamWStep, AttentionSpec, ClassTargets, Dropout, LoraFactors, Mask, PackedWeight,
    Precision, ReusedWeight, Rotary, RowGradientSink, Segments, UntouchedRows, adamw, adamw_rows,
    add_layer_norm, attention, composed, cross_entropy, dropout, embedding, embedding_rows, gated,
    linear, linear_packed, linear_reusing, lora_linear, rms_norm, rotary, sum_of_squares,
};

fn tracked() -> Device {
    Device::flex().autodiff()
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}

/// Asserts that the largest difference is below `bound` times the largest entry.
fn assert_close(what: &str, ours: &[f32], theirs: &[f32], bound: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert!(ours.iter().all(|x| x.is_finite()), "{what} is not finite");
    let greatest = |x: f32, y: f32| x.max(y);
    let scale = theirs.iter().map(|x| x.abs()).fold(0.1, greatest);
    let pairs = ours.iter().zip(theirs);
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, greatest);
    assert!(difference <= bound * scale, "{what}: {difference} of {scale}");
}

/// An operation's inputs, all tracked, for computing its value and all gradients.
struct Inputs {
    matrices: Vec<Tensor<2>>,
    vectors: Vec<Tensor<1>>,
}

impl Inputs {
    fn new(matrices: &[[usize; 2]], vectors: &[usize]) -> Self {
        let device = tracked();
        Self {
            matrices: matrices.iter().map(|&s| random(s, &device).require_grad()).collect(),
            vectors: vectors.iter().map(|&n| random([n], &device).require_grad()).collect(),
        }
    }

    /// The output, then the gradient of each input under the loss `Σ loss_weight(i) · out(i)`.
    fn run(&self, operation: impl Fn(&Self) -> Tensor<2>) -> Vec<Vec<f32>> {
        let out = operation(self);
        let [rows, columns] = out.dims();
        let weights: Vec<f32> = (0..rows * columns).map(loss_weight).collect();
        let weights = TensorData::new(weights, [rows, columns]);
        let weights = Tensor::<2>::from_data(weights, &tracked());
        let mut results = vec![values(out.clone().inner())];
        let gradients: Gradients = (out * weights).sum().backward();
        results.extend(self.matrices.iter().map(|x| values(x.grad(&gradients).unwrap())));
        results.extend(self.vectors.iter().map(|x| values(x.grad(&gradients).unwrap())));
        results
    }

    /// These inputs, each moved by `by` times a fixed direction.
    fn moved(&self, by: f32) -> Self {
        fn step<const D: usize>(x: &Tensor<D>, by: f32) -> Tensor<D> {
            let numbers = (0..x.shape().num_elements()).map(|i| by * direction(i));
            let step = TensorData::new(numbers.collect::<Vec<f32>>(), x.shape());
            x.clone().inner() + Tensor::from_data(step, &Device::flex())
        }
        Self {
            matrices: self.matrices.iter().map(|x| step(x, by)).collect(),
            vectors: self.vectors.iter().map(|x| step(x, by)).collect(),
        }
    }

    /// Compares gradients with the slope of the loss along a direction, by central differences.
    fn check_slope(&self, what: &str, operation: impl Fn(&Self) -> Tensor<2>) {
        let loss = |by: f32| -> f64 {
            let out = values(operation(&self.moved(by)));
            let terms = out.iter().enumerate();
            terms.map(|(i, x)| f64::from(loss_weight(i)) * f64::from(*x)).sum()
        };
        let h = 4e-3;
        let slope = (loss(h) - loss(-h)) / (2.0 * f64::from(h));
        let (mut ours, mut length) = (0.0, 0.0);
        for gradient in &self.run(&operation)[1..] {
            for (i, g) in gradient.iter().enumerate() {
                ours += f64::from(*g) * f64::from(direction(i));
                length += f64::from(*g).powi(2);
            }
        }
        let bound = 1e-2 * (slope.abs() + length.sqrt() + 0.1);
        assert!((ours - slope).abs() < bound, "{what}: gradient {ours}, slope {slope}");
    }

    /// Compares an operation with its composed body at every level, on one thread and on two.
    fn check(
        &self,
        what: &str,
        bound: f32,
        ours: impl Fn(&Self) -> Tensor<2> + Sync,
        theirs: impl Fn(&Self) -> Tensor<2>,
    ) {
        let expected = self.run(theirs);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| with_level(level, || self.run(&ours)))
            };
            let (one, two) = (on(1), on(2));
            assert!(one == two, "{what} at {level:?} depends on the number of threads");
            for (i, (ours, theirs)) in one.iter().zip(&expected).enumerate() {
                assert_close(&format!("{what} at {level:?}, result {i}"), ours, theirs, bound);
            }
        }
    }
}

/// The weight of output `i` in the loss.
fn loss_weight(i: usize) -> f32 {
    ((i * 7919 + 11) % 10_007) as f32 / 5003.5 - 1.0
}

/// A direction to move inputs in.
fn direction(i: usize) -> f32 {
    ((i * 4801 + 5) % 997) as f32 / 498.5 - 1.0
}

fn some_dropout(wanted: bool) -> Option<Dropout> {
    wanted.then_some(Dropout { probability: 0.25, seed: 99 })
}

fn check_linear(
    [rows, inputs, outputs]: [usize; 3],
    bias: bool,
    activation: Activation,
    precision: Precision,
) {
    let biases = if bias { vec![outputs] } else { vec![] };
    let bound = if precision == Precision::F32 { 2e-5 } else { 2e-2 };
    let what = format!("linear {rows}x{inputs}x{outputs} {activation:?} {precision}");
    Inputs::new(&[[rows, inputs], [inputs, outputs]], &biases).check(
        &what,
        bound,
        |t| {
            let (x, w) = (t.matrices[0].clone(), t.matrices[1].clone());
            linear(x, w, t.vectors.first().cloned(), activation, precision)
        },
        |t| {
            let (x, w) = (t.matrices[0].clone(), t.matrices[1].clone());
            composed::linear(x, w, t.vectors.first().cloned(), activation, precision)
        },
    );
}

fn check_layer_norm([rows, width]: [usize; 2], residual: bool, drop: bool) {
    let matrices = vec![[rows, width]; 1 + usize::from(residual)];
    let dropout = some_dropout(drop);
    let parts = |t: &Inputs| (t.matrices[0].clone(), t.matrices.get(1).cloned());
    Inputs::new(&matrices, &[width, width]).check(
        &format!("add_layer_norm {rows}x{width} {residual} {drop}"),
        5e-5,
        |t| {
            let ((x, r), g, b) = (parts(t), t.vectors[0].clone(), t.vectors[1].clone());
            add_layer_norm(x, r, g, b, 1e-5, dropout)
        },
        |t| {
            let ((x, r), g, b) = (parts(t), t.vectors[0].clone(), t.vectors[1].clone());
            composed::add_layer_norm(x, r, g, b, 1e-5, dropout)
        },
    );
}

/// Targets with or without weights of rows and classes, and smoothing.
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
    Inputs::new(&[[rows, classes]], &[]).check(
        &format!("cross_entropy {rows}x{classes} {options:?}"),
        1e-5,
        |t| cross_entropy(t.matrices[0].clone(), &targets).unsqueeze_dim::<2>(1),
        |t| composed::cross_entropy(t.matrices[0].clone(), &targets).unsqueeze_dim::<2>(1),
    );
}

/// The factors of a LoRA layer from the matrices after its input.
fn lora(t: &Inputs, drop: bool) -> LoraFactors {
    let (a, b) = (t.matrices[1].clone(), t.matrices[2].clone());
    LoraFactors { a, b, scale: 0.5, dropout: some_dropout(drop) }
}

fn check_lora(
    [rows, inputs, outputs, rank]: [usize; 4],
    bias: bool,
    drop: bool,
    precision: Precision,
) {
    let weight = random([inputs, outputs], &tracked());
    let biases = if bias { vec![outputs] } else { vec![] };
    let bound = if precision == Precision::F32 { 2e-5 } else { 3e-2 };
    Inputs::new(&[[rows, inputs], [inputs, rank], [rank, outputs]], &biases).check(
        &format!("lora_linear {rows}x{inputs}x{outputs} rank {rank} {bias} {drop} {precision}"),
        bound,
        |t| {
            let (x, bias) = (t.matrices[0].clone(), t.vectors.first().cloned());
            let packed = ReusedWeight::new();
            lora_linear(x, weight.clone(), bias, lora(t, drop), precision, &packed)
        },
        |t| {
            let (x, bias) = (t.matrices[0].clone(), t.vectors.first().cloned());
            composed::lora_linear(x, weight.clone(), bias, lora(t, drop), precision)
        },
    );
}

fn check_attention(lengths: &[usize], spec: &AttentionSpec) {
    let segments = Segments::from_lengths(lengths).unwrap();
    Inputs::new(&[[segments.tokens(), spec.qkv_width()]], &[]).check(
        &format!("attention {lengths:?} {spec:?}"),
        2e-5,
        |t| attention(t.matrices[0].clone(), &segments, spec),
        |t| composed::attention(t.matrices[0].clone(), &segments, spec),
    );
}

fn check_embedding(rows: usize, width: usize, ids: &[i32]) {
    let ids = Tensor::<1, Int>::from_data(TensorData::from(ids), &tracked());
    Inputs::new(&[[rows, width]], &[]).check(
        "embedding",
        1e-6,
        |t| embedding(t.matrices[0].clone(), ids.clone()),
        |t| composed::embedding(t.matrices[0].clone(), ids.clone()),
    );
}

/// Sizes of a small encoder, large enough for several blocks and threads in every kernel.
#[test]
fn encoder_sizes() {
    for precision in Precision::ALL {
        check_linear([300, 96, 200], true, Activation::Gelu, precision);
        check_linear([300, 200, 96], true, Activation::None, precision);
    }
    for precision in Precision::ALL {
        check_lora([300, 96, 200, 16], true, true, precision);
    }
    check_layer_norm([300, 96], true, true);
    check_cross_entropy([300, 1000], [true; 3]);
    let spec = AttentionSpec { dropout: some_dropout(true), ..AttentionSpec::new(4, 24) };
    check_attention(&[3, 90, 1, 17, 70, 28, 28, 30, 2, 31], &spec);
    let ids: Vec<i32> = (0..300).map(|i| i * i % 53).collect();
    check_embedding(53, 96, &ids);
}

/// Gradients against finite differences of the operation's own forward pass.
#[test]
fn gradients_are_slopes() {
    for activation in Activation::ALL {
        Inputs::new(&[[20, 13], [13, 21]], &[21]).check_slope(&format!("{activation:?}"), |t| {
            let (x, w) = (t.matrices[0].clone(), t.matrices[1].clone());
            linear(x, w, Some(t.vectors[0].clone()), activation, Precision::F32)
        });
        Inputs::new(&[[20, 26]], &[])
            .check_slope("gated", |t| gated(t.matrices[0].clone(), activation));
    }
    for dropout in [None, some_dropout(true)] {
        Inputs::new(&[[20, 33], [20, 33]], &[33, 33]).check_slope("add_layer_norm", |t| {
            let (x, residual) = (t.matrices[0].clone(), t.matrices[1].clone());
            let (gamma, beta) = (t.vectors[0].clone(), t.vectors[1].clone());
            add_layer_norm(x, Some(residual), gamma, beta, 1e-5, dropout)
        });
        let segments = Segments::from_lengths(&[1, 9, 14]).unwrap();
        let spec =
            AttentionSpec { kv_heads: 1, mask: Mask::Causal, dropout, ..AttentionSpec::new(2, 10) };
        let positions = Rotary::new(10, 1e4);
        Inputs::new(&[[24, spec.qkv_width()]], &[]).check_slope("rotary and attention", |t| {
            let qkv = rotary(t.matrices[0].clone(), &segments, &spec, &positions);
            attention(qkv, &segments, &spec)
        });
    }
    for drop in [false, true] {
        let weight = random([13, 21], &tracked());
        Inputs::new(&[[20, 13], [13, 4], [4, 21]], &[21]).check_slope("lora_linear", |t| {
            let (x, bias) = (t.matrices[0].clone(), Some(t.vectors[0].clone()));
            // finite differences move tensors that are not tracked
            let weight =
                if x.device().is_autodiff() { weight.clone() } else { weight.clone().inner() };
            let packed = ReusedWeight::new();
            lora_linear(x, weight, bias, lora(t, drop), Precision::F32, &packed)
        });
    }
    for options in [[false; 3], [true; 3]] {
        let targets = targets(20, 5, options);
        Inputs::new(&[[20, 5]], &[]).check_slope("cross_entropy", |t| {
            cross_entropy(t.matrices[0].clone(), &targets).unsqueeze_dim::<2>(1)
        });
    }
    Inputs::new(&[[20, 33]], &[33])
        .check_slope("rms_norm", |t| rms_norm(t.matrices[0].clone(), t.vectors[0].clone(), 1e-6));
    let ids = [3, 1, 1, 4, 0, 3, 3];
    Inputs::new(&[[5, 8]], &[]).check_slope("embedding", |t| {
        let table = t.matrices[0].clone();
        let ids = Tensor::<1, Int>::from_data(TensorData::from(ids), &table.device());
        embedding(table, ids)
    });
}

#[test]
fn frozen_parents_get_no_gradient() {
    let device = tracked();
    let (x, bias) = (random([9, 5], &device), random::<1>([7], &device).require_grad());
    let weight = random([5, 7], &device);
    let y = linear(x.clone(), weight.clone(), Some(bias.clone()), Activation::Silu, Precision::F32);
    let y = add_layer_norm(y, None, random([7], &device), random([7], &device), 1e-5, None);
    let gradients = (y * random([9, 7], &device)).sum().backward();
    assert!(bias.grad(&gradients).is_some());
    assert!(x.grad(&gradients).is_none() && weight.grad(&gradients).is_none());
}

#[test]
fn a_lora_layer_gives_its_weight_no_gradient() {
    let device = tracked();
    let weight = random([5, 7], &device).require_grad();
    let factors = LoraFactors {
        a: random([5, 2], &device).require_grad(),
        b: random([2, 7], &device).require_grad(),
        scale: 2.0,
        dropout: None,
    };
    let x = random([9, 5], &device);
    let packed = ReusedWeight::new();
    let y = lora_linear(x, weight.clone(), None, factors.clone(), Precision::F32, &packed);
    let gradients = y.sum().backward();
    assert!(weight.grad(&gradients).is_none());
    assert!(factors.a.grad(&gradients).is_some() && factors.b.grad(&gradients).is_some());
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

fn step(step: u64) -> AdamWStep {
    AdamWStep {
        lr: 1e-2,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.1,
        step,
        grad_scale: 0.5,
    }
}

#[test]
fn adamw_follows_its_definition() {
    let device = Device::flex();
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        let mut ours = [
            random([70_001], &device),
            random([70_001], &device) * 0.0,
            random([70_001], &device) * 0.0,
        ];
        let mut theirs = ours.clone();
        for number in 1..=3 {
            let gradient = random([70_001], &device);
            let [p, m, v] = ours;
            let (p, m, v) = with_level(level, || adamw(p, gradient.clone(), m, v, &step(number)));
            ours = [p, m, v];
            let [p, m, v] = theirs;
            let (p, m, v) = composed::adamw(p, gradient, m, v, &step(number));
            theirs = [p, m, v];
        }
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert_close("adamw", &values(ours), &values(theirs), 1e-6);
        }
    }
}

#[test]
fn row_gradients_step_as_dense_ones_do() {
    let device = tracked();
    let table = random([301, 33], &device).require_grad();
    let ids: Vec<i32> = (0..90).map(|i| (i * i + 5) % 300).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::from(&ids[..]), &device);
    let weights = random([90, 33], &device);
    let sink = RowGradientSink::new();
    let dense = (embedding(table.clone(), ids.clone()) * weights.clone()).sum().backward();
    let dense = table.grad(&dense).unwrap();
    let sparse = (embedding_rows(table.clone(), ids, &sink) * weights).sum().backward();
    assert!(table.grad(&sparse).is_none());
    let rows = sink.take().unwrap();
    assert!((rows.sum_of_squares() / sum_of_squares(&dense) - 1.0).abs() < 1e-6);

    let table = table.inner();
    let (m, v) = (table.clone() * 0.1, table.clone().abs() * 0.01);
    let expected = adamw(table.clone(), dense, m.clone(), v.clone(), &step(2));
    let found =
        adamw_rows(table.clone(), &rows, m.clone(), v.clone(), &step(2), UntouchedRows::Decay);
    assert_eq!(values(found.0), values(expected.0.clone()));
    assert_eq!(values(found.1), values(expected.1));
    assert_eq!(values(found.2), values(expected.2));

    let before = values(table.clone());
    let (found, ..) = adamw_rows(table, &rows, m, v, &step(2), UntouchedRows::Keep);
    let (found, expected) = (values(found), values(expected.0));
    for row in 0..301 {
        let touched = rows.ids().contains(&(row as i32));
        let wanted = if touched { &expected } else { &before };
        assert_eq!(found[row * 33..][..33], wanted[row * 33..][..33], "row {row}");
    }
}

#[test]
fn squares_are_summed_exactly_enough() {
    let x = random([3, 50_003], &Device::flex());
    let truth: f64 = values(x.clone()).iter().map(|x| f64::from(*x).powi(2)).sum();
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        let sums = [1, 2].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| with_level(level, || sum_of_squares(&x)))
        });
        assert_eq!(sums[0], sums[1]);
        assert!((sums[0] / truth - 1.0).abs() < 1e-6, "{} is not {truth}", sums[0]);
    }
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn ragged_linear(
        size in [1usize..40, 1usize..60, 1usize..60],
        bias: bool, activation in 0usize..5, bf16: bool,
    ) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        check_linear(size, bias, Activation::ALL[activation], precision);
    }

    #[test]
    fn ragged_lora(
        size in [1usize..40, 1usize..60, 1usize..60, 1usize..20], bias: bool, drop: bool, bf16: bool,
    ) {
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        check_lora(size, bias, drop, precision);
    }

    #[test]
    fn ragged_cross_entropy(size in [1usize..60, 1usize..70], options: [bool; 3]) {
        check_cross_entropy(size, options);
    }

    #[test]
    fn ragged_layer_norm(rows in 1usize..150, width in 5usize..70, residual: bool, drop: bool) {
        check_layer_norm([rows, width], residual, drop);
    }

    #[test]
    fn ragged_attention(
        lengths in prop::collection::vec(1usize..40, 1..7),
        group in 1usize..4, kv_heads in 1usize..3, head_dim in 1usize..40,
        kind in 0usize..3, before in 0usize..9, after in 0usize..9, drop: bool,
    ) {
        let spec = AttentionSpec {
            kv_heads,
            mask: [Mask::Bidirectional, Mask::Causal, Mask::SlidingWindow { before, after }][kind],
            dropout: some_dropout(drop),
            ..AttentionSpec::new(group * kv_heads, head_dim)
        };
        check_attention(&lengths, &spec);
    }

    #[test]
    fn ragged_embedding(width in 1usize..40, ids in prop::collection::vec(0i32..9, 1..50)) {
        check_embedding(9, width, &ids);
    }

    #[test]
    fn ragged_dropout(rows in 1usize..90, columns in 1usize..70) {
        let drop = some_dropout(true).unwrap();
        Inputs::new(&[[rows, columns]], &[]).check(
            "dropout",
            1e-6,
            |t| dropout(t.matrices[0].clone(), drop),
            |t| composed::dropout(t.matrices[0].clone(), drop),
        );
    }

    #[test]
    fn ragged_rms_norm(rows in 1usize..150, width in 5usize..70) {
        Inputs::new(&[[rows, width]], &[width]).check(
            "rms_norm",
            5e-5,
            |t| rms_norm(t.matrices[0].clone(), t.vectors[0].clone(), 1e-6),
            |t| composed::rms_norm(t.matrices[0].clone(), t.vectors[0].clone(), 1e-6),
        );
    }

    #[test]
    fn ragged_gated(rows in 1usize..90, width in 1usize..50, activation in 0usize..5) {
        let activation = Activation::ALL[activation];
        Inputs::new(&[[rows, 2 * width]], &[]).check(
            "gated",
            1e-5,
            |t| gated(t.matrices[0].clone(), activation),
            |t| composed::gated(t.matrices[0].clone(), activation),
        );
    }

    #[test]
    fn ragged_rotary(
        lengths in prop::collection::vec(1usize..40, 1..7),
        group in 1usize..4, kv_heads in 1usize..3, half in 1usize..20, rest in 0usize..5,
    ) {
        let segments = Segments::from_lengths(&lengths).unwrap();
        let spec = AttentionSpec {
            kv_heads,
            ..AttentionSpec::new(group * kv_heads, 2 * half + rest)
        };
        let positions = Rotary::new(2 * half, 1e4);
        Inputs::new(&[[segments.tokens(), spec.qkv_width()]], &[]).check(
            "rotary",
            1e-6,
            |t| rotary(t.matrices[0].clone(), &segments, &spec, &positions),
            |t| composed::rotary(t.matrices[0].clone(), &segments, &spec, &positions),
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
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            let weight = with_level(level, || PackedWeight::int8(w.clone()));
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (x, bias) = (x.clone(), bias.clone());
                values(pool.install(|| linear_packed(x, &weight, bias, Activation::Silu)))
            };
            let ours = run(2);
            assert_eq!(&ours, &run(1));
            let theirs = composed::linear_packed(x.clone(), &weight, bias.clone(), Activation::Silu);
            // a value just between two bytes may be rounded either way
            assert_close("int8", &ours, &values(theirs), 5e-3);
            assert_close("int8 and f32", &ours, &exact, 4e-2);
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
