//! How runs went: loss and dev metric over steps.

use crate::LabError;
use crate::cell::{Cell, Role};
use crate::run::Lab;
use crate::search::Search;
use serde::Serialize;
use sextant_train::History;

/// The curves of a finished run.
#[derive(Debug, Clone, Serialize)]
pub struct TrainingCurve {
    /// The run.
    pub run: String,
    /// What the run has in common with those that it is drawn with: a system, the points of the learning
    /// curves of a backbone, or the search.
    pub group: String,
    /// The loss at steps; means of spans where there are many steps.
    pub loss: Vec<(f64, f64)>,
    /// The dev metric at steps.
    pub dev: Vec<(f64, f64)>,
}

/// The most points of a curve: dozens of runs fit into one page.
pub(crate) const POINTS: usize = 60;

/// The curves of all finished runs that have kept their logs, those of the search last.
pub(crate) fn curves(lab: &Lab, search: Option<&Search>) -> Result<Vec<TrainingCurve>, LabError> {
    let mut found = Vec::new();
    for cell in lab.grid.cells.iter().chain(search.iter().flat_map(|search| search.cells())) {
        let log = lab.run_folder(cell.name()).log();
        if lab.entry(cell).is_none() || !log.exists() {
            continue;
        }
        let history = History::read(&log)?;
        found.push(TrainingCurve {
            run: cell.name().to_owned(),
            group: group(cell),
            loss: history.loss(POINTS),
            dev: history.dev(POINTS),
        });
    }
    Ok(found)
}

fn group(cell: &Cell) -> String {
    let backbone = &cell.backbone;
    match cell.role {
        Role::Routing | Role::Variant => cell.label(),
        Role::Single { .. } => format!("{backbone}-single-task"),
        Role::EqualSteps { .. } => format!("{backbone}-single-task, equal steps"),
        Role::Curve { .. } => format!("{backbone}, learning curves"),
        Role::Pair { .. } | Role::Gradients => format!("{backbone}, affinity"),
        Role::Trial { .. } => format!("{backbone}, search"),
    }
}
