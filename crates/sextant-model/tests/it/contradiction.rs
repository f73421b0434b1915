//! The penalty on contradictions: its definition, its slopes, and what it leaves alone.

use crate::support::floats;
use burn::tensor::{Device, Tensor, TensorData};
use sextant_model::{HeadKind, contradiction_losses};

/// Probabilities of irrelevant, partial and relevant of each row, from logits.
fn probabilities(logits: &[f64], head: HeadKind) -> Vec<[f64; 3]> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match head {
        HeadKind::Softmax => logits
            .chunks_exact(3)
            .map(|row| {
                let powers: Vec<f64> = row.iter().map(|x| x.exp()).collect();
                let sum: f64 = powers.iter().sum();
                std::array::from_fn(|grade| powers[grade] / sum)
            })
            .collect(),
        HeadKind::Cumulative => logits
            .chunks_exact(2)
            .map(|row| {
                let [one, two] = [sigmoid(row[0]), sigmoid(row[1])];
                [1.0 - one, one - two, two]
            })
            .collect(),
    }
}

/// The definition, in f64 and with probabilities.
fn defined(logits: &[f64], triangles: &[[usize; 3]], head: HeadKind) -> Vec<f64> {
    let p = probabilities(logits, head);
    let rule =
        |[a, b, c]: [usize; 3]| (p[a][2].ln() + p[b][2].ln() - (1.0 - p[c][0]).ln()).max(0.0);
    let of = |&[a, b, c]: &[usize; 3]| rule([a, b, c]) + rule([b, c, a]) + rule([c, a, b]);
    triangles.iter().map(of).collect()
}

/// Logits of six rows that make contradictions of several strengths, and the triangles among them.
fn case(head: HeadKind) -> (Vec<f64>, Vec<[usize; 3]>) {
    let logits = match head {
        HeadKind::Softmax => vec![
            -2.0, 0.3, 3.1, -1.0, -0.5, 2.2, 4.0, 0.2, -1.3, 0.1, 0.2, 0.3, 1.9, -0.4, 0.6, -3.0,
            2.0, 5.0,
        ],
        HeadKind::Cumulative => {
            vec![3.0, 2.0, 2.5, 1.8, -3.0, -4.5, 0.3, -0.2, -1.0, -2.0, 4.0, 3.9]
        }
    };
    (logits, vec![[0, 1, 2], [2, 5, 0], [3, 4, 1], [5, 2, 1], [0, 1, 5]])
}

fn losses(logits: &[f64], triangles: &[[usize; 3]], head: HeadKind) -> (Vec<f32>, Vec<f32>) {
    let data: Vec<f32> = logits.iter().map(|&x| x as f32).collect();
    let outputs = head.outputs();
    let shape = [data.len() / outputs, outputs];
    let device = Device::flex().autodiff();
    let logits = Tensor::<2>::from_data(TensorData::new(data, shape), &device).require_grad();
    let losses = contradiction_losses(logits.clone(), triangles, head);
    let gradient = logits.grad(&losses.clone().sum().backward()).unwrap();
    (floats(losses), floats(gradient))
}

#[test]
fn values_and_slopes_are_those_of_the_definition() {
    for head in [HeadKind::Softmax, HeadKind::Cumulative] {
        let (logits, triangles) = case(head);
        let expected = defined(&logits, &triangles, head);
        assert!(expected.iter().any(|&loss| loss > 1.0) && expected.contains(&0.0));
        let (found, slopes) = losses(&logits, &triangles, head);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{head:?}: {found}, {expected}");
        }
        // Central differences of the definition in f64.
        let sum = |logits: &[f64]| defined(logits, &triangles, head).iter().sum::<f64>();
        for (at, &slope) in slopes.iter().enumerate() {
            let moved = |by: f64| {
                let mut logits = logits.clone();
                logits[at] += by;
                sum(&logits)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let apart = (f64::from(slope) - expected).abs();
            assert!(apart < 1e-4, "{head:?}, logit {at}: {slope}, {expected}");
        }
    }
}

#[test]
fn only_sure_contradictions_cost_and_they_cost_more_the_surer_they_are() {
    let sure = |grade: usize, by: f64| -> [f64; 3] {
        std::array::from_fn(|other| if other == grade { by } else { 0.0 })
    };
    let of = |grades: [usize; 3], by: f64| {
        let logits: Vec<f64> = grades.iter().flat_map(|&grade| sure(grade, by)).collect();
        losses(&logits, &[[0, 1, 2]], HeadKind::Softmax).0[0]
    };
    for by in [6.0, 40.0] {
        for fine in [[2, 2, 2], [2, 2, 1], [2, 0, 0], [0, 0, 0], [1, 1, 0], [2, 1, 0], [1, 1, 1]] {
            assert_eq!(of(fine, by), 0.0, "{fine:?} at {by}");
        }
        for bad in [[2, 2, 0], [2, 0, 2], [0, 2, 2]] {
            assert!(
                f64::from(of(bad, by)) > by - 2.0 && of(bad, by).is_finite(),
                "{bad:?} at {by}"
            );
        }
    }
    assert!(of([2, 2, 0], 500.0).is_finite());
    // All answers alike: nothing is known, and nothing contradicts itself.
    assert_eq!(of([0, 0, 0], 0.0), 0.0);
}
