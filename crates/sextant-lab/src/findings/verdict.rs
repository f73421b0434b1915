//! What to make of the findings: which system to ship, and how sure that is.
//!
//! Every system that answers all test rows is compared with the most accurate one, the leader, with the
//! uncertainty of test rows and seeds ([`SeededDifference`]). The leader is found on the same rows, yet no
//! more comparisons need to be counted than there are other systems: if the truly best system is thought
//! to be behind, then by one of its own comparisons with the others (Hsu 1981, "Simultaneous confidence
//! intervals for all distances from the 'best'").
//!
//! The cheapest system is shipped of which it is shown that it is at most a margin worse than the leader
//! (a test of non-inferiority), and the leader where no other is. That no difference is shown is not taken
//! to show that there is none.

use super::cost::Cost;
use super::ensembles::Ensembles;
use super::systems::{Judge, System};
use crate::LabError;
use crate::recipe::ReportRecipe;
use serde::Serialize;
use sextant_core::{Example, Grade, Task};
use sextant_eval::{Estimate, EvidenceNeeded, SeededDifference, holm};

/// What to ship.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// What the comparison came to.
    pub outcome: VerdictOutcome,
    /// The system to ship.
    pub ship: String,
    /// The most accurate system.
    pub leader: String,
    /// All systems that answer every row, the most accurate first.
    pub contenders: Vec<Contender>,
    /// The chance of any false statement about the leader, or about tasks.
    pub alpha: f64,
    /// How much accuracy is worth less than a lower cost.
    pub margin: f64,
    /// The accuracy of always answering each task's most frequent grade of the training rows.
    pub majority: f64,
    /// Number of test rows.
    pub rows: usize,
    /// Tasks on which another system is shown to be better than the one to ship, with the best of them.
    pub tasks: Vec<TaskLead>,
    /// What an ensemble of the shipped system's seeds would add.
    pub ensemble: Option<EnsembleOffer>,
}

/// What the comparison of systems came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictOutcome {
    /// There is one system, and nothing to compare it with.
    Alone,
    /// No system is shown to be better than the most frequent grade.
    NothingLearned,
    /// The leader is shipped, and every other system is shown to be behind.
    Winner,
    /// A system that is cheaper than the leader is shipped, since it is shown to be no more than the margin
    /// behind.
    Cheaper,
    /// The leader is shipped; some others are not shown to be behind.
    Undecided,
}

/// A system in the comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Contender {
    /// The system.
    pub system: String,
    /// Accuracy on all rows, with the interval over test rows.
    pub accuracy: Estimate,
    /// Number of seeds.
    pub seeds: usize,
    /// Number of parameters of the model, or of the models of all tasks together.
    pub parameters: u64,
    /// Test rows predicted in a second.
    pub rows_per_second: f64,
    /// How it compares with the leader; `None` for the leader, and where all test rows are of one group.
    pub behind: Option<Behind>,
}

/// A system's distance from the leader.
#[derive(Debug, Clone, Serialize)]
pub struct Behind {
    /// The system's accuracy minus the leader's, with an interval that holds together with those of all
    /// other systems.
    pub difference: Estimate,
    /// The p-value, multiplied by the number of comparisons.
    pub p_value: f64,
    /// Whether the difference is shown: the p-value is below alpha.
    pub shown: bool,
    /// Whether the interval lies above minus the margin: the system is no more than that worse.
    pub within_margin: bool,
    /// Whether the spread of seeds is part of this. It cannot be where a system has one seed.
    pub counts_seeds: bool,
    /// What would show a difference of this size.
    pub needed: EvidenceNeeded,
}

/// A task on which another system is better than the one to ship.
#[derive(Debug, Clone, Serialize)]
pub struct TaskLead {
    /// The task.
    pub task: Task,
    /// The system that is better.
    pub system: String,
    /// Its accuracy minus that of the system to ship, with the interval of 1 minus alpha.
    pub difference: Estimate,
    /// The p-value after Holm's correction over all systems and tasks.
    pub p_value: f64,
}

/// The best ensemble of the seeds of the system to ship.
#[derive(Debug, Clone, Serialize)]
pub struct EnsembleOffer {
    /// The ensemble's name.
    pub name: String,
    /// Number of members.
    pub members: usize,
    /// Accuracy beyond the mean of its members.
    pub gain: Estimate,
}

/// Costs that are closer than this are the same: numbers of parameters that differ by some heads.
const SAME_SIZE: f64 = 1.02;
/// The same of measured speeds, which differ from one measurement to the next.
const SAME_SPEED: f64 = 1.1;

/// Compares the systems. `None` if no system answers all rows.
pub(crate) fn verdict(
    systems: &[System],
    judge: &Judge<'_>,
    train: &[Example],
    costs: &[Cost],
    ensembles: &Ensembles,
    report: &ReportRecipe,
) -> Result<Option<Verdict>, LabError> {
    let (alpha, margin) = (report.alpha, report.margin);
    let mut found: Vec<(&System, Contender)> = Vec::new();
    for system in systems {
        let cost = costs.iter().find(|cost| cost.system == system.label);
        let mean = judge.mean(None, |row| judge.right_of(system, row))?;
        let (Some(cost), Some(mean)) = (cost, mean) else { continue };
        let contender = Contender {
            system: system.label.clone(),
            accuracy: mean.mean,
            seeds: system.members.len(),
            parameters: cost.parameters,
            rows_per_second: cost.rows_per_second,
            behind: None,
        };
        found.push((system, contender));
    }
    // The sort is stable, so that of equally good systems the first of the grid leads.
    found.sort_by(|a, b| b.1.accuracy.value.total_cmp(&a.1.accuracy.value));
    let Some(&(leader, _)) = found.first() else { return Ok(None) };
    let comparisons = (found.len() - 1).max(1) as f64;
    for (system, contender) in found.iter_mut().skip(1) {
        let difference = difference(None, leader, system, judge)?;
        contender.behind = difference.map(|found| {
            let p_value = (found.p_value() * comparisons).min(1.0);
            let interval = found.interval(1.0 - alpha / comparisons);
            Behind {
                difference: Estimate { value: found.value, interval: Some(interval) },
                p_value,
                shown: p_value < alpha,
                within_margin: interval.low > -margin,
                counts_seeds: found.seeds_variance.is_some(),
                needed: found.needed(alpha / comparisons),
            }
        });
    }
    let (systems, contenders): (Vec<&System>, Vec<Contender>) = found.into_iter().unzip();
    let chosen = cheapest(&contenders);
    let ship = systems[chosen];
    let usual = most_frequent(train);
    let is_usual = |row: usize| {
        let example = &judge.test[row];
        f64::from(u8::from(usual[example.pair.task.index()] == example.grade))
    };
    let beyond = judge.mean(None, |row| Some(judge.right_of(leader, row)? - is_usual(row)))?;
    let learned = beyond.is_none_or(|beyond| {
        beyond.mean.value > 0.0 && beyond.mean.interval.is_none_or(|interval| interval.low > 0.0)
    });
    let shown = contenders.iter().skip(1).all(|c| c.behind.as_ref().is_some_and(|b| b.shown));
    Ok(Some(Verdict {
        outcome: match (learned, systems.len(), chosen) {
            (false, ..) => VerdictOutcome::NothingLearned,
            (_, 1, _) => VerdictOutcome::Alone,
            (.., 0) if shown => VerdictOutcome::Winner,
            (.., 0) => VerdictOutcome::Undecided,
            _ => VerdictOutcome::Cheaper,
        },
        ship: ship.label.clone(),
        leader: leader.label.clone(),
        contenders,
        alpha,
        margin,
        majority: judge.plain(None, |row| Some(is_usual(row))).unwrap_or(0.0),
        rows: judge.rows(None).count(),
        tasks: task_leads(ship, &systems, judge, alpha)?,
        ensemble: offer(ship, ensembles),
    }))
}

/// The position of the system to ship: the leader, which is the first, or the cheapest of those that are
/// within the margin of it.
fn cheapest(contenders: &[Contender]) -> usize {
    let mut chosen = 0;
    for (index, contender) in contenders.iter().enumerate().skip(1) {
        let eligible = contender.behind.as_ref().is_some_and(|behind| behind.within_margin);
        if eligible && contender.is_cheaper_than(&contenders[chosen]) {
            chosen = index;
        }
    }
    chosen
}

impl Contender {
    /// Whether a system has fewer parameters than another, or as many and is faster.
    pub(crate) fn is_cheaper_than(&self, other: &Self) -> bool {
        let size = other.parameters as f64 / self.parameters.max(1) as f64;
        if (1.0 / SAME_SIZE..=SAME_SIZE).contains(&size) {
            return self.rows_per_second > SAME_SPEED * other.rows_per_second;
        }
        size > 1.0
    }
}

impl Verdict {
    /// A system of the comparison.
    pub(crate) fn contender(&self, system: &str) -> Option<&Contender> {
        self.contenders.iter().find(|contender| contender.system == system)
    }

    /// The smallest number of seeds of a system.
    pub(crate) fn fewest_seeds(&self) -> usize {
        self.contenders.iter().map(|contender| contender.seeds).min().unwrap_or(0)
    }
}

/// The difference of two systems on the rows of a task, or on all rows: second minus first. `None` where
/// one of them has no answer to some row, or all rows are of one group.
fn difference(
    task: Option<Task>,
    first: &System,
    second: &System,
    judge: &Judge<'_>,
) -> Result<Option<SeededDifference>, LabError> {
    let rows: Vec<usize> = judge.rows(task).collect();
    let apart = |&row: &usize| Some(judge.right_of(second, row)? - judge.right_of(first, row)?);
    let differences: Option<Vec<f64>> = rows.iter().map(apart).collect();
    let Some(differences) = differences.filter(|found| !found.is_empty()) else { return Ok(None) };
    let groups: Vec<_> = rows.iter().map(|&row| judge.test[row].group.as_deref()).collect();
    let by_seed = |system: &System| -> Vec<f64> {
        let seeds = system.members.iter();
        seeds
            .filter_map(|member| judge.plain(task, |row| judge.right(row, member.test[row])))
            .collect()
    };
    Ok(SeededDifference::new(&differences, &groups, &by_seed(first), &by_seed(second))?)
}

/// The tasks on which other systems are shown to be better than the one to ship.
fn task_leads(
    ship: &System,
    systems: &[&System],
    judge: &Judge<'_>,
    alpha: f64,
) -> Result<Vec<TaskLead>, LabError> {
    let mut tested = Vec::new();
    for &task in &judge.tasks {
        for system in systems.iter().filter(|system| system.label != ship.label) {
            if let Some(found) = difference(Some(task), ship, system, judge)? {
                tested.push((task, system.label.clone(), found));
            }
        }
    }
    let p_values: Vec<f64> = tested.iter().map(|(.., found)| found.p_value()).collect();
    let mut leads: Vec<TaskLead> = Vec::new();
    for ((task, system, found), p_value) in tested.into_iter().zip(holm(&p_values)) {
        if found.value <= 0.0 || p_value >= alpha {
            continue;
        }
        let interval = Some(found.interval(1.0 - alpha));
        let difference = Estimate { value: found.value, interval };
        let lead = TaskLead { task, system, difference, p_value };
        match leads.iter_mut().find(|lead| lead.task == task) {
            Some(best) if best.difference.value >= found.value => {}
            Some(best) => *best = lead,
            None => leads.push(lead),
        }
    }
    Ok(leads)
}

/// The ensemble of the seeds of a system that gains most, if the gain is beyond its interval.
fn offer(ship: &System, ensembles: &Ensembles) -> Option<EnsembleOffer> {
    let mine = ensembles.rows.iter().filter(|row| row.systems == [ship.label.as_str()]);
    let offers = mine.filter_map(|row| {
        let gain = row.gain.filter(|gain| gain.interval.is_some_and(|i| i.low > 0.0))?;
        Some(EnsembleOffer { name: row.name.clone(), members: row.members.len(), gain })
    });
    offers.max_by(|a, b| a.gain.value.total_cmp(&b.gain.value))
}

/// The most frequent grade of each task's training rows; irrelevant where there are none.
fn most_frequent(train: &[Example]) -> [Grade; Task::COUNT] {
    let mut counts = [[0_usize; Grade::COUNT]; Task::COUNT];
    for example in train {
        counts[example.pair.task.index()][example.grade.index()] += 1;
    }
    counts.map(|counts| {
        // Of equally frequent grades the lowest.
        let best = (0..Grade::COUNT).rev().max_by_key(|&grade| counts[grade]).unwrap_or(0);
        Grade::ALL[best]
    })
}
