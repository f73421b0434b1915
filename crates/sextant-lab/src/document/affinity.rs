//! The section on which tasks help which.

use super::{Entry, Section, Table, percent, points};
use crate::LabError;
use crate::facts::spoken_duration;
use crate::findings::{Affinity, Grouping};
use crate::render::{p_text, signed};
use crate::run::Lab;
use sextant_core::Task;

/// Which tasks help which in a lab, without the rest of its report.
#[derive(Debug)]
pub struct AffinityReport(Vec<Affinity>);

impl AffinityReport {
    /// Computes it from the finished runs.
    ///
    /// # Errors
    /// Kept predictions do not fit the data.
    pub fn new(lab: &Lab) -> Result<Self, LabError> {
        Ok(Self(Affinity::of_lab(lab)?))
    }

    /// The tables for a terminal; `None` if no run is finished.
    pub fn to_text(&self) -> Option<String> {
        Some(section(&self.0)?.to_text())
    }

    /// The same for machines.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }
}

pub(super) fn section(affinities: &[Affinity]) -> Option<Section> {
    if affinities.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "affinity",
        "Which tasks help which",
        &[
            "Gain: test accuracy of the task of the row in a model of it and the task of the column, minus that of its own model, in percentage points; means over seeds. †: the interval excludes 0, without a correction for the number of entries.",
            "Cosine and lookahead are estimates from one model of all tasks: the mean cosine of the gradients of both tasks on the weights that they share, and the share of its loss by which a step along the gradient of the column's task lowers that of the row's task, to first order.",
        ],
    );
    for found in affinities {
        section.text.extend(summary(found));
        section.tables.extend(tables(found));
    }
    Some(section)
}

/// The paragraphs about one backbone.
fn summary(found: &Affinity) -> Vec<String> {
    let [dear, cheap] = found.seconds.map(spoken_duration);
    let seeds: Vec<String> = found.seeds.iter().map(u64::to_string).collect();
    let mut text = vec![format!(
        "{}, {}, seeds {}: the models of one and two tasks took {dear} of training, the one whose gradients were measured {cheap} ({} looks).",
        found.backbone,
        found.routing,
        seeds.join(", "),
        found.looks
    )];
    if found.groups.is_empty() {
        text.push(
            "Not all of these runs are finished, so that nothing follows from them yet.".into(),
        );
    }
    for forecast in &found.forecasts {
        text.push(match forecast.correlation {
            Some(found) => format!(
                "The {} ranks the gains with a correlation of {:.2} (Spearman; p-value {}, by permutations of the tasks).",
                forecast.estimate, found.spearman, p_text(found.p_value)
            ),
            None => format!("The {} has no rank correlation with the gains: all entries of one of them are equal.", forecast.estimate),
        });
    }
    text
}

fn tables(found: &Affinity) -> Vec<Table> {
    let backbone = &found.backbone;
    let most = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).fold(0.0, f64::max);
    let gains = found.gain.iter().flatten().flatten().map(|gain| gain.mean.value);
    let largest = most(&mut gains.into_iter());
    let of_gain = |i: usize, j: usize| {
        found.gain[i][j].as_ref().map_or_else(Entry::missing, |gain| Entry {
            shade: shade(gain.mean.value, largest),
            ..Entry::points(gain.mean)
        })
    };
    let mut tables = vec![matrix(found, "gain", "gain, percentage points", true, &of_gain)];
    // A single step lowers a loss by little.
    for (id, caption, of, unit) in [
        ("cosine", "cosine", &found.cosine, 1.0),
        ("lookahead", "lookahead, thousandths of the loss", &found.lookahead, 1e-3),
    ] {
        let largest = most(&mut of.iter().flatten().flatten().copied());
        let entry = |i: usize, j: usize| {
            of[i][j].map_or_else(Entry::missing, |value| Entry {
                shade: shade(value, largest),
                ..Entry::number(signed(value / unit, 2))
            })
        };
        tables.push(matrix(found, id, caption, false, &entry));
    }
    if !found.groups.is_empty() {
        tables.push(groups(found));
    }
    for table in &mut tables {
        table.caption = format!("{backbone}: {}", table.caption);
    }
    tables
}

/// The shade of a positive number; negative ones have none.
fn shade(value: f64, largest: f64) -> Option<f64> {
    (value > 0.0 && largest > 0.0).then(|| value / largest)
}

fn matrix(
    found: &Affinity,
    id: &str,
    caption: &str,
    alone: bool,
    entry: &dyn Fn(usize, usize) -> Entry,
) -> Table {
    let tasks = &found.tasks;
    let mut header = vec!["task".to_owned()];
    if alone {
        header.push("alone, %".into());
    }
    header.extend(tasks.iter().map(|task| format!("with {task}")));
    let row = |(i, task): (usize, &Task)| {
        let mut entries = vec![Entry::word(task.as_str())];
        if alone {
            let accuracy = found.single[i].map(|found| Entry::number(percent(found)));
            entries.push(accuracy.unwrap_or_else(Entry::missing));
        }
        entries
            .extend((0..tasks.len()).map(|j| if i == j { Entry::number("") } else { entry(i, j) }));
        entries
    };
    Table {
        id: format!("affinity-{id}-{}", found.backbone),
        caption: caption.to_owned(),
        header,
        rows: tasks.iter().enumerate().map(row).collect(),
        ..Table::default()
    }
}

/// The best groups for each number of groups, by the gains and by the estimates.
fn groups(found: &Affinity) -> Table {
    let best = |groups: &[Grouping]| {
        groups.iter().map(|g| g.expected_gain).fold(f64::NEG_INFINITY, f64::max)
    };
    let ways = std::iter::once(("gain", &found.groups))
        .chain(found.forecasts.iter().map(|forecast| (forecast.estimate, &forecast.groups)));
    let top = best(&found.groups);
    let mut rows = Vec::new();
    for (way, groups) in ways {
        for grouping in groups {
            let names = |group: &Vec<Task>| {
                let names: Vec<&str> = group.iter().map(|task| task.as_str()).collect();
                names.join(" + ")
            };
            let text: Vec<String> = grouping.groups.iter().map(names).collect();
            rows.push(vec![
                Entry::number(grouping.groups.len().to_string()),
                Entry::word(way),
                Entry::word(text.join("; ")),
                Entry {
                    best: way == "gain" && grouping.expected_gain == top,
                    ..Entry::number(points(grouping.expected_gain))
                },
            ]);
        }
    }
    Table {
        id: format!("affinity-groups-{}", found.backbone),
        caption: "groups of tasks, the best of all partitions by each measure, and the mean gain that the pairs let expect".into(),
        header: ["models", "by", "groups", "expected gain"].map(str::to_owned).into(),
        rows,
        ..Table::default()
    }
}
