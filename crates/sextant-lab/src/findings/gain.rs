//! What training tasks together is worth: multi-task minus single-task accuracy, task by task, at
//! equal data and at equal steps, and along learning curves.

use super::systems::{Judge, Member, System, member};
use crate::LabError;
use crate::cell::Role;
use crate::recipe::BackboneAxis;
use crate::run::Lab;
use serde::Serialize;
use sextant_core::Task;
use sextant_eval::{Estimate, RowMean};

/// The gain of a multi-task system over single-task models of the same backbone.
#[derive(Debug, Clone, Serialize)]
pub struct Gain {
    /// The multi-task system.
    pub system: String,
    /// The task; `None` for all rows.
    pub task: Option<Task>,
    /// Distinct training rows of the task.
    pub train_rows: usize,
    /// Multi-task accuracy.
    pub multi: f64,
    /// Single-task accuracy at equal data.
    pub single: f64,
    /// Their difference at equal data: both saw the same rows as often.
    pub equal_data: RowMean,
    /// The difference at equal steps: the single-task model ran as many steps as the multi-task
    /// model.
    pub equal_steps: Option<RowMean>,
}

/// Gains of every multi-task system.
pub(crate) fn gains(systems: &[System], judge: &Judge<'_>) -> Result<Vec<Gain>, LabError> {
    let mut found = Vec::new();
    for system in systems.iter().filter(|system| system.routing.is_some()) {
        let of = |routing: &str| {
            let label = format!("{}-{routing}", system.backbone);
            systems.iter().find(|other| other.routing.is_none() && other.label == label)
        };
        let Some(single) = of("single-task") else { continue };
        let equal_steps = of("single-task, equal steps");
        for task in Task::ALL.map(Some).into_iter().chain([None]) {
            let Some(equal_data) = judge.difference(task, single, system)? else { continue };
            let accuracy = |system: &System| {
                judge.plain(task, |row| judge.right_of(system, row)).unwrap_or(f64::NAN)
            };
            let steps = match equal_steps {
                Some(single) => judge.difference(task, single, system)?,
                None => None,
            };
            found.push(Gain {
                system: system.label.clone(),
                task,
                train_rows: train_rows(single, task),
                multi: accuracy(system),
                single: accuracy(single),
                equal_data,
                equal_steps: steps,
            });
        }
    }
    Ok(found)
}

/// Number of training rows of a task's single-task model, or of all single-task models together.
fn train_rows(single: &System, task: Option<Task>) -> usize {
    let runs = single.members.first().map(|member| member.runs.as_slice()).unwrap_or_default();
    let mine = runs.iter().filter(|run| task.is_none_or(|task| run.role == Role::Single { task }));
    mine.map(|run| run.train_rows).sum()
}

/// The learning curve of a task with one backbone.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// The backbone.
    pub backbone: String,
    /// The task whose training rows are reduced.
    pub task: Task,
    /// Points, smallest share first.
    pub points: Vec<CurvePoint>,
}

/// A point of a learning curve: accuracies on the task's test rows.
#[derive(Debug, Clone, Serialize)]
pub struct CurvePoint {
    /// The share of the task's training rows.
    pub share: f64,
    /// The number of these rows.
    pub train_rows: usize,
    /// Multi-task accuracy.
    pub multi: Option<Estimate>,
    /// Single-task accuracy.
    pub single: Option<Estimate>,
    /// Multi-task minus single-task.
    pub gain: Option<RowMean>,
}

/// The learning curves of a lab.
pub(crate) fn curves(lab: &Lab, judge: &Judge<'_>) -> Result<Vec<Curve>, LabError> {
    let grid = &lab.grid.recipe;
    let Some(recipe) = &grid.learning_curves else { return Ok(Vec::new()) };
    let routing = recipe.routing.or_else(|| grid.grid.routings.first().copied());
    let routing = routing.map(|routing| crate::cell::file_safe(&routing.label()));
    let seeds =
        recipe.seeds.clone().unwrap_or_else(|| grid.grid.seeds.iter().take(1).copied().collect());
    let mut curves = Vec::new();
    let wanted = |axis: &&BackboneAxis| axis.is_named_in(recipe.backbones.as_deref());
    for axis in grid.grid.backbones.iter().filter(wanted) {
        let backbone = crate::cell::file_safe(&axis.label());
        for &task in &recipe.tasks {
            let mut shares = recipe.shares.clone();
            shares.sort_by(f64::total_cmp);
            let mut points = Vec::new();
            for share in shares {
                let of = |single: bool| -> Result<Vec<Member>, LabError> {
                    let mut members = Vec::new();
                    for cell in lab.grid.cells.iter().filter(|cell| cell.backbone == backbone) {
                        let mine = match cell.role {
                            Role::Curve { task: t, share: s, single: one } => {
                                t == task && s == share && one == single
                            }
                            Role::Single { task: t } => share >= 1.0 && single && t == task,
                            Role::Routing => {
                                share >= 1.0 && !single && Some(&cell.routing) == routing.as_ref()
                            }
                            _ => false,
                        };
                        if mine && seeds.contains(&cell.recipe.seed) {
                            members.extend(member(lab, cell)?);
                        }
                    }
                    Ok(members)
                };
                points.push(point(share, task, &of(false)?, &of(true)?, judge)?);
            }
            curves.push(Curve { backbone: backbone.clone(), task, points });
        }
    }
    Ok(curves)
}

fn point(
    share: f64,
    task: Task,
    multi: &[Member],
    single: &[Member],
    judge: &Judge<'_>,
) -> Result<CurvePoint, LabError> {
    let right = |members: &[Member], row: usize| {
        let sum: Option<f64> =
            members.iter().map(|member| judge.right(row, member.test[row])).sum();
        sum.filter(|_| !members.is_empty()).map(|sum| sum / members.len() as f64)
    };
    let accuracy = |members: &[Member]| -> Result<Option<Estimate>, LabError> {
        Ok(judge.mean(Some(task), |row| right(members, row))?.map(|found| found.mean))
    };
    let alone = single.first().and_then(|member| member.runs.first());
    Ok(CurvePoint {
        share,
        train_rows: alone.map_or(0, |run| run.train_rows),
        multi: accuracy(multi)?,
        single: accuracy(single)?,
        gain: judge.mean(Some(task), |row| Some(right(multi, row)? - right(single, row)?))?,
    })
}
