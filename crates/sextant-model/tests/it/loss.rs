//! The losses, compared with their formulas and finite differences.

use crate::support::{assert_close, floats};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use sextant_core::Grade;
use sextant_model::{LossConfig, LossKind, row_losses};

fn tensor(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

/// The formula of PyTorch's `CrossEntropyLoss(weight, label_smoothing, reduction="none")`, or the
/// binary cross-entropies of the scale's steps, in `f64`.
fn expected(logits: &[f32], grade: Grade, weight: f32, config: &LossConfig) -> f64 {
    let z: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
    let class: Vec<f64> = config.class_weights.iter().map(|&w| f64::from(w)).collect();
    let y = grade.index();
    let loss = match config.kind {
        LossKind::CrossEntropy => {
            let log_sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
            if config.focal_gamma > 0.0 {
                return f64::from(weight) * class[y] * focal(log_sum - z[y], config);
            }
            let smoothing = f64::from(config.label_smoothing);
            let spread: f64 = (0..3).map(|c| class[c] * (log_sum - z[c])).sum();
            (1.0 - smoothing) * class[y] * (log_sum - z[y]) + smoothing / 3.0 * spread
        }
        LossKind::Ordinal => {
            let step = |k: usize| {
                let p = 1.0 / (1.0 + (-z[k - 1]).exp());
                focal(if y >= k { -p.ln() } else { -(1.0 - p).ln() }, config)
            };
            class[y] * (step(1) + step(2))
        }
    };
    f64::from(weight) * loss
}

/// The loss of something of probability `e^-loss` under the focal loss.
fn focal(loss: f64, config: &LossConfig) -> f64 {
    (1.0 - (-loss).exp()).powf(f64::from(config.focal_gamma)) * loss
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_and_gradients_are_the_formulas(
        rows in prop::collection::vec(
            (prop::array::uniform3(-6.0_f32..6.0), 0..3_usize, 0.1_f32..3.0), 1..6),
        ordinal: bool,
        smoothing in 0.0_f32..0.5,
        gamma in prop::option::of(0.5_f32..4.0),
        class_weights in prop::array::uniform3(0.2_f32..4.0),
    ) {
        let kind = if ordinal { LossKind::Ordinal } else { LossKind::CrossEntropy };
        let label_smoothing = if ordinal || gamma.is_some() { 0.0 } else { smoothing };
        let focal_gamma = gamma.unwrap_or(0.0);
        let config =
            LossConfig { kind, label_smoothing, class_weights, focal_gamma, class_balance: 0.0 };
        config.validate().unwrap();
        let width = kind.head().outputs();
        let logits: Vec<f32> = rows.iter().flat_map(|(z, ..)| z[..width].to_vec()).collect();
        let grades: Vec<_> = rows.iter().map(|&(_, y, _)| Grade::from_index(y).unwrap()).collect();
        let weights: Vec<f32> = rows.iter().map(|&(.., w)| w).collect();

        let device = Device::flex().autodiff();
        let z = tensor(&logits, width, &device).require_grad();
        let losses = row_losses(z.clone(), &grades, &weights, &config);
        let row = |values: &[f32], i: usize| {
            expected(&values[i * width..][..width], grades[i], weights[i], &config)
        };
        for (i, found) in floats(losses.clone()).into_iter().enumerate() {
            let expected = row(&logits, i) as f32;
            prop_assert!((found - expected).abs() < 1e-4 * expected.max(1.0), "{found}, {expected}");
        }
        let gradient = floats(z.grad(&losses.sum().backward()).unwrap());
        let step = 1e-2_f32;
        for (at, found) in gradient.into_iter().enumerate() {
            let moved = |by: f32| {
                let mut values = logits.clone();
                values[at] += by;
                (row(&values, at / width), values[at])
            };
            let ((high, to), (low, from)) = (moved(step), moved(-step));
            let slope = ((high - low) / f64::from(to - from)) as f32;
            prop_assert!((found - slope).abs() < 1e-3 * slope.abs().max(1.0), "{found}, {slope}");
        }
    }
}

#[test]
fn extreme_logits_stay_finite() {
    let device = Device::flex().autodiff();
    for (kind, values) in [
        (LossKind::CrossEntropy, vec![300.0, -300.0, 0.0]),
        (LossKind::Ordinal, vec![300.0, -300.0]),
    ] {
        let config = LossConfig { kind, ..LossConfig::default() };
        let z = tensor(&values, values.len(), &device).require_grad();
        let losses = row_losses(z.clone(), &[Grade::Partial], &[1.0], &config);
        let found = floats(losses.clone());
        let expected = if kind == LossKind::Ordinal { 0.0 } else { 600.0 };
        assert_close(&found, &[expected], 1e-3, "loss");
        assert!(floats(z.grad(&losses.sum().backward()).unwrap()).iter().all(|g| g.is_finite()));
    }
}

#[test]
fn the_ordinal_loss_punishes_by_distance() {
    let config = LossConfig { kind: LossKind::Ordinal, ..LossConfig::default() };
    let sure_of_relevant = tensor(&[5.0, 4.0], 2, &Device::flex());
    let loss = |grade| floats(row_losses(sure_of_relevant.clone(), &[grade], &[1.0], &config))[0];
    assert!(loss(Grade::Relevant) < loss(Grade::Partial));
    assert!(loss(Grade::Partial) + 1.0 < loss(Grade::Irrelevant));
}

#[test]
fn impossible_options_are_refused_by_key() {
    let default = LossConfig::default();
    for (config, key) in [
        (LossConfig { label_smoothing: 1.0, ..default }, "label_smoothing"),
        (LossConfig { kind: LossKind::Ordinal, label_smoothing: 0.1, ..default }, "ordinal"),
        (LossConfig { focal_gamma: -1.0, ..default }, "focal_gamma"),
        (LossConfig { focal_gamma: 2.0, label_smoothing: 0.1, ..default }, "label_smoothing"),
        (LossConfig { class_balance: 1.5, ..default }, "class_balance"),
        (LossConfig { class_weights: [1.0, 0.0, 1.0], ..default }, "class_weights"),
        (LossConfig { class_weights: [1.0, f32::NAN, 1.0], ..default }, "class_weights"),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
