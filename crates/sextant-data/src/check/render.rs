//! The check's report as text.

use super::{CheckReport, RepeatedPair, TaskCheck};
use crate::table::{percent, table};
use sextant_core::Grade;
use std::fmt::{Display, Formatter, Result};

/// The most findings of one kind that the text shows; the JSON has all of them.
const SHOWN: usize = 10;

impl Display for CheckReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "Rows\n\n{}", self.counts_table())?;
        writeln!(
            f,
            "Baselines on the test rows, fitted on the train rows\n\n{}",
            self.baselines_table()
        )?;
        let found = &self.repetitions;
        section(f, "pairs in more than one split", &found.pairs_across_splits, pair_line)?;
        section(f, "groups in more than one split", &found.groups_across_splits, |group| {
            let rows: Vec<_> =
                group.rows.iter().map(|(split, rows)| format!("{split} {rows}")).collect();
            format!("`{}`: rows in {}", group.group, rows.join(", "))
        })?;
        section(f, "pairs with contradictory grades", &found.contradictions, pair_line)?;
        section(f, "pairs repeated within a split", &found.duplicates, pair_line)?;
        if !self.textless.is_empty() {
            section(f, "rows with nothing to read on one side", &self.textless, |row| {
                let side = if row.left { "left" } else { "right" };
                format!("{}: the {side} text of the {} pair is `{}`", row.place, row.task, row.text)
            })?;
        }
        if !self.unread.is_empty() {
            section(f, "files or folders not read", &self.unread, |file| match &file.suspect {
                Some(why) => format!("`{}`: {why}", file.name),
                None => format!("`{}`", file.name),
            })?;
        }
        let verdict = if self.is_ok() {
            "ok: no pair and no group is in two splits"
        } else if self.is_sound() && !self.textless.is_empty() {
            "failed: rows have nothing to read on one side, and training refuses them; give them a text or remove them"
        } else if self.is_sound() {
            "failed: a file that may be a part of the data set was not read; rename it or move it away"
        } else {
            "failed: the splits leak; put all rows of a pair and of a group into one split"
        };
        writeln!(f, "{verdict}")
    }
}

impl CheckReport {
    /// Rows per task, split and grade, as a Markdown table.
    pub(crate) fn counts_table(&self) -> String {
        let mut rows = Vec::new();
        for task in &self.tasks {
            for (split, counts) in &task.grades {
                let mut row = vec![task.task.to_string(), split.to_string()];
                row.push(counts.iter().sum::<usize>().to_string());
                row.extend(counts.map(|count| count.to_string()));
                rows.push(row);
            }
        }
        let [zero, one, two] = Grade::ALL.map(Grade::as_str);
        table(&["task", "split", "rows", zero, one, two], 2, &rows)
    }

    /// The accuracy of trivial rules, as a Markdown table.
    pub(crate) fn baselines_table(&self) -> String {
        let mut rows: Vec<_> = self.tasks.iter().filter_map(baseline_row).collect();
        let pooled = (self.pooled_majority_accuracy, self.pooled_overlap_accuracy);
        if let (Some(majority), Some(overlap)) = pooled {
            let mut row = vec!["pooled".to_owned()];
            row.extend([String::new(), percent(majority), String::new(), percent(overlap)]);
            row.extend([String::new(), String::new()]);
            rows.push(row);
        }
        let header =
            ["task", "majority", "accuracy", "overlap", "accuracy", "left seen", "right seen"];
        table(&header, 2, &rows)
    }
}

fn baseline_row(task: &TaskCheck) -> Option<Vec<String>> {
    let baselines = task.baselines.as_ref()?;
    let [left, right] = task.seen_in_train?;
    let measure = format!("{:?}", baselines.overlap_measure).to_lowercase();
    let [partial, relevant] = baselines.overlap_thresholds.map(|threshold| {
        if threshold > 1.0 { "never".to_owned() } else { format!("{threshold:.2}") }
    });
    Some(vec![
        task.task.to_string(),
        baselines.majority_grade.to_string(),
        percent(baselines.majority_accuracy),
        format!("{measure} {partial} / {relevant}"),
        percent(baselines.overlap_accuracy),
        percent(left),
        percent(right),
    ])
}

fn section<T>(
    f: &mut Formatter<'_>,
    title: &str,
    findings: &[T],
    line: impl Fn(&T) -> String,
) -> Result {
    writeln!(f, "{} {title}", findings.len())?;
    for finding in findings.iter().take(SHOWN) {
        writeln!(f, "  {}", line(finding))?;
    }
    if findings.len() > SHOWN {
        writeln!(f, "  … and {} more", findings.len() - SHOWN)?;
    }
    writeln!(f)
}

fn pair_line(repeated: &RepeatedPair) -> String {
    let pair = &repeated.pair;
    let rows: Vec<_> =
        repeated.rows.iter().map(|row| format!("{row} = {}", row.grade.index())).collect();
    let show = |text: &str| text.replace('\u{1f}', " · ");
    let (left, right) = (show(&pair.left), show(&pair.right));
    format!("{} `{left}` ~ `{right}`: {}", pair.task, rows.join(", "))
}
