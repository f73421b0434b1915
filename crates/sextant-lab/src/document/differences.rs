//! Differences of systems from the reference, and their effect sizes.

use super::{Entry, Table, heads, p_value};
use crate::findings::{Headline, HeadlineRow, Score};
use crate::render::p_text;

/// The tables below the headline table; none without a reference.
pub(super) fn tables(headline: &Headline) -> Vec<Table> {
    let Some(reference) = &headline.reference else { return Vec::new() };
    let rows: Vec<&HeadlineRow> =
        headline.rows.iter().filter(|row| row.system != *reference).collect();
    let mut tables = vec![differences(headline, reference, &rows)];
    tables.extend(effects(headline, reference, &rows));
    tables
}

/// The differences by task.
fn differences(headline: &Headline, reference: &str, rows: &[&HeadlineRow]) -> Table {
    let rows = rows.iter().map(|row| {
        let mut entries = vec![Entry::word(&row.system)];
        entries.extend(row.scores.iter().map(|found| {
            let Some(found) = found else { return Entry::missing() };
            let entry = points(found);
            let p = found.p_holm.map_or_else(String::new, |p| format!(" p {}", p_text(p)));
            Entry { detail: format!("{}{p}", entry.detail), ..entry }
        }));
        entries
    });
    Table {
        id: "differences".into(),
        caption: format!(
            "Differences from {reference} in percentage points, with intervals and p-values after Holm's correction"
        ),
        header: heads(&["system"], &headline.columns).collect(),
        rows: rows.collect(),
        folded: true,
    }
}

/// The difference on all rows beside its effect size; `None` without other systems than the reference.
fn effects(headline: &Headline, reference: &str, rows: &[&HeadlineRow]) -> Option<Table> {
    let overall = headline.columns.iter().position(|column| column.task.is_none())?;
    let rows: Vec<Vec<Entry>> = rows
        .iter()
        .filter_map(|row| {
            let found = row.scores.get(overall)?.as_ref()?;
            Some(vec![
                Entry::word(&row.system),
                points(found),
                found.cohens_h.map_or_else(Entry::missing, Entry::effect),
                p_value(found.p_value),
                p_value(found.p_holm),
            ])
        })
        .collect();
    let header = ["system", "difference, points", "Cohen's h", "p", "p after Holm"];
    (!rows.is_empty()).then(|| Table {
        id: "effect-sizes".into(),
        caption: format!(
            "Effect sizes against {reference} on all rows. Cohen's h, the difference of 2 arcsin √accuracy, makes steps near 100 % comparable with steps in the middle: 0.2 is called small, 0.5 medium, 0.8 large"
        ),
        header: header.map(str::to_owned).into(),
        rows,
        ..Table::default()
    })
}

/// A difference in points, marked where it is significant after correction.
fn points(score: &Score) -> Entry {
    let entry = score.difference.map_or_else(Entry::missing, Entry::points);
    Entry { significant: score.significant, ..entry }
}
