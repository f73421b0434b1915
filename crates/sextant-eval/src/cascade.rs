//! What a cascade of two models gains for how many questions to the larger one.

use serde::{Deserialize, Serialize};
use sextant_core::Task;
use std::collections::BTreeMap;

/// A row that both models of a cascade answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CascadeRow {
    /// The row's task.
    pub task: Task,
    /// The confidence of the small model, by which the cascade decides.
    pub confidence: f32,
    /// Whether the small model is right, and whether the large one is.
    pub right: [bool; 2],
}

/// A way to divide the rows between the two models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CascadePoint {
    /// For each task, the confidence up to which its rows are passed on to the large model. Tasks that are not
    /// named pass on no row.
    pub thresholds: BTreeMap<Task, f32>,
    /// The share of rows that are passed on.
    pub passed_on: f64,
    /// The accuracy of the cascade.
    pub accuracy: f64,
}

/// The thresholds worth choosing from, the first of which passes on no row: with each next point, more rows are
/// passed on and more are answered right.
///
/// For each task, the rows in the order of the small model's confidence give a curve of gain over rows passed
/// on, of which the concave hull is kept. The segments of all tasks' hulls are then taken by how much they gain
/// per row, the steepest first, so that no other thresholds on the hulls give more for as many rows. The curve
/// ends where passing on more rows would gain nothing. Empty without rows.
pub fn cascade_curve(rows: &[CascadeRow]) -> Vec<CascadePoint> {
    let mut segments: Vec<Segment> = Vec::new();
    for task in Task::ALL {
        let of_task = rows.iter().filter(|row| row.task == task).copied().collect();
        segments.extend(hull(task, of_task));
    }
    // The sort is stable: segments of a task, which are steepest first, stay in their order.
    segments.sort_by(|a, b| b.slope().total_cmp(&a.slope()));
    if rows.is_empty() {
        return Vec::new();
    }
    let all = rows.len() as f64;
    let (mut passed_on, mut right) = (0, rows.iter().filter(|row| row.right[0]).count() as f64);
    let mut thresholds = BTreeMap::new();
    let mut points =
        vec![CascadePoint { thresholds: BTreeMap::new(), passed_on: 0.0, accuracy: right / all }];
    for segment in segments {
        thresholds.insert(segment.task, segment.threshold);
        passed_on += segment.rows;
        right += segment.gain;
        points.push(CascadePoint {
            thresholds: thresholds.clone(),
            passed_on: passed_on as f64 / all,
            accuracy: right / all,
        });
    }
    points
}

/// A part of a task's hull.
#[derive(Debug, Clone, Copy)]
struct Segment {
    task: Task,
    /// The confidence up to which rows are passed on at the segment's end.
    threshold: f32,
    /// The rows that it passes on besides those of the segments before it, and how many more are right.
    rows: usize,
    gain: f64,
}

impl Segment {
    fn slope(&self) -> f64 {
        self.gain / self.rows as f64
    }
}

/// The rising part of the concave hull of a task's gain over rows passed on, the steepest segment first.
fn hull(task: Task, mut rows: Vec<CascadeRow>) -> Vec<Segment> {
    rows.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
    let mut hull: Vec<Segment> = Vec::new();
    let (mut since, mut gain) = (0, 0.0);
    for (index, row) in rows.iter().enumerate() {
        since += 1;
        gain += f64::from(u8::from(row.right[1])) - f64::from(u8::from(row.right[0]));
        let threshold = match rows.get(index + 1) {
            None => 1.0,
            // Rows of equal confidence are passed on together.
            Some(next) if next.confidence == row.confidence => continue,
            // Between neighbouring numbers the middle may be the upper one, which is not passed on.
            Some(next) => match f32::midpoint(row.confidence, next.confidence) {
                middle if middle < next.confidence => middle,
                _ => row.confidence,
            },
        };
        let mut segment = Segment { task, threshold, rows: since, gain };
        (since, gain) = (0, 0.0);
        while let Some(before) = hull.pop_if(|before| before.slope() <= segment.slope()) {
            segment.rows += before.rows;
            segment.gain += before.gain;
        }
        hull.push(segment);
    }
    hull.retain(|segment| segment.gain > 0.0);
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(task: Task, confidence: f32, right: [bool; 2]) -> CascadeRow {
        CascadeRow { task, confidence, right }
    }

    const GAIN: [bool; 2] = [false, true];
    const LOSS: [bool; 2] = [true, false];
    const SAME: [bool; 2] = [true, true];

    #[test]
    fn a_hand_worked_curve() {
        use Task::{QueryQuery as Q, TypeType as T};
        let rows = [
            row(Q, 0.4, GAIN),
            row(Q, 0.5, SAME),
            row(Q, 0.6, GAIN),
            row(Q, 0.9, LOSS),
            row(T, 0.5, GAIN),
            row(T, 0.5, SAME),
            row(T, 0.7, GAIN),
            row(T, 0.8, SAME),
        ];
        let curve = cascade_curve(&rows);
        let shape: Vec<_> = curve.iter().map(|p| (8.0 * p.passed_on, 8.0 * p.accuracy)).collect();
        // First the surest gain, one row of Q; then three rows of T for two; then two of Q for one.
        assert_eq!(shape, [(0.0, 4.0), (1.0, 5.0), (4.0, 7.0), (6.0, 8.0)]);
        let last = &curve[3].thresholds;
        assert!((last[&Q] - 0.75).abs() < 1e-6 && (last[&T] - 0.75).abs() < 1e-6, "{last:?}");
        assert_eq!(cascade_curve(&[]), []);
    }

    #[test]
    fn a_large_model_that_is_no_better_is_never_asked() {
        let rows = [row(Task::QueryQuery, 0.4, LOSS), row(Task::QueryQuery, 0.6, GAIN)];
        assert_eq!(cascade_curve(&rows).len(), 1);
    }

    /// What a point states is what its thresholds do.
    #[test]
    fn points_state_what_their_thresholds_do() {
        let rows: Vec<_> = (0..600_u32)
            .map(|i| {
                let confidence = 0.34 + (i * 37 % 97) as f32 / 150.0;
                let right = [i * 7 % 10 < 6, i * 11 % 13 < 10];
                row(Task::ALL[i as usize % 6], confidence, right)
            })
            .collect();
        let curve = cascade_curve(&rows);
        assert!(curve.len() > 10);
        for point in &curve {
            let passed = |row: &CascadeRow| {
                point.thresholds.get(&row.task).is_some_and(|&at| row.confidence <= at)
            };
            let share = rows.iter().filter(|row| passed(row)).count() as f64 / 600.0;
            let right = rows.iter().filter(|row| row.right[usize::from(passed(row))]).count();
            assert!((share - point.passed_on).abs() < 1e-12);
            assert!((right as f64 / 600.0 - point.accuracy).abs() < 1e-12);
        }
        for pair in curve.windows(2) {
            assert!(pair[0].passed_on < pair[1].passed_on && pair[0].accuracy < pair[1].accuracy);
        }
    }
}
