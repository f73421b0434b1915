//! What is gained by leaving the least sure rows unanswered (risk against coverage, El-Yaniv & Wiener
//! 2010).

use crate::Scored;
use serde::{Deserialize, Serialize};

/// A point of an abstention curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AbstentionPoint {
    /// The share of rows that are answered: those of the highest confidence.
    pub coverage: f64,
    /// The least confidence of an answered row: a row is answered if its confidence is at least this.
    pub threshold: f64,
    /// Accuracy on the answered rows.
    pub accuracy: f64,
}

/// The rows that are answered if answering requires a given confidence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    /// The confidence that a row needs to be answered.
    pub(crate) threshold: f32,
    /// Weight of the rows that are answered.
    pub(crate) weight: f64,
    /// Weight of the answered rows whose predicted grade is right.
    pub(crate) right: f64,
}

/// For each distinct confidence, the highest first, the rows of at least this confidence. Rows of equal
/// confidence are answered together, so the order of the rows makes no difference.
pub(crate) fn answered(rows: &[Scored<'_>]) -> Vec<Answered> {
    let mut sorted: Vec<&Scored<'_>> = rows.iter().collect();
    sorted.sort_by(|a, b| b.prediction.confidence().total_cmp(&a.prediction.confidence()));
    let mut found: Vec<Answered> = Vec::new();
    let (mut weight, mut right) = (0.0, 0.0);
    for row in sorted {
        let threshold = row.prediction.confidence();
        weight += f64::from(row.weight);
        right += if row.is_correct() { f64::from(row.weight) } else { 0.0 };
        let step = Answered { threshold, weight, right };
        match found.last_mut() {
            Some(last) if last.threshold == threshold => *last = step,
            _ => found.push(step),
        }
    }
    found
}

/// The abstention curve, from few answered rows to all of them: at most `points` points, about evenly
/// spaced in coverage. Rows of equal confidence are answered together.
pub fn abstention_curve(rows: &[Scored<'_>], points: usize) -> Vec<AbstentionPoint> {
    let steps = answered(rows);
    let total = steps.last().map_or(0.0, |all| all.weight);
    let mut curve: Vec<AbstentionPoint> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let due = (curve.len() + 1) as f64 / points.max(1) as f64;
        let coverage = step.weight / total;
        if index + 1 == steps.len() || coverage >= due {
            curve.push(AbstentionPoint {
                coverage,
                threshold: f64::from(step.threshold),
                accuracy: step.right / step.weight,
            });
        }
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::{Grade, Prediction, Task};

    fn row(confidence: f32, right: bool) -> Scored<'static> {
        let rest = (1.0 - confidence) / 2.0;
        let grade = if right { Grade::Irrelevant } else { Grade::Relevant };
        Scored::new(Task::QueryType, grade, Prediction::new([confidence, rest, rest]))
    }

    #[test]
    fn the_surest_come_first_and_ties_come_together() {
        let rows = [row(0.6, false), row(0.9, true), row(0.8, true), row(0.8, false)];
        let curve = abstention_curve(&rows, 4);
        let found: Vec<_> = curve.iter().map(|point| (point.coverage, point.accuracy)).collect();
        assert_eq!(found, [(0.25, 1.0), (0.75, 2.0 / 3.0), (1.0, 0.5)]);
        assert_eq!(curve[1].threshold, f64::from(0.8_f32));
        assert!(abstention_curve(&[], 4).is_empty());
    }

    #[test]
    fn few_points_of_many_rows() {
        let rows: Vec<_> = (0..1000_u16).map(|i| row(0.4 + f32::from(i) / 2000.0, true)).collect();
        let curve = abstention_curve(&rows, 50);
        assert!((45..=50).contains(&curve.len()), "{}", curve.len());
        assert_eq!(curve.last().map(|point| point.coverage), Some(1.0));
    }
}
