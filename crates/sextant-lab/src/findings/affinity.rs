//! Which tasks help which: the gain of every task from every other by models of two tasks (Standley et al. 2020), an
//! estimate of it from the gradients of one run (Fifty et al. 2021), and the groups of tasks that follow.

use super::systems::{Judge, Member, System, member};
use crate::LabError;
use crate::cell::{Cell, Role};
use crate::run::Lab;
use serde::Serialize;
use sextant_core::Task;
use sextant_eval::{Bootstrap, MatrixCorrelation, RowMean, matrix_correlation};
use sextant_train::{Summary, TaskAffinity};
use std::collections::BTreeMap;

/// Numbers by two tasks, in the order of [`Affinity::tasks`]: the task that is helped, then the one that helps. There is
/// none on the diagonal, nor where a run is missing.
pub type TaskMatrix<T> = Vec<Vec<Option<T>>>;

/// Which tasks help which, for one backbone.
#[derive(Debug, Clone, Serialize)]
pub struct Affinity {
    /// The backbone.
    pub backbone: String,
    /// The routing of the models of several tasks.
    pub routing: String,
    /// Seeds of which any model is finished.
    pub seeds: Vec<u64>,
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The accuracy of a task's own model on its test rows.
    pub single: Vec<Option<f64>>,
    /// The accuracy of a task in the model of two tasks minus that of its own model.
    pub gain: TaskMatrix<RowMean>,
    /// The mean cosine of the tasks' gradients.
    pub cosine: TaskMatrix<f64>,
    /// The first-order lookahead affinity: [`TaskAffinity::lookahead`].
    pub lookahead: TaskMatrix<f64>,
    /// The fewest looks at the gradients of any two tasks.
    pub looks: u64,
    /// Seconds of training of the models of one and of two tasks, and of the run whose gradients were measured.
    pub seconds: [f64; 2],
    /// How well the gradients forecast the gains; empty until all runs are finished.
    pub forecasts: Vec<Forecast>,
    /// The best groups for each number of groups, by the gains; empty until all runs are finished.
    pub groups: Vec<Grouping>,
}

/// How well one of the estimates from gradients forecasts the gains.
#[derive(Debug, Clone, Serialize)]
pub struct Forecast {
    /// `cosine` or `lookahead`.
    pub estimate: &'static str,
    /// The rank correlation with the gains; `None` if it is not defined.
    pub correlation: Option<MatrixCorrelation>,
    /// The best groups by the estimate, one entry for each number of groups.
    pub groups: Vec<Grouping>,
}

/// Tasks in groups, each of which is to be one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grouping {
    /// The groups.
    pub groups: Vec<Vec<Task>>,
    /// The mean over tasks of the gain that the pairs let expect: that of a task in a group is the mean of its gains
    /// from the others, and 0 for a task alone (Standley et al. 2020).
    pub expected_gain: f64,
}

impl Affinity {
    /// The affinities of a lab, one for each backbone of which runs are finished.
    ///
    /// # Errors
    /// Kept predictions do not fit the data.
    pub fn of_lab(lab: &Lab) -> Result<Vec<Self>, LabError> {
        let replicates = lab.grid.recipe.report.replicates;
        let bootstrap = Bootstrap { replicates, ..Bootstrap::default() };
        let judge = Judge { test: &lab.data.dataset.test, tasks: lab.grid.tasks(), bootstrap };
        affinities(lab, &judge)
    }
}

/// The affinities of a lab: one for each backbone of which runs are finished.
pub(crate) fn affinities(lab: &Lab, judge: &Judge<'_>) -> Result<Vec<Affinity>, LabError> {
    let Some(recipe) = &lab.grid.recipe.affinity else { return Ok(Vec::new()) };
    let routings = &lab.grid.recipe.grid.routings;
    let Some(routing) = recipe.routing.or_else(|| routings.first().copied()) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<Affinity> = Vec::new();
    for cell in lab.grid.cells.iter().filter(|cell| cell.role == Role::Gradients) {
        if found.iter().any(|affinity| affinity.backbone == cell.backbone) {
            continue;
        }
        let affinity = affinity(lab, judge, &cell.backbone, routing.label())?;
        if !affinity.seeds.is_empty() {
            found.push(affinity);
        }
    }
    Ok(found)
}

fn affinity(
    lab: &Lab,
    judge: &Judge<'_>,
    backbone: &str,
    routing: String,
) -> Result<Affinity, LabError> {
    let tasks = judge.tasks.clone();
    let mut runs = Runs::default();
    for cell in lab.grid.cells.iter().filter(|cell| cell.backbone == backbone) {
        runs.add(lab, cell)?;
    }
    let matrix = |of: &dyn Fn(Task, Task) -> Result<Option<RowMean>, LabError>| {
        let line = |&to: &Task| {
            let entry = |&from: &Task| if to == from { Ok(None) } else { of(to, from) };
            tasks.iter().map(entry).collect::<Result<Vec<_>, LabError>>()
        };
        tasks.iter().map(line).collect::<Result<Vec<_>, LabError>>()
    };
    let gain = matrix(&|to, from| runs.gain(judge, to, from))?;
    let single = tasks.iter().map(|task| runs.accuracy(judge, *task)).collect();
    let estimates = |of: &dyn Fn(&TaskAffinity, Task, Task) -> Option<f64>| -> TaskMatrix<f64> {
        let entry = |to: Task, from: Task| {
            let all: Option<Vec<f64>> = runs.measured.iter().map(|run| of(run, from, to)).collect();
            let all = all.filter(|all| !all.is_empty() && to != from)?;
            Some(all.iter().sum::<f64>() / all.len() as f64)
        };
        tasks.iter().map(|&to| tasks.iter().map(|&from| entry(to, from)).collect()).collect()
    };
    let cosine = estimates(&TaskAffinity::cosine);
    let lookahead = estimates(&TaskAffinity::lookahead);
    let pairs = tasks.iter().flat_map(|&a| tasks.iter().map(move |&b| (a, b)));
    let pairs = pairs.filter(|(a, b)| a != b);
    let looks =
        runs.measured.iter().flat_map(|run| pairs.clone().map(move |(a, b)| run.looks(a, b)));
    let looks = looks.min().unwrap_or(0);
    let gains: TaskMatrix<f64> = gain
        .iter()
        .map(|line| line.iter().map(|found| found.as_ref().map(|gain| gain.mean.value)).collect())
        .collect();
    let (mut forecasts, mut groups) = (Vec::new(), Vec::new());
    if let Some(gains) = whole(&gains) {
        groups = best_groups(&tasks, &gains, &gains);
        for (estimate, matrix) in [("cosine", &cosine), ("lookahead", &lookahead)] {
            let Some(matrix) = whole(matrix) else { continue };
            forecasts.push(Forecast {
                estimate,
                correlation: matrix_correlation(&gains, &matrix),
                groups: best_groups(&tasks, &centred(&matrix), &gains),
            });
        }
    }
    Ok(Affinity {
        backbone: backbone.to_owned(),
        routing,
        seeds: runs.seeds(),
        tasks,
        single,
        gain,
        cosine,
        lookahead,
        looks,
        seconds: runs.seconds,
        forecasts,
        groups,
    })
}

/// The finished runs of a backbone.
#[derive(Default)]
struct Runs {
    single: BTreeMap<Task, Vec<Member>>,
    pairs: BTreeMap<[Task; 2], Vec<Member>>,
    measured: Vec<TaskAffinity>,
    measured_seeds: Vec<u64>,
    seconds: [f64; 2],
}

impl Runs {
    fn add(&mut self, lab: &Lab, cell: &Cell) -> Result<(), LabError> {
        match cell.role {
            Role::Single { .. } | Role::Pair { .. } => {
                let Some(member) = member(lab, cell)? else { return Ok(()) };
                self.seconds[0] += member.runs.iter().map(|run| run.seconds).sum::<f64>();
                match cell.role {
                    Role::Pair { tasks } => self.pairs.entry(tasks).or_default().push(member),
                    Role::Single { task } => self.single.entry(task).or_default().push(member),
                    _ => {}
                }
            }
            Role::Gradients => {
                let Some(entry) = lab.entry(cell) else { return Ok(()) };
                let path = lab.run_folder(cell.name()).summary();
                let text = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
                let summary: Summary = serde_json::from_str(&text)?;
                self.seconds[1] += entry.seconds;
                self.measured.push(summary.affinity);
                self.measured_seeds.push(entry.seed);
            }
            _ => {}
        }
        Ok(())
    }

    /// The seeds of which a model of two tasks is finished, or the one whose gradients were measured.
    fn seeds(&self) -> Vec<u64> {
        let pairs = self.pairs.values().flatten().map(|member| member.seed);
        let mut seeds: Vec<u64> = pairs.chain(self.measured_seeds.iter().copied()).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// The gain of a task from another, over the seeds of which both models are finished.
    fn gain(&self, judge: &Judge<'_>, to: Task, from: Task) -> Result<Option<RowMean>, LabError> {
        let pair = self.pairs.get(&[to, from]).or_else(|| self.pairs.get(&[from, to]));
        let (Some(pair), Some(single)) = (pair, self.single.get(&to)) else { return Ok(None) };
        let both = |members: &[Member], others: &[Member]| {
            let known = |member: &&Member| others.iter().any(|other| other.seed == member.seed);
            system(members.iter().filter(known).cloned().collect())
        };
        let (pair, single) = (both(pair, single), both(single, pair));
        if pair.members.is_empty() {
            return Ok(None);
        }
        judge.difference(Some(to), &single, &pair)
    }

    fn accuracy(&self, judge: &Judge<'_>, task: Task) -> Option<f64> {
        let single = system(self.single.get(&task)?.clone());
        judge.plain(Some(task), |row| judge.right_of(&single, row))
    }
}

fn system(members: Vec<Member>) -> System {
    System {
        label: String::new(),
        backbone: String::new(),
        routing_label: String::new(),
        routing: None,
        members,
    }
}

/// A matrix with 0 on the diagonal; `None` if another entry is missing.
fn whole(matrix: &TaskMatrix<f64>) -> Option<Vec<Vec<f64>>> {
    let line = |(i, line): (usize, &Vec<Option<f64>>)| {
        line.iter().enumerate().map(|(j, x)| if i == j { Some(0.0) } else { *x }).collect()
    };
    matrix.iter().enumerate().map(line).collect()
}

/// A matrix less the mean of its entries off the diagonal. An estimate has no scale on which 0 means that a task had
/// better be alone, so that the mean is taken for that.
fn centred(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let off = |i: usize, j: usize| if i == j { 0.0 } else { matrix[i][j] };
    let sum: f64 = (0..size).flat_map(|i| (0..size).map(move |j| off(i, j))).sum();
    let mean = sum / (size * size.saturating_sub(1)).max(1) as f64;
    (0..size).map(|i| (0..size).map(|j| off(i, j) - mean).collect()).collect()
}

/// For each number of groups, the groups in which a task has the best mean of `worth`, found by trying all partitions,
/// of which six tasks have 203. Their expected gain is by `gains`.
fn best_groups(tasks: &[Task], worth: &[Vec<f64>], gains: &[Vec<f64>]) -> Vec<Grouping> {
    let mut best: Vec<Option<(f64, Vec<usize>)>> = vec![None; tasks.len() + 1];
    each_partition(tasks.len(), &mut |groups| {
        let count = groups.iter().max().map_or(0, |most| most + 1);
        let value = mean_in_groups(groups, worth);
        if best[count].as_ref().is_none_or(|(found, _)| value > *found) {
            best[count] = Some((value, groups.to_vec()));
        }
    });
    let grouping = |(_, of_tasks): (f64, Vec<usize>)| {
        let mut groups = vec![Vec::new(); of_tasks.iter().max().map_or(0, |most| most + 1)];
        tasks.iter().zip(&of_tasks).for_each(|(task, &group)| groups[group].push(*task));
        Grouping { groups, expected_gain: mean_in_groups(&of_tasks, gains) }
    };
    best.into_iter().flatten().map(grouping).collect()
}

/// The mean over tasks of the mean of a task's entries for the others of its group; 0 for a task alone. `groups` has
/// the group of each task.
fn mean_in_groups(groups: &[usize], matrix: &[Vec<f64>]) -> f64 {
    let of_task = |task: usize| {
        let others = (0..groups.len()).filter(|&i| i != task && groups[i] == groups[task]);
        let values: Vec<f64> = others.map(|other| matrix[task][other]).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    (0..groups.len()).map(of_task).sum::<f64>() / groups.len().max(1) as f64
}

/// Calls `each` with every partition of so many things, as the group of each thing. Groups are numbered in the order
/// of their first things, so that each partition comes once.
fn each_partition(things: usize, each: &mut impl FnMut(&[usize])) {
    fn extend(groups: &mut Vec<usize>, things: usize, each: &mut impl FnMut(&[usize])) {
        if groups.len() == things {
            return each(groups);
        }
        let open = groups.iter().max().map_or(0, |most| most + 1);
        for group in 0..=open {
            groups.push(group);
            extend(groups, things, each);
            groups.pop();
        }
    }
    extend(&mut Vec::new(), things, each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn six_tasks_have_203_partitions() {
        for (things, partitions) in [(1, 1), (2, 2), (3, 5), (4, 15), (5, 52), (6, 203)] {
            let mut found = BTreeSet::new();
            let mut calls = 0;
            each_partition(things, &mut |groups| {
                found.insert(groups.to_vec());
                calls += 1;
            });
            assert_eq!((found.len(), calls), (partitions, partitions));
        }
    }

    #[test]
    fn groups_are_the_best_of_all() {
        let tasks = &Task::ALL[..4];
        // 0 and 1 help each other, 2 and 3 a little, and everything else hurts; 2 gains most from 0, which it hurts.
        let gains = vec![
            vec![0.0, 0.04, -0.09, -0.02],
            vec![0.02, 0.0, -0.03, -0.01],
            vec![0.05, -0.01, 0.0, 0.01],
            vec![-0.02, -0.02, 0.01, 0.0],
        ];
        let found = best_groups(tasks, &gains, &gains);
        let [one, two, three, four] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(two.groups, [vec![tasks[0], tasks[1]], vec![tasks[2], tasks[3]]]);
        assert!((two.expected_gain - (0.04 + 0.02 + 0.01 + 0.01) / 4.0).abs() < 1e-12);
        assert_eq!(three.groups.len(), 3);
        assert_eq!(four.expected_gain, 0.0);
        assert_eq!(one.groups, [tasks.to_vec()]);
        assert!(two.expected_gain > three.expected_gain && one.expected_gain < 0.0);
        // Whatever the level of an estimate is, the same groups follow from it.
        let raised: Vec<Vec<f64>> =
            gains.iter().map(|line| line.iter().map(|x| x + 0.7).collect()).collect();
        let by_estimate = best_groups(tasks, &centred(&raised), &gains);
        assert_eq!(by_estimate[1], *two);
    }
}
