//! The systems that a report compares. A system is a backbone with a routing, trained with one or more
//! seeds, and its answers to the test and dev rows.

use crate::LabError;
use crate::cell::{Cell, Role};
use crate::ledger::LedgerEntry;
use crate::run::Lab;
use sextant_core::{Example, Prediction, Split, Task};
use sextant_eval::{Bootstrap, PairedAccuracy, PairedRow, RowMean, paired_accuracy, row_mean};
use sextant_model::Routing;

/// A backbone with a routing.
#[derive(Debug, Clone)]
pub(crate) struct System {
    /// Backbone and routing, such as `minilm-prefix`.
    pub(crate) label: String,
    pub(crate) backbone: String,
    pub(crate) routing_label: String,
    /// `None` for a system that has one model for each task.
    pub(crate) routing: Option<Routing>,
    pub(crate) members: Vec<Member>,
}

/// A system with one seed: one run, or one run for each task.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) seed: u64,
    pub(crate) runs: Vec<LedgerEntry>,
    /// An answer for each test row; `None` where no model answers the row's task.
    pub(crate) test: Vec<Option<Prediction>>,
    /// An answer for each dev row; `None` where training did not evaluate the row.
    pub(crate) dev: Vec<Option<Prediction>>,
}

/// The rows that systems are judged on.
pub(crate) struct Judge<'a> {
    pub(crate) test: &'a [Example],
    /// The tasks of the grid; rows of other tasks are left out.
    pub(crate) tasks: Vec<Task>,
    pub(crate) bootstrap: Bootstrap,
}

impl Judge<'_> {
    /// The rows of a task, or of all tasks of the grid.
    pub(crate) fn rows(&self, task: Option<Task>) -> impl Iterator<Item = usize> {
        (0..self.test.len()).filter(move |&row| {
            let found = self.test[row].pair.task;
            task.map_or_else(|| self.tasks.contains(&found), |task| found == task)
        })
    }

    /// The mean over the rows of a task, or of all tasks, of a number per row. `None` where some row has
    /// no number, because the mean would be over other rows.
    pub(crate) fn mean(
        &self,
        task: Option<Task>,
        number: impl Fn(usize) -> Option<f64>,
    ) -> Result<Option<RowMean>, LabError> {
        let (mut values, mut groups) = (Vec::new(), Vec::new());
        for row in self.rows(task) {
            let Some(value) = number(row) else { return Ok(None) };
            values.push(value);
            groups.push(self.test[row].group.as_deref());
        }
        if values.is_empty() {
            return Ok(None);
        }
        Ok(Some(row_mean(&values, &groups, &self.bootstrap)?))
    }

    /// The mean that [`Judge::mean`] computes, without an interval.
    pub(crate) fn plain(
        &self,
        task: Option<Task>,
        number: impl Fn(usize) -> Option<f64>,
    ) -> Option<f64> {
        let values: Option<Vec<f64>> = self.rows(task).map(number).collect();
        let values = values.filter(|values| !values.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    /// 1 where an answer is right and 0 where it is wrong; `None` without an answer.
    pub(crate) fn right(&self, row: usize, answer: Option<Prediction>) -> Option<f64> {
        answer.map(|answer| f64::from(u8::from(answer.grade() == self.test[row].grade)))
    }

    /// The share of a system's seeds that get a row right; `None` where a seed has no answer.
    pub(crate) fn right_of(&self, system: &System, row: usize) -> Option<f64> {
        let right: Option<f64> =
            system.members.iter().map(|member| self.right(row, member.test[row])).sum();
        right.map(|right| right / system.members.len() as f64)
    }

    /// The difference of two systems, second minus first, on the same rows.
    pub(crate) fn difference(
        &self,
        task: Option<Task>,
        first: &System,
        second: &System,
    ) -> Result<Option<RowMean>, LabError> {
        self.mean(task, |row| Some(self.right_of(second, row)? - self.right_of(first, row)?))
    }

    /// Both accuracies on the same rows, with the size of their difference; seeds are averaged. `None`
    /// where some row has no answer.
    pub(crate) fn paired(
        &self,
        task: Option<Task>,
        first: &System,
        second: &System,
    ) -> Result<Option<PairedAccuracy>, LabError> {
        let row = |row: usize| {
            Some(PairedRow {
                group: self.test[row].group.as_deref(),
                weight: 1.0,
                first: self.right_of(first, row)?,
                second: self.right_of(second, row)?,
            })
        };
        let rows: Option<Vec<_>> = self.rows(task).map(row).collect();
        match rows {
            Some(rows) if !rows.is_empty() => Ok(Some(paired_accuracy(&rows, &self.bootstrap)?)),
            _ => Ok(None),
        }
    }
}

impl System {
    /// The seeds of the system's members.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.seed).collect()
    }
}

/// The systems of a lab, with their finished runs, in the order of the grid. Systems with one model for
/// each task come last.
pub(crate) fn systems(lab: &Lab) -> Result<Vec<System>, LabError> {
    let mut systems: Vec<System> = Vec::new();
    for wanted in [0, 1, 2] {
        for cell in &lab.grid.cells {
            let (turn, routing_label, routing) = match cell.role {
                Role::Routing | Role::Variant => {
                    (0, cell.routing.clone(), Some(cell.recipe.model.routing))
                }
                Role::Single { .. } => (1, "single-task".to_owned(), None),
                Role::EqualSteps { .. } => (2, "single-task, equal steps".to_owned(), None),
                Role::Curve { .. } | Role::Pair { .. } | Role::Gradients | Role::Trial { .. } => {
                    continue;
                }
            };
            if turn == wanted {
                add(&mut systems, lab, cell, &routing_label, routing)?;
            }
        }
    }
    // A seed of which some task's model is missing cannot be averaged with others.
    for system in &mut systems {
        let most = system.members.iter().map(|member| member.runs.len()).max().unwrap_or(0);
        system.members.retain(|member| member.runs.len() == most);
    }
    Ok(systems)
}

/// Adds the run of a cell to its system, if it is finished.
fn add(
    systems: &mut Vec<System>,
    lab: &Lab,
    cell: &Cell,
    routing_label: &str,
    routing: Option<Routing>,
) -> Result<(), LabError> {
    let Some(member) = member(lab, cell)? else { return Ok(()) };
    let label = format!("{}-{routing_label}", cell.backbone);
    let index = systems.iter().position(|system| system.label == label).unwrap_or_else(|| {
        systems.push(System {
            label,
            backbone: cell.backbone.clone(),
            routing_label: routing_label.to_owned(),
            routing,
            members: Vec::new(),
        });
        systems.len() - 1
    });
    let members = &mut systems[index].members;
    match members.iter_mut().find(|there| there.seed == member.seed) {
        None => members.push(member),
        Some(there) => {
            there.runs.extend(member.runs);
            for (old, new) in [(&mut there.test, member.test), (&mut there.dev, member.dev)] {
                for (old, new) in old.iter_mut().zip(new) {
                    *old = old.or(new);
                }
            }
        }
    }
    Ok(())
}

/// A finished run with its answers.
pub(crate) fn member(lab: &Lab, cell: &Cell) -> Result<Option<Member>, LabError> {
    let Some(entry) = lab.entry(cell) else { return Ok(None) };
    let answers = |split: Split| -> Result<Vec<Option<Prediction>>, LabError> {
        let examples = lab.data.dataset.part(split);
        let found = lab.predictions(entry, split)?;
        let mut answers = vec![None; examples.len()];
        for (row, prediction) in found.rows.into_iter().zip(found.predictions) {
            answers[row] = Some(prediction);
        }
        Ok(answers)
    };
    Ok(Some(Member {
        seed: entry.seed,
        runs: vec![entry.clone()],
        test: answers(Split::Test)?,
        dev: answers(Split::Dev)?,
    }))
}
