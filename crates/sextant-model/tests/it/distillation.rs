//! The losses of distillation, compared with PyTorch's.

use crate::support::floats;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use sextant_model::{Distillation, DistillationKind, distillation_losses};

#[derive(Deserialize)]
struct Case {
    kind: DistillationKind,
    temperature: f32,
    logits: Vec<f32>,
    teacher: Vec<[f32; 3]>,
    weights: Vec<f32>,
    losses: Vec<f32>,
    gradient: Vec<f32>,
}

/// The goldens are written by `scripts/goldens/distillation.py`.
#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../goldens/distillation.json")).unwrap();
    assert_eq!(cases.len(), 4);
    let device = Device::flex().autodiff();
    for case in cases {
        let data = TensorData::new(case.logits, [case.teacher.len(), 3]);
        let logits = Tensor::<2>::from_data(data, &device).require_grad();
        let config = Distillation { kind: case.kind, temperature: case.temperature };
        config.validate().unwrap();
        let losses = distillation_losses(logits.clone(), &case.teacher, &case.weights, &config);
        let gradient = floats(logits.grad(&losses.clone().sum().backward()).unwrap());
        for (found, expected) in floats(losses)
            .into_iter()
            .zip(case.losses)
            .chain(gradient.into_iter().zip(case.gradient))
        {
            let apart = (found - expected).abs();
            assert!(apart < 2e-5 * expected.abs().max(1.0), "{found}, expected {expected}");
        }
    }
}

#[test]
fn a_model_that_answers_as_its_teacher_has_no_loss() {
    let device = Device::flex();
    let teacher = [[0.7_f32, 0.2, 0.1], [0.05, 0.9, 0.05]];
    let logits: Vec<f32> = teacher.iter().flatten().map(|p| p.ln() + 3.0).collect();
    for kind in [DistillationKind::Kl, DistillationKind::Mse] {
        let logits = Tensor::<2>::from_data(TensorData::new(logits.clone(), [2, 3]), &device);
        let config = Distillation { kind, temperature: 4.0 };
        let losses = floats(distillation_losses(logits, &teacher, &[1.0, 5.0], &config));
        assert!(losses.iter().all(|loss| loss.abs() < 1e-5), "{losses:?}");
    }
    for temperature in [0.0, -1.0, f32::NAN] {
        let config = Distillation { kind: DistillationKind::Kl, temperature };
        assert!(config.validate().unwrap_err().to_string().contains("temperature"));
    }
}
