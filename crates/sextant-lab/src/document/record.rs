//! The sections that record what was done: the search, the data, every run.

use super::{Entry, Section, Table, percent};
use crate::facts::{count, mebibytes, spoken_duration};
use crate::findings::Findings;

pub(super) fn sections(findings: &Findings) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(search(findings));
    sections.push(data(findings));
    sections.push(runs(findings));
    sections
}

fn search(findings: &Findings) -> Option<Section> {
    if findings.search.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "search",
        "Search for hyper-parameters",
        &[
            "Settings drawn at random; the better ones of each round were trained longer. The dev set decided; bold: the choice.",
        ],
    );
    let rows = findings.search.iter().map(|trial| {
        let dev: Vec<_> = trial.dev.iter().map(|value| format!("{value:.4}")).collect();
        vec![
            Entry { best: trial.best, ..Entry::number(trial.trial.to_string()) },
            Entry::word(trial.settings.join(" ")),
            Entry::number(dev.join(" → ")),
            Entry::number(spoken_duration(trial.seconds)),
        ]
    });
    section.tables.push(Table {
        id: "search".into(),
        header: ["trial", "settings", "dev, by round", "training"].map(str::to_owned).into(),
        rows: rows.collect(),
        ..Table::default()
    });
    Some(section)
}

fn data(findings: &Findings) -> Section {
    let card = &findings.data;
    let mut section = Section::new("data", "Data", &[]);
    section.text.push(format!(
        "`{}`: {} rows in {} groups. Grades: irrelevant, partial, relevant.",
        card.name, card.rows, card.groups
    ));
    let rows = card.parts.iter().map(|part| {
        let sources: Vec<_> =
            part.sources.keys().filter(|name| !name.is_empty()).cloned().collect();
        let mut entries = vec![
            Entry::word(part.task.as_str()),
            Entry::word(part.split.to_string()),
            Entry::number(part.rows.to_string()),
            Entry::number(part.groups.to_string()),
        ];
        entries.extend(
            part.grades
                .iter()
                .map(|&rows| Entry::number(percent(rows as f64 / part.rows.max(1) as f64))),
        );
        entries.push(Entry::number(percent(part.human as f64 / part.rows.max(1) as f64)));
        entries.push(Entry::word(sources.join(", ")));
        entries
    });
    let header = [
        "task",
        "split",
        "rows",
        "groups",
        "0, %",
        "1, %",
        "2, %",
        "judged by people, %",
        "sources",
    ];
    section.tables.push(Table {
        id: "data".into(),
        header: header.map(str::to_owned).into(),
        rows: rows.collect(),
        ..Table::default()
    });
    section
}

fn runs(findings: &Findings) -> Section {
    let mut section = Section::new(
        "runs",
        "Runs",
        &[
            "Every finished run, as the ledger has it. Peak memory is that of the process in this run.",
        ],
    );
    let rows = findings.ledger.iter().map(|run| {
        vec![
            Entry::word(&run.name),
            Entry::number(run.test_accuracy.map_or_else(String::new, percent)),
            Entry::number(run.dev.map_or_else(String::new, |dev| format!("{dev:.4}"))),
            Entry::number(run.train_rows.to_string()),
            Entry::number(run.steps.to_string()),
            Entry::number(count(run.tokens)),
            Entry::number(format!("{:.2e}", run.flops)),
            Entry::number(spoken_duration(run.seconds)),
            Entry::number(run.peak_memory_bytes.map_or_else(String::new, mebibytes)),
            Entry::number(count(run.trainable_parameters)),
            Entry::word(run.fingerprint.chars().take(10).collect::<String>()),
            Entry::word(&run.code),
        ]
    });
    section.tables.push(Table {
        id: "runs".into(),
        caption: format!("{} runs", findings.ledger.len()),
        header: [
            "run",
            "test, %",
            "dev",
            "train rows",
            "steps",
            "tokens",
            "FLOPs",
            "training",
            "memory",
            "trainable",
            "fingerprint",
            "code",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        folded: true,
    });
    section
}
