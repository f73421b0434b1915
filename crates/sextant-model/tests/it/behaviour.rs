//! The loss of behaviour, compared with its formula and finite differences, and what it recovers of simulated clicks.

use crate::support::floats;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sextant_core::{Behaviour, Event};
use sextant_model::{EventRates, HeadKind, ObservedRates, behaviour_losses, grade_probabilities};

fn tensor(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

/// The probabilities of the grades, in `f64`.
fn probabilities(z: &[f64], head: HeadKind) -> [f64; 3] {
    match head {
        HeadKind::Softmax => {
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            [z[0].exp() / sum, z[1].exp() / sum, z[2].exp() / sum]
        }
        HeadKind::Cumulative => {
            let [one, two] = [z[0], z[1]].map(|z| 1.0 / (1.0 + (-z).exp()));
            [1.0 - one, one - two, two]
        }
    }
}

fn expected(z: &[f32], head: HeadKind, row: &ObservedRates<'_>, events: &[f32; 3]) -> f64 {
    let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
    let probs = probabilities(&z, head);
    let (mut sum, mut total) = (0.0, 0.0);
    for (event, weight) in events.iter().map(|&weight| f64::from(weight)).enumerate() {
        let Some(t) = row.rates[event].map(f64::from) else { continue };
        let rates = row.by_grade[event].iter().zip(probs);
        let q: f64 = rates.map(|(r, p)| f64::from(*r) * p).sum();
        sum -= weight * (t * q.ln() + (1.0 - t) * (1.0 - q).ln());
        total += weight;
    }
    if total > 0.0 { f64::from(row.weight) * sum / total } else { 0.0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_and_gradients_are_the_formula(
        rows in prop::collection::vec((
            prop::array::uniform3(-3.0_f32..3.0),
            prop::array::uniform3(prop::option::of(0.0_f32..1.5)),
            prop::array::uniform3(prop::array::uniform3(0.02_f32..0.9)),
            0.1_f32..3.0,
        ), 1..6),
        events in prop::array::uniform3(0.1_f32..2.0),
        cumulative: bool,
    ) {
        let head = if cumulative { HeadKind::Cumulative } else { HeadKind::Softmax };
        let width = head.outputs();
        let tables: Vec<EventRates> = rows.iter().map(|row| row.2).collect();
        let observed: Vec<ObservedRates<'_>> = rows
            .iter()
            .zip(&tables)
            .map(|(&(_, rates, _, weight), by_grade)| ObservedRates { rates, by_grade, weight })
            .collect();
        // The second logit of a cumulative head is below the first.
        let mut logits: Vec<f32> = Vec::new();
        for (z, ..) in &rows {
            let mut z = z[..width].to_vec();
            if cumulative {
                z[1] = z[0] - z[1].abs() - 0.1;
            }
            logits.extend(z);
        }
        let device = Device::flex().autodiff();
        let z = tensor(&logits, width, &device).require_grad();
        let losses = behaviour_losses(z.clone(), head, &observed, &events);
        let row = |values: &[f32], i: usize| {
            expected(&values[i * width..][..width], head, &observed[i], &events)
        };
        for (i, found) in floats(losses.clone()).into_iter().enumerate() {
            let expected = row(&logits, i) as f32;
            prop_assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found}, {expected}");
        }
        let counted = rows.iter().any(|row| row.1.iter().any(Option::is_some));
        if !counted {
            return Ok(()); // nothing depends on the logits
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
            prop_assert!((found - slope).abs() < 2e-3 * slope.abs().max(1.0), "{found}, {slope}");
        }
    }
}

#[test]
fn extreme_logits_and_rates_stay_finite() {
    let device = Device::flex().autodiff();
    let by_grade: EventRates = [[1e-5, 0.5, 1.0 - 1e-5]; 3];
    for rate in [0.0, 1.0, 20.0] {
        let z = tensor(&[300.0, -300.0, 0.0, -300.0, 0.0, 300.0], 3, &device).require_grad();
        let row =
            ObservedRates { rates: [Some(rate), None, None], by_grade: &by_grade, weight: 1.0 };
        let losses = behaviour_losses(z.clone(), HeadKind::Softmax, &[row, row], &[1.0; 3]);
        let gradient = floats(z.grad(&losses.clone().sum().backward()).unwrap());
        assert!(floats(losses).into_iter().chain(gradient).all(f32::is_finite), "{rate}");
    }
}

/// The rate of clicks of pairs of each grade that are looked at.
const CLICKS: [f64; 3] = [0.05, 0.2, 0.6];

/// A pair of a known grade, shown at a known place.
struct Shown {
    grade: usize,
    /// The probability that an impression at the pair's place is looked at.
    propensity: f64,
    clicks: f64,
}

const IMPRESSIONS: u32 = 2000;

/// Clicks of the position-based model on results of a bad ranking: what is relevant stands low, and is looked at in
/// one of eight impressions; what is irrelevant stands on top.
fn simulated(rng: &mut ChaCha8Rng) -> Vec<Shown> {
    (0..240)
        .map(|pair| {
            let grade = pair % 3;
            let propensity = [1.0, 0.4, 0.125][grade];
            let clicked = |_: &u32| rng.random_bool(propensity) && rng.random_bool(CLICKS[grade]);
            let clicks = (0..IMPRESSIONS).filter(clicked).count() as f64;
            Shown { grade, propensity, clicks }
        })
        .collect()
}

/// Gives every pair three logits of its own and lets them learn from clicks by gradient descent. Returns the
/// probabilities of the grades.
fn learned(pairs: &[Shown], debiased: bool) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let by_grade: EventRates = [CLICKS.map(|rate| rate as f32); 3];
    let observed: Vec<ObservedRates<'_>> = pairs
        .iter()
        .map(|pair| {
            let propensity = debiased.then_some(pair.propensity);
            let counts = [Some(pair.clicks), None, None];
            let behaviour = Behaviour::new(f64::from(IMPRESSIONS), counts, propensity).unwrap();
            let rates = Event::ALL.map(|event| behaviour.rate(event, 0.05).map(|rate| rate as f32));
            ObservedRates { rates, by_grade: &by_grade, weight: 1.0 }
        })
        .collect();
    let mut logits = vec![0.0_f32; 3 * pairs.len()];
    for _ in 0..400 {
        let z = tensor(&logits, 3, &device).require_grad();
        let losses = behaviour_losses(z.clone(), HeadKind::Softmax, &observed, &[1.0, 0.0, 0.0]);
        let gradient = floats(z.grad(&losses.sum().backward()).unwrap());
        logits.iter_mut().zip(gradient).for_each(|(z, slope)| *z -= 4.0 * slope);
    }
    let probs = floats(grade_probabilities(tensor(&logits, 3, &device), HeadKind::Softmax));
    probs.chunks_exact(3).map(<[f32]>::to_vec).collect()
}

/// The mean of the rates of clicks that the learned probabilities expect of pairs of a grade.
fn rate_of(pairs: &[Shown], probs: &[Vec<f32>], grade: usize) -> f64 {
    let of_grade = pairs.iter().zip(probs).filter(|(pair, _)| pair.grade == grade);
    let rates: Vec<f64> = of_grade
        .map(|(_, probs)| probs.iter().zip(CLICKS).map(|(p, r)| f64::from(*p) * r).sum())
        .collect();
    rates.iter().sum::<f64>() / rates.len() as f64
}

#[test]
fn propensities_undo_the_bias_of_position_and_without_them_it_is_learned() {
    let pairs = simulated(&mut ChaCha8Rng::seed_from_u64(7));
    let probs = learned(&pairs, true);
    for (grade, rate) in CLICKS.into_iter().enumerate() {
        let found = rate_of(&pairs, &probs, grade);
        assert!(
            (found - rate).abs() < 0.02 + 0.05 * rate,
            "grade {grade}: {found}, expected {rate}"
        );
    }
    // Counted as they are, clicks rank what stands high and is irrelevant nearly with what is relevant and stands low:
    // one in twenty impressions of the first and one in thirteen of the second.
    let probs = learned(&pairs, false);
    let rates: Vec<f64> = (0..3).map(|grade| rate_of(&pairs, &probs, grade)).collect();
    assert!(rates[2] < 0.1 && (rates[2] - 0.6 * 0.125).abs() < 0.02, "{rates:?}");
    assert!((rates[1] - 0.2 * 0.4).abs() < 0.02 && (rates[0] - 0.05).abs() < 0.02, "{rates:?}");
}

/// The expectation of the loss over single impressions, of which most have a rate of 0 and the others one above 1, is
/// the loss of the true rate: propensities are not biased by few impressions, as a rate cut at 1 would be.
#[test]
fn single_impressions_are_right_on_average() {
    let device = Device::flex();
    let by_grade: EventRates = [[0.05, 0.2, 0.6]; 3];
    let of = |rate: f64| {
        let rates = [Some(rate as f32), None, None];
        let row = ObservedRates { rates, by_grade: &by_grade, weight: 1.0 };
        let z = tensor(&[0.3, -0.2, 0.9], 3, &device);
        f64::from(floats(behaviour_losses(z, HeadKind::Softmax, &[row], &[1.0; 3]))[0])
    };
    let (propensity, rate) = (0.25, 0.4);
    let once = Behaviour::new(1.0, [Some(1.0), None, None], Some(propensity)).unwrap();
    let clicked = once.rate(Event::Clicks, 0.05).unwrap();
    let chance = propensity * rate;
    let mean = chance * of(clicked) + (1.0 - chance) * of(0.0);
    assert!((mean - of(rate)).abs() < 1e-5, "{mean}, expected {}", of(rate));
    let cut = chance * of(clicked.min(1.0)) + (1.0 - chance) * of(0.0);
    assert!((cut - of(rate)).abs() > 0.1, "{cut}");
}
