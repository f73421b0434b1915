//! AdamW and the norm of a gradient.

use crate::inputs::{assert_close, random, tracked, values};
use burn::tensor::{Device, Int, Tensor, TensorData};
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    AdamWStep, Moment, MomentLine, MomentNumbers, Moments, RowGradientSink, RowMoments,
    UntouchedRows, adamw, adamw_rows, composed, embedding, embedding_rows, sum_of_squares,
};

pub(crate) fn step(step: u64) -> AdamWStep {
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
    for level in Level::supported() {
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
    let numbers = |tensor: &Tensor<2>| MomentNumbers::F32(values(tensor.clone()));
    let whole = Moments::from_parts(301, 33, numbers(&m), numbers(&v)).unwrap();
    let mut moments = RowMoments::from_moments(&whole);
    let untouched = moments.clone();
    let expected = adamw(table.clone(), dense, m, v, &step(2));
    let found = adamw_rows(table.clone(), &rows, &mut moments, &step(2), UntouchedRows::Decay);
    assert_eq!(values(found), values(expected.0.clone()));
    let [m, v] = [Moment::First, Moment::Second].map(|moment| floats(&moments, moment));
    assert_eq!((m, v), (values(expected.1), values(expected.2)));

    let (before, mut moments) = (values(table.clone()), untouched.clone());
    let found = adamw_rows(table, &rows, &mut moments, &step(2), UntouchedRows::Keep);
    let (found, expected) = (values(found), values(expected.0));
    for row in 0..301 {
        let touched = rows.ids().contains(&(row as i32));
        let wanted = if touched { &expected } else { &before };
        assert_eq!(found[row * 33..][..33], wanted[row * 33..][..33], "row {row}");
        let same = moments.line(Moment::First, row) == untouched.line(Moment::First, row);
        assert_eq!(same, !touched, "row {row}");
    }
}

/// One moment of every row, zero where none is stored.
fn floats(moments: &RowMoments, moment: Moment) -> Vec<f32> {
    let row = |row| match moments.line(moment, row) {
        Some(MomentLine::F32(numbers)) => numbers.to_vec(),
        None => vec![0.0; moments.width()],
        other => panic!("{other:?}"),
    };
    (0..moments.rows()).flat_map(row).collect()
}

#[test]
fn squares_are_summed_exactly_enough() {
    let x = random([3, 50_003], &Device::flex());
    let truth: f64 = values(x.clone()).iter().map(|x| f64::from(*x).powi(2)).sum();
    for level in Level::supported() {
        let sums = [1, 2].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| with_level(level, || sum_of_squares(&x)))
        });
        assert_eq!(sums[0], sums[1]);
        assert!((sums[0] / truth - 1.0).abs() < 1e-6, "{} is not {truth}", sums[0]);
    }
}
