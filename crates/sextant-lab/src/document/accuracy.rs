//! The sections on accuracy: the headline table, ensembles, the prefix, multi-task gains, learning
//! curves.

use super::plot::{Plot, Series};
use super::{Entry, Section, Table, differences, heads, p_value, percent};
use crate::LabError;
use crate::facts::count;
use crate::findings::{Findings, Score};
use sextant_core::Task;

pub(super) fn sections(findings: &Findings) -> Result<Vec<Section>, LabError> {
    let mut sections = vec![headline(findings)];
    sections.extend(ensembles(findings));
    sections.extend(ablation(findings));
    sections.extend(gains(findings)?);
    sections.extend(curves(findings)?);
    Ok(sections)
}

fn score(score: Option<&Score>) -> Entry {
    let Some(score) = score else { return Entry::missing() };
    let mut entry = Entry::percent(score.accuracy);
    if let Some(deviation) = score.seed_deviation {
        entry.detail = format!("{} ±{}", entry.detail, percent(deviation));
    }
    Entry { best: score.best, significant: score.significant, ..entry }
}

fn headline(findings: &Findings) -> Section {
    let table = &findings.headline;
    let mut section = Section::new(
        "accuracy",
        "Accuracy",
        &[
            "Percent of test rows whose grade is predicted right: the mean over seeds. Below it the interval, and after ± the standard deviation of the seeds. Bold: best of its column. Number of rows in brackets.",
        ],
    );
    if let Some(reference) = &table.reference {
        section.text.push(format!(
            "†: differs from {reference} (paired bootstrap on the same rows; p below {} after Holm's correction over the {} tests of this table).",
            findings.alpha, table.tests
        ));
    }
    let first = ["system", "seeds", "parameters"];
    let rows = table.rows.iter().map(|row| {
        let seeds: Vec<_> = row.seeds.iter().map(u64::to_string).collect();
        let mut entries = vec![
            Entry::word(&row.system),
            Entry::number(seeds.join(" ")),
            Entry::number(count(row.parameters)),
        ];
        entries.extend(row.scores.iter().map(|found| score(found.as_ref())));
        entries
    });
    section.tables.push(Table {
        id: "accuracy".into(),
        header: heads(&first, &table.columns).collect(),
        rows: rows.collect(),
        ..Table::default()
    });
    section.tables.extend(differences::tables(table));
    section
}

fn ensembles(findings: &Findings) -> Option<Section> {
    let table = &findings.ensembles;
    if table.rows.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "ensembles",
        "Ensembles",
        &[
            "The seeds of each system put together by each rule, and systems mixed. Gain: accuracy on all rows beyond the mean of the members, in percentage points. Weights of `weighted` are fitted on dev rows. Diversity, as means over pairs of members: share of rows with different predictions, Yule's Q of being right, Cohen's kappa of predictions.",
        ],
    );
    let first = ["members", "rule"];
    let mut header: Vec<String> = heads(&first, &table.columns).collect();
    header.extend(["gain", "disagreement", "Q", "kappa"].map(str::to_owned));
    let rows = table.rows.iter().map(|row| {
        let what = format!("{} × {}", row.members.len(), row.systems.join(", "));
        let mut entries = vec![Entry::word(what), Entry::word(row.rule.as_str())];
        entries.extend(row.scores.iter().map(|found| score(found.as_ref())));
        entries.push(row.gain.map_or_else(Entry::missing, Entry::points));
        let number = |value: Option<f64>| {
            value.map_or_else(Entry::missing, |value| Entry::number(format!("{value:.2}")))
        };
        let diversity = row.diversity;
        entries.push(
            diversity
                .map_or_else(Entry::missing, |found| Entry::number(percent(found.disagreement))),
        );
        entries.push(number(diversity.and_then(|found| found.q)));
        entries.push(number(diversity.and_then(|found| found.kappa)));
        entries
    });
    let rows = rows.collect();
    section.tables.push(Table { id: "ensembles".into(), header, rows, ..Table::default() });
    Some(section)
}

fn ablation(findings: &Findings) -> Option<Section> {
    let ablation = &findings.ablation;
    if ablation.drops.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "prefix",
        "What the prefix is worth",
        &[
            "Accuracy with the prefix minus accuracy without, in percentage points: the drop from removing it, mean over seeds. Intervals are not corrected for their number; †: 0 is outside.",
        ],
    );
    let columns = &findings.headline.columns;
    let rows = ablation.drops.iter().map(|drop| {
        let mut entries = vec![Entry::word(&drop.backbone), Entry::word(&drop.routing)];
        entries.extend(columns.iter().map(|column| {
            let found = drop.values.iter().find(|(task, _)| *task == column.task);
            found.map_or_else(Entry::missing, |(_, found)| Entry::points(found.mean))
        }));
        entries
    });
    section.tables.push(Table {
        id: "prefix-drops".into(),
        header: heads(&["backbone", "without the prefix"], columns).collect(),
        rows: rows.collect(),
        ..Table::default()
    });
    if !ablation.asymmetries.is_empty() {
        let rows = ablation.asymmetries.iter().map(|found| {
            vec![
                Entry::word(&found.of),
                Entry::word(&found.minus),
                Entry::points(found.difference.mean),
                p_value(found.difference.p_value),
            ]
        });
        section.tables.push(Table {
            id: "prefix-asymmetry".into(),
            caption: "How much drops differ on all rows: a drop minus another, both on the same resamples".into(),
            header: ["drop of", "minus drop of", "difference", "p"].map(str::to_owned).into(),
            rows: rows.collect(),
            ..Table::default()
        });
    }
    Some(section)
}

fn name(task: Option<Task>) -> &'static str {
    task.map_or("overall", Task::as_str)
}

fn gains(findings: &Findings) -> Result<Option<Section>, LabError> {
    let gains = &findings.gains;
    if gains.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "gains",
        "Multi-task gain",
        &[
            "Multi-task accuracy minus that of a model of the task alone, in percentage points. Equal data: both saw the same rows of the task as often. Equal steps: the single-task model ran as many steps as the multi-task model, so that it saw its rows more often. †: 0 is outside the interval.",
        ],
    );
    let systems = distinct(gains.iter().map(|gain| gain.system.as_str()));
    let series: Vec<Series> = systems
        .iter()
        .map(|&system| {
            let mine = gains.iter().filter(|gain| gain.system == system && gain.task.is_some());
            let mut series = Series::dots(system);
            for gain in mine {
                let mean = gain.equal_data.mean;
                series.add(gain.train_rows as f64, 100.0 * mean.value, None);
            }
            series
        })
        .collect();
    section.plots.push(
        Plot::new(
            "Gain at equal data against training rows of the task",
            "training rows",
            "gain, points",
        )
        .log_x()
        .zero()
        .draw(&series)?,
    );
    let rows = gains.iter().map(|gain| {
        vec![
            Entry::word(&gain.system),
            Entry::word(name(gain.task)),
            Entry::number(gain.train_rows.to_string()),
            Entry::number(percent(gain.multi)),
            Entry::number(percent(gain.single)),
            Entry::points(gain.equal_data.mean),
            gain.equal_steps.map_or_else(Entry::missing, |found| Entry::points(found.mean)),
        ]
    });
    section.tables.push(Table {
        id: "gains".into(),
        header: [
            "system",
            "task",
            "train rows",
            "multi-task",
            "single-task",
            "gain, equal data",
            "gain, equal steps",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        folded: gains.len() > 21,
        caption: "Gains by system and task".into(),
    });
    Ok(Some(section))
}

fn curves(findings: &Findings) -> Result<Option<Section>, LabError> {
    if findings.curves.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "curves",
        "Learning curves",
        &[
            "Accuracy on one task's test rows when only a share of its training rows is kept; the other tasks keep theirs.",
        ],
    );
    let mut rows = Vec::new();
    for curve in &findings.curves {
        let title = format!("{}, {}", curve.task, curve.backbone);
        let (mut multi, mut single) = (Series::line("multi-task"), Series::line("single-task"));
        for point in &curve.points {
            for (series, found) in [(&mut multi, point.multi), (&mut single, point.single)] {
                if let Some(found) = found {
                    let interval = found.interval.map(|i| [100.0 * i.low, 100.0 * i.high]);
                    series.add(point.train_rows as f64, 100.0 * found.value, interval);
                }
            }
            let percent_of = |found| {
                let entry = |found| Entry::percent(found);
                Option::map_or_else(found, Entry::missing, entry)
            };
            rows.push(vec![
                Entry::word(&curve.backbone),
                Entry::word(curve.task.as_str()),
                Entry::number(percent(point.share)),
                Entry::number(point.train_rows.to_string()),
                percent_of(point.multi),
                percent_of(point.single),
                point.gain.map_or_else(Entry::missing, |found| Entry::points(found.mean)),
            ]);
        }
        if curve.points.iter().any(|point| point.multi.is_some()) {
            let plot = Plot::new(&title, "training rows of the task", "accuracy, %").log_x();
            section.plots.push(plot.draw(&[multi, single])?);
        }
    }
    section.tables.push(Table {
        id: "learning-curves".into(),
        header: ["backbone", "task", "share, %", "train rows", "multi-task", "single-task", "gain"]
            .map(str::to_owned)
            .into(),
        rows,
        ..Table::default()
    });
    Ok(Some(section))
}

/// Names in the order of their first appearance.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    names.for_each(|name| {
        if !found.contains(&name) {
            found.push(name);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use crate::document::points;

    #[test]
    fn no_negative_zero() {
        assert_eq!([points(-0.0001), points(0.0004), points(-0.012)], ["+0.0", "+0.0", "-1.2"]);
    }
}
