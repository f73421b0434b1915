//! The loss by which a model learns from what people did when they were shown a pair.

use crate::{HeadKind, grade_probabilities};
use burn::tensor::{Tensor, TensorData};
use sextant_core::{Event, Grade};

/// The least probability of an event, and of none, so that their logarithms are numbers.
const LEAST: f32 = 1e-6;

/// How probable each event is when a pair of a grade is looked at, by event and grade.
pub type EventRates = [[f32; Grade::COUNT]; Event::COUNT];

/// What was observed of a pair, and how much it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObservedRates<'a> {
    /// The rate of each event among the impressions that were looked at
    /// ([`Behaviour::rate`](sextant_core::Behaviour::rate)); absent if the event was not counted.
    pub rates: [Option<f32>; Event::COUNT],
    /// The rates of the events by grade, for pairs of this kind.
    pub by_grade: &'a EventRates,
    /// The weight of the row's loss.
    pub weight: f32,
}

/// The loss of each row multiplied by the row's weight, `[rows]`. `events` are the weights of the events among each
/// other.
///
/// A pair of a grade has the rate r of its grade, so that a model which believes in the grades by probabilities p
/// expects the rate `q = Σ p_g r_g` (a mixture; the forward correction of Patrini et al. 2017). The loss of an event is
/// the cross-entropy of q from the observed rate t, `−t log q − (1 − t) log (1 − q)`, and that of a row the weighted
/// mean over the events that were counted. It is linear in t, so that with a t whose expectation is the true rate, as
/// inverse propensity gives it, the expectation of the loss is that for the true rate, also where a single t exceeds
/// 1. Since q cannot leave the rates of the grades, such a t has no infinite reward.
pub fn behaviour_losses(
    logits: Tensor<2>,
    head: HeadKind,
    observed: &[ObservedRates<'_>],
    events: &[f32; Event::COUNT],
) -> Tensor<1> {
    let (device, rows) = (logits.device(), observed.len());
    let probs = grade_probabilities(logits, head);
    let mut losses = Tensor::<2>::zeros([rows, 1], &device);
    for event in Event::ALL.map(Event::index) {
        // The share of the event in the loss of each row.
        let share = |row: &ObservedRates<'_>| {
            let total: f32 = row.rates.iter().zip(events).filter_map(|(t, w)| t.map(|_| w)).sum();
            let own = row.rates[event].map_or(0.0, |_| events[event]);
            if total > 0.0 { row.weight * own / total } else { 0.0 }
        };
        let shares: Vec<f32> = observed.iter().map(share).collect();
        if shares.iter().all(|&share| share == 0.0) {
            continue;
        }
        let column =
            |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), &device);
        let by_grade = observed.iter().flat_map(|row| row.by_grade[event]).collect::<Vec<f32>>();
        let by_grade =
            Tensor::<2>::from_data(TensorData::new(by_grade, [rows, Grade::COUNT]), &device);
        let t = column(observed.iter().map(|row| row.rates[event].unwrap_or(0.0)).collect());
        let q = (probs.clone() * by_grade).sum_dim(1).clamp(LEAST, 1.0 - LEAST);
        let none = (q.clone().neg() + 1.0).log();
        let entropy = none.clone() + t * (q.log() - none);
        losses = losses - entropy * column(shares);
    }
    losses.squeeze_dim::<1>(1)
}
