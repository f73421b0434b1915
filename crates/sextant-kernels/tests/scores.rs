//! Compares attention with relative positions and with capped scores with their definitions in `f64`, and their
//! gradients with finite differences.

#![expect(clippy::unwrap_used, reason = "a test")]

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use sextant_kernels::{
    AttentionSpec, Dropout, RelativePositions, Segments, capped_attention, relative_attention,
};

const HEADS: usize = 2;
const DIM: usize = 5;

fn spec() -> AttentionSpec {
    AttentionSpec { scale: 0.3, ..AttentionSpec::new(HEADS, DIM) }
}

fn random(shape: [usize; 2]) -> Vec<f32> {
    let numbers = Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex());
    numbers.into_data().try_to_vec().unwrap()
}

fn tensor(values: &[f32], columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / columns, columns]), device)
}

/// Attention in `f64`, where `score(query token, key token, head)` gives the scores before the softmax.
fn attend(
    qkv: &[f64],
    segments: &Segments,
    score: impl Fn(usize, usize, usize) -> f64,
) -> Vec<f64> {
    let (width, stride) = (HEADS * DIM, 3 * HEADS * DIM);
    let mut out = vec![0.0; segments.tokens() * width];
    for row in segments.ranges() {
        for head in 0..HEADS {
            for i in row.clone() {
                let shares: Vec<f64> = row.clone().map(|j| score(i, j, head).exp()).collect();
                let sum: f64 = shares.iter().sum();
                for (share, j) in shares.iter().zip(row.clone()) {
                    for n in 0..DIM {
                        let value = qkv[j * stride + 2 * width + head * DIM + n];
                        out[i * width + head * DIM + n] += share / sum * value;
                    }
                }
            }
        }
    }
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The definition of [`relative_attention`].
fn relative(
    qkv: &[f64],
    table: &[f64],
    segments: &Segments,
    positions: &RelativePositions,
) -> Vec<f64> {
    let (width, stride) = (HEADS * DIM, 3 * HEADS * DIM);
    attend(qkv, segments, |i, j, head| {
        let query = &qkv[i * stride + head * DIM..][..DIM];
        let key = &qkv[j * stride + width + head * DIM..][..DIM];
        let first = *positions.used(segments.max_len()).start();
        let row = (positions.row(i as isize - j as isize) - first) * 2 * width;
        let of_query = &table[row + head * DIM..][..DIM];
        let of_key = &table[row + width + head * DIM..][..DIM];
        f64::from(spec().scale) * (dot(query, key) + dot(query, of_key) + dot(of_query, key))
    })
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// The weight of output `i` in the loss.
fn weight(i: usize) -> f64 {
    ((i * 7919 + 11) % 10_007) as f64 / 5003.5 - 1.0
}

fn loss(out: &[f64]) -> f64 {
    out.iter().enumerate().map(|(i, x)| weight(i) * x).sum()
}

/// The slope of the loss along input `at`, by central differences in `f64`.
fn slope(values: &mut [f64], at: usize, out: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
    let (kept, h) = (values[at], 1e-5);
    values[at] = kept + h;
    let above = loss(&out(values));
    values[at] = kept - h;
    let below = loss(&out(values));
    values[at] = kept;
    (above - below) / (2.0 * h)
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() < 2e-5 * (1.0 + b.abs()), "{what} [{i}]: {a}, not {b}");
    }
}

/// The loss of a tracked output.
fn tracked_loss(out: Tensor<2>) -> Tensor<1> {
    let [rows, columns] = out.dims();
    let weights: Vec<f32> = (0..rows * columns).map(|i| weight(i) as f32).collect();
    let weights = tensor(&weights, columns, &out.device());
    (out * weights).sum()
}

#[test]
fn relative_attention_is_its_definition_and_so_are_its_gradients() {
    let device = Device::flex().autodiff();
    for (positions, lengths) in [
        (RelativePositions::new(4, Some(12)), vec![1, 11, 3]),
        (RelativePositions::new(3, None), vec![7, 2]),
        (RelativePositions::new(16, Some(64)), vec![2, 5]),
    ] {
        let segments = Segments::from_lengths(&lengths).unwrap();
        let columns = spec().qkv_width();
        let qkv = random([segments.tokens(), columns]);
        let table = random([positions.used(segments.max_len()).count(), 2 * HEADS * DIM]);
        let inputs = [
            tensor(&qkv, columns, &device).require_grad(),
            tensor(&table, 2 * HEADS * DIM, &device).require_grad(),
        ];
        let out = relative_attention(
            inputs[0].clone(),
            inputs[1].clone(),
            &segments,
            &spec(),
            &positions,
        );
        let found: Vec<f32> = out.clone().inner().into_data().try_to_vec().unwrap();
        let (mut qkv, mut table) = (wide(&qkv), wide(&table));
        assert_close(&found, &relative(&qkv, &table, &segments, &positions), "output");

        let gradients = tracked_loss(out).backward();
        let [dqkv, dtable] = inputs.map(|input| -> Vec<f32> {
            input.grad(&gradients).unwrap().into_data().try_to_vec().unwrap()
        });
        let fixed = table.clone();
        let expected: Vec<f64> = (0..qkv.len())
            .map(|at| slope(&mut qkv, at, |qkv| relative(qkv, &fixed, &segments, &positions)))
            .collect();
        assert_close(&dqkv, &expected, "gradient of queries, keys and values");
        let expected: Vec<f64> = (0..table.len())
            .map(|at| slope(&mut table, at, |table| relative(&qkv, table, &segments, &positions)))
            .collect();
        assert_close(&dtable, &expected, "gradient of the table");
    }
}

#[test]
fn capped_attention_is_its_definition_and_so_is_its_gradient() {
    let (device, cap) = (Device::flex().autodiff(), 0.7);
    let segments = Segments::from_lengths(&[6, 1, 3]).unwrap();
    let columns = spec().qkv_width();
    let values = random([segments.tokens(), columns]);
    let input = tensor(&values, columns, &device).require_grad();
    let out = capped_attention(input.clone(), &segments, &spec(), cap);
    let definition = |qkv: &[f64]| {
        let (width, stride) = (HEADS * DIM, 3 * HEADS * DIM);
        attend(qkv, &segments, |i, j, head| {
            let query = &qkv[i * stride + head * DIM..][..DIM];
            let key = &qkv[j * stride + width + head * DIM..][..DIM];
            let cap = f64::from(cap);
            cap * (f64::from(spec().scale) * dot(query, key) / cap).tanh()
        })
    };
    let found: Vec<f32> = out.clone().inner().into_data().try_to_vec().unwrap();
    let mut values = wide(&values);
    assert_close(&found, &definition(&values), "output");
    let gradients = tracked_loss(out).backward();
    let found: Vec<f32> = input.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    let expected: Vec<f64> =
        (0..values.len()).map(|at| slope(&mut values, at, definition)).collect();
    assert_close(&found, &expected, "gradient");
}

#[test]
fn dropped_shares_do_not_depend_on_the_rows_beside_a_row() {
    let positions = RelativePositions::new(4, Some(12));
    let used = positions.used(5).count();
    let spec = AttentionSpec { dropout: Some(Dropout { probability: 0.4, seed: 5 }), ..spec() };
    let columns = spec.qkv_width();
    let table = random([used, 2 * HEADS * DIM]);
    let rows = random([9, columns]);
    let run = |values: &[f32], lengths: &[usize]| -> Vec<f32> {
        let segments = Segments::from_lengths(lengths).unwrap();
        let device = Device::flex();
        let (qkv, table) =
            (tensor(values, columns, &device), tensor(&table, 2 * HEADS * DIM, &device));
        let out = relative_attention(qkv, table, &segments, &spec, &positions);
        out.into_data().try_to_vec().unwrap()
    };
    let (first, both) = (run(&rows[..5 * columns], &[5]), run(&rows, &[5, 4]));
    for (a, b) in first.iter().zip(&both) {
        assert!((a - b).abs() < 1e-6, "{a} became {b} beside another row");
    }
}
