//! Temperature scaling (Guo et al. 2017): one number that makes a model's confidence match its accuracy.

use crate::Scored;
use sextant_core::{Grade, Prediction};

/// The least and the greatest temperature that the fit considers.
const RANGE: [f64; 2] = [0.02, 50.0];
/// Number of bisections of the range of `1 / T`, in which the log loss is convex.
const ROUNDS: usize = 80;

/// The probabilities at a temperature: `p^(1/T)`, normalised. The predicted grade does not change, whether it
/// is the most probable one or a rule decided it.
#[must_use]
pub fn at_temperature(prediction: Prediction, temperature: f64) -> Prediction {
    let logits = prediction.probs.map(|p| f64::from(p).max(1e-30).ln() / temperature);
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| (logit - most).exp());
    let sum: f64 = powers.iter().sum();
    Prediction::new(powers.map(|power| (power / sum) as f32)).decided_as(prediction.decided())
}

/// The temperature at which the log loss of rows is least; 1 without rows. Fit it on rows that the model
/// was not trained on, and that no reported number is computed from.
pub fn fit_temperature(rows: &[Scored<'_>]) -> f64 {
    if rows.is_empty() {
        return 1.0;
    }
    let logits: Vec<([f64; Grade::COUNT], usize, f64)> = rows
        .iter()
        .map(|row| {
            let logits = row.prediction.probs.map(|p| f64::from(p).max(1e-30).ln());
            (logits, row.grade.index(), f64::from(row.weight))
        })
        .collect();
    // The derivative of the loss with respect to b = 1/T: Σ w (E_b[logit] − logit of the true grade).
    let slope = |b: f64| -> f64 {
        let row = |&(logits, grade, weight): &([f64; Grade::COUNT], usize, f64)| {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers = logits.map(|logit| (b * (logit - most)).exp());
            let sum: f64 = powers.iter().sum();
            let mean: f64 = powers.iter().zip(logits).map(|(power, logit)| power * logit).sum();
            weight * (mean / sum - logits[grade])
        };
        logits.iter().map(row).sum()
    };
    let (mut low, mut high) = (1.0 / RANGE[1], 1.0 / RANGE[0]);
    for _ in 0..ROUNDS {
        let middle = f64::midpoint(low, high);
        if slope(middle) > 0.0 { high = middle } else { low = middle }
    }
    1.0 / f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Task;

    /// Answers that are overconfident by a known factor: the fit finds it.
    #[test]
    fn finds_the_temperature_that_was_applied() {
        // In each block of ten rows, grade 0 is true 7 times, grade 1 twice, grade 2 once, and the
        // calibrated answer says so.
        let calibrated = Prediction::new([0.7, 0.2, 0.1]);
        let sure = at_temperature(calibrated, 0.5);
        let rows: Vec<Scored<'_>> = (0..100)
            .map(|i| {
                let grade = Grade::ALL[usize::from(i % 10 >= 7) + usize::from(i % 10 == 9)];
                Scored::new(Task::QueryType, grade, sure)
            })
            .collect();
        let temperature = fit_temperature(&rows);
        assert!((temperature - 2.0).abs() < 1e-4, "{temperature}");
        let back = at_temperature(sure, temperature);
        for (found, expected) in back.probs.iter().zip(calibrated.probs) {
            assert!((found - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn always_right_is_as_cold_as_may_be() {
        let row = Scored::new(Task::QueryType, Grade::Partial, Prediction::new([0.2, 0.5, 0.3]));
        assert!(fit_temperature(&[row]) < 0.0201);
        assert_eq!(fit_temperature(&[]), 1.0);
        let extreme = at_temperature(Prediction::new([1.0, 0.0, 0.0]), 0.02);
        assert_eq!(extreme.probs, [1.0, 0.0, 0.0]);
    }
}
