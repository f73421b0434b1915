//! Chooses worked examples by how well the judge agrees with people when it is shown them.

use crate::{JudgeError, Judging, Ledger, Settings, Shot, Spent, pair_key, run};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sextant_core::{Example, Grade, Pair, Task};
use sextant_eval::{EvalOptions, Metric, Scored, evaluate};
use std::ops::ControlFlow;
use std::path::Path;

/// Which examples to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShotChoice {
    /// The number of examples of each task in a set.
    pub shots: usize,
    /// The number of sets that are drawn, besides the empty one.
    pub sets: usize,
    /// Decides which sets.
    pub seed: u64,
}

/// A set of examples, and how far the judge agrees with people when it is shown them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The examples.
    pub shots: Vec<Shot>,
    /// The mean over tasks of quadratic-weighted kappa, or, where no task has one, of accuracy minus 1, so that
    /// any kappa above chance is better.
    pub agreement: f64,
    /// The number of dev rows that it was measured on.
    pub rows: usize,
}

/// Tries the empty set and sets of labelled examples `from` the training rows, and returns all trials, the best
/// one first, with what they took. Of equal ones, the one with fewer examples is first.
///
/// Each set is judged on the same `dev` rows, with a ledger of its own in `folder`, so that a choice that was
/// killed goes on where it was. The examples of a set are drawn so that every grade is there as often as it can
/// be.
///
/// # Errors
/// Those of [`run`]; [`JudgeError::NoGrade`] if no dev row got a grade; [`JudgeError::Budget`] if the budget ends
/// before all sets were tried, since a choice among some of them would be another one than with a larger budget.
pub fn choose_shots(
    judging: Judging<'_>,
    settings: &Settings,
    choice: ShotChoice,
    from: &[Example],
    dev: &[Example],
    folder: &Path,
    mut observer: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(Vec<Trial>, Spent), JudgeError> {
    let pairs: Vec<Pair> = dev.iter().map(|example| example.pair.clone()).collect();
    let mut spent = Spent::default();
    let mut trials: Vec<Trial> = Vec::new();
    for set in 0..=choice.sets {
        let shots = if set == 0 { Vec::new() } else { draw(from, dev, choice, set as u64) };
        if trials.iter().any(|trial| trial.shots == shots) {
            continue;
        }
        let settings = Settings {
            shots: shots.clone(),
            budget: settings.budget.less(spent),
            ..settings.clone()
        };
        let prompt = settings.prompt.hash(&shots);
        let path = folder.join(format!("shots-{}.jsonl", &prompt[..12]));
        let mut ledger = Ledger::open(&path, settings.judge(&prompt))?;
        let judged = run(judging, &settings, &pairs, &mut ledger, &mut observer)?;
        if judged.left > 0 {
            return Err(JudgeError::Budget);
        }
        spent += ledger.spent();
        let answered = dev.iter().filter_map(|example| {
            let answer = ledger.get(&pair_key(&example.pair))?;
            Some(Scored::of(example, answer.prediction()))
        });
        let answered: Vec<Scored<'_>> = answered.collect();
        if answered.is_empty() {
            continue;
        }
        let report = evaluate(&answered, &EvalOptions::quick())?;
        let chance = || report.macro_value(Metric::Accuracy).unwrap_or(0.0) - 1.0;
        let agreement = report.macro_value(Metric::QuadraticKappa).unwrap_or_else(chance);
        trials.push(Trial { shots, agreement, rows: answered.len() });
    }
    // The sort is stable, and the empty set is the first.
    trials.sort_by(|a, b| b.agreement.total_cmp(&a.agreement));
    if trials.is_empty() {
        return Err(JudgeError::NoGrade(
            "no dev row got a grade, so that examples cannot be chosen by agreement".to_owned(),
        ));
    }
    Ok((trials, spent))
}

/// A set of examples for each task of the dev rows: of each grade in turn, as far as there are some.
fn draw(from: &[Example], dev: &[Example], choice: ShotChoice, set: u64) -> Vec<Shot> {
    let mut rng = ChaCha8Rng::seed_from_u64(choice.seed);
    rng.set_stream(set);
    let mut shots = Vec::new();
    for task in Task::ALL {
        if !dev.iter().any(|example| example.pair.task == task) {
            continue;
        }
        let mut of_grade = Grade::ALL.map(|grade| {
            let is_one = |e: &&Example| {
                e.pair.task == task && e.grade == grade && !dev.iter().any(|d| d.pair == e.pair)
            };
            let mut found: Vec<&Example> = from.iter().filter(is_one).collect();
            found.shuffle(&mut rng);
            found
        });
        let mut of_task: Vec<Shot> = Vec::new();
        // From the outer grades to the middle, so that two examples show both ends.
        let mut grades = [2, 0, 1].into_iter().cycle();
        while of_task.len() < choice.shots && of_grade.iter().any(|left| !left.is_empty()) {
            let taken = grades.next().and_then(|grade| of_grade[grade].pop());
            of_task.extend(taken.map(|e| Shot { pair: e.pair.clone(), grade: e.grade }));
        }
        of_task.shuffle(&mut rng);
        shots.extend(of_task);
    }
    shots
}
