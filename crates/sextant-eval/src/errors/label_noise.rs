//! Labels that are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021).

use crate::Scored;
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, Task};

const GRADES: usize = Grade::COUNT;

/// Labels that are likely wrong. The predictions must be of a model that did not train on the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelNoise {
    /// The estimated number of wrong labels.
    pub estimated: f64,
    /// The rows whose labels are likely wrong, the most suspicious first: by the probability of their own grade
    /// minus that of the most probable other one.
    pub suspects: Vec<usize>,
    /// The estimated number of rows of each given grade (outer index) and true grade (inner index).
    pub joint: [[f64; GRADES]; GRADES],
}

/// Finds labels that are likely wrong, in each task by its own thresholds.
///
/// A row counts as confidently of a grade if the grade's probability is at least the mean probability of that grade
/// among the rows labelled with it. A row that is confidently of another grade than its own is suspect, unless its
/// own is the most probable. The estimate scales the counts of confident rows to the number of rows of each label
/// (cleanlab's `off_diagonal_calibrated`).
pub fn label_noise(rows: &[Scored<'_>]) -> LabelNoise {
    let mut joint = [[0.0; GRADES]; GRADES];
    let mut suspects = Vec::new();
    for task in Task::ALL {
        let members: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].task == task).collect();
        if !members.is_empty() {
            let found = of_task(rows, &members);
            for (sums, counts) in joint.iter_mut().flatten().zip(found.0.iter().flatten()) {
                *sums += counts;
            }
            suspects.extend(found.1);
        }
    }
    suspects.sort_by(|&a, &b| margin(&rows[a]).total_cmp(&margin(&rows[b])).then(a.cmp(&b)));
    let off_diagonal =
        |given: usize, truth: usize| if given == truth { 0.0 } else { joint[given][truth] };
    let estimated =
        (0..GRADES).flat_map(|given| (0..GRADES).map(move |truth| off_diagonal(given, truth)));
    LabelNoise { estimated: estimated.sum(), suspects, joint }
}

/// The joint of a task's rows, and its suspects.
fn of_task(rows: &[Scored<'_>], members: &[usize]) -> ([[f64; GRADES]; GRADES], Vec<usize>) {
    let mut sums = [0.0; GRADES];
    let mut labelled = [0.0; GRADES];
    for &row in members {
        let grade = rows[row].grade.index();
        sums[grade] += f64::from(rows[row].prediction.probs[grade]);
        labelled[grade] += 1.0;
    }
    // A grade that no row is labelled with is never confident.
    let threshold = |grade: usize| {
        if labelled[grade] > 0.0 { sums[grade] / labelled[grade] } else { f64::INFINITY }
    };
    let mut confident = [[0.0; GRADES]; GRADES];
    let mut suspects = Vec::new();
    for &row in members {
        let probs = rows[row].prediction.probs.map(f64::from);
        let given = rows[row].grade.index();
        // The tolerance, which cleanlab has, keeps rows that all have the same probability.
        let above = (0..GRADES).filter(|&grade| probs[grade] >= threshold(grade) - 1e-6);
        let Some(truth) = above.max_by(|&a, &b| probs[a].total_cmp(&probs[b]).then(b.cmp(&a)))
        else {
            continue;
        };
        confident[given][truth] += 1.0;
        if truth != given && rows[row].prediction.grade().index() != given {
            suspects.push(row);
        }
    }
    let mut joint = [[0.0; GRADES]; GRADES];
    for given in 0..GRADES {
        confident[given][given] = f64::max(confident[given][given], 1.0);
        let all: f64 = confident[given].iter().sum();
        joint[given] = confident[given].map(|count| count / all * labelled[given]);
    }
    (joint, suspects)
}

/// The probability of a row's own grade minus that of the most probable other one.
fn margin(row: &Scored<'_>) -> f64 {
    let own = row.grade.index();
    let others = (0..GRADES).filter(|&grade| grade != own);
    let best = others.map(|grade| row.prediction.probs[grade]).fold(f32::NEG_INFINITY, f32::max);
    f64::from(row.prediction.probs[own]) - f64::from(best)
}
