//! Weights of an ensemble's members, fitted on dev rows.

use sextant_core::{Grade, Prediction};

/// Iterations of the fit. The likelihood is concave, and grows in each iteration.
const ROUNDS: usize = 500;

/// The weights under which the members' mixture `Σ_m w_m p_m(grade)` gives the true grades the
/// largest likelihood, by expectation maximisation (Dempster, Laird & Rubin 1977). They are 0 or
/// more and sum to 1.
///
/// `answers[m][i]` is member m's answer for row i, or `None` where the member is not asked. The credit
/// for a row is shared among the members that answer it.
pub fn fit_weights(answers: &[Vec<Option<Prediction>>], grades: &[Grade]) -> Vec<f64> {
    let members = answers.len();
    let mut weights = vec![1.0 / members.max(1) as f64; members];
    let likelihoods: Vec<Vec<Option<f64>>> = answers
        .iter()
        .map(|answers| {
            let of = |(answer, grade): (&Option<Prediction>, &Grade)| {
                answer.map(|answer| f64::from(answer.probs[grade.index()]).max(1e-12))
            };
            answers.iter().zip(grades).map(of).collect()
        })
        .collect();
    for _ in 0..ROUNDS {
        let mut credit = vec![0.0; members];
        let mut chances = vec![0.0; members];
        for row in 0..grades.len() {
            let asked =
                || likelihoods.iter().enumerate().filter_map(|(m, of)| of[row].map(|p| (m, p)));
            let total: f64 = asked().map(|(m, p)| weights[m] * p).sum();
            let share: f64 = asked().map(|(m, _)| weights[m]).sum();
            if total <= 0.0 || asked().nth(1).is_none() {
                continue; // a row that fewer than two members answer says nothing about weights
            }
            for (m, p) in asked() {
                credit[m] += weights[m] * p / total;
                chances[m] += weights[m] / share;
            }
        }
        // If every member answers every row, `chances` is the weight times the number of rows, and this
        // is the textbook's step. If members answer different tasks, each is measured on the rows that
        // it answers.
        for m in 0..members {
            if chances[m] > 0.0 {
                weights[m] *= credit[m] / chances[m];
            }
        }
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "answers may be missing")]
    fn answer(right: f32) -> Option<Prediction> {
        Some(Prediction::new([right, (1.0 - right) / 2.0, (1.0 - right) / 2.0]))
    }

    /// The fit is a maximum: no shift of weight between members raises the likelihood.
    #[test]
    fn weights_maximise_the_likelihood() {
        let grades = vec![Grade::Irrelevant; 6];
        let answers = vec![
            [0.9, 0.8, 0.2, 0.7, 0.9, 0.3].map(answer).to_vec(),
            [0.3, 0.2, 0.9, 0.3, 0.4, 0.8].map(answer).to_vec(),
            [0.2, 0.2, 0.3, 0.2, 0.3, 0.1].map(answer).to_vec(),
        ];
        let weights = fit_weights(&answers, &grades);
        let likelihood = |weights: &[f64]| -> f64 {
            let row = |row: usize| {
                let p = |m: usize| weights[m] * f64::from(answers[m][row].unwrap().probs[0]);
                (0..3).map(p).sum::<f64>().ln()
            };
            (0..6).map(row).sum()
        };
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(weights[2] < 1e-6, "{weights:?}");
        let best = likelihood(&weights);
        for (from, to) in [(0, 1), (1, 0), (0, 2), (1, 2)] {
            let mut moved = weights.clone();
            moved[from] -= 0.01;
            moved[to] += 0.01;
            assert!(likelihood(&moved) < best + 1e-9, "{from} to {to}: {weights:?}");
        }
    }

    #[test]
    fn members_that_nobody_can_replace_keep_equal_weights() {
        let grades = vec![Grade::Irrelevant; 2];
        let answers = vec![vec![answer(0.9), None], vec![None, answer(0.1)]];
        assert_eq!(fit_weights(&answers, &grades), [0.5, 0.5]);
    }
}
