//! What labels of a table mean.

use super::Asker;
use crate::say::complain;
use anyhow::bail;
use sextant_core::Grade;
use sextant_data::import::{DraftLabels, is_no_label, likely_grades, likely_scale};

impl Asker<'_> {
    /// What the labels of a column mean. A guess about them is said, also where nothing is asked.
    pub(super) fn labels(&mut self, column: &str) -> anyhow::Result<DraftLabels> {
        let Some(found) = self.look.column(column) else { bail!("no column `{column}`") };
        if let (None | Some(_), Some((low, high))) = (&found.values, found.range)
            && found.values.as_ref().is_none_or(|values| values.len() > 5)
        {
            self.say_scale(column, low, high);
            let [from, to] = likely_scale(low, high);
            let third = (to - from) / 3.0;
            let round = |number: f64| (number * 100.0).round() / 100.0;
            let likely = format!("{}, {}", round(from + third), round(from + 2.0 * third));
            let question = format!(
                "Labels are numbers from {low} to {high}. Below which is a pair irrelevant, and below which partial?"
            );
            let thresholds = self.until(&question, &likely, |answer| {
                let numbers: Vec<f64> =
                    answer.split([',', ' ']).filter_map(|part| part.trim().parse().ok()).collect();
                match numbers[..] {
                    [low, high] if low <= high => Ok([low, high]),
                    _ => Err("two rising numbers, such as `1.6, 2.6`".to_owned()),
                }
            })?;
            if self.yes {
                let [low, high] = thresholds;
                complain(&format!(
                    "`{column}` below {low} becomes irrelevant, below {high} partial, any other relevant; `thresholds` in the map says it"
                ));
            }
            return Ok(DraftLabels::Thresholds(thresholds));
        }
        let Some(values) = &found.values else {
            bail!(
                "column `{column}` has more than a dozen labels that are no numbers, such as `{}`; choose another, or write [label] by hand",
                found.examples.first().map_or("", String::as_str)
            );
        };
        let labels: Vec<String> = values.keys().cloned().collect();
        let meant: Vec<String> =
            labels.iter().filter(|label| !is_no_label(label)).cloned().collect();
        let likely = likely_grades(&meant);
        let numbers: Option<Vec<f64>> = meant.iter().map(|label| label.parse().ok()).collect();
        if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
            let bounds = (f64::INFINITY, f64::NEG_INFINITY);
            let (low, high) =
                numbers.into_iter().fold(bounds, |(low, high), n| (low.min(n), high.max(n)));
            self.say_scale(column, low, high);
        }
        let mut grades = Vec::new();
        for label in labels {
            let known = meant.iter().position(|known| *known == label);
            let guess = match (known, &likely) {
                (None, _) => "skip".to_owned(),
                (Some(index), Some(likely)) => likely[index].index().to_string(),
                (Some(_), None) => String::new(),
            };
            let question = format!(
                "Which grade is `{label}` ({} rows)? 0 irrelevant, 1 partial, 2 relevant, skip to leave them out",
                values[&label]
            );
            let grade: Option<Grade> = self.until(&question, &guess, |answer| match answer {
                "skip" => Ok(None),
                "" => Err("its name is not known.".to_owned()),
                grade => grade
                    .parse()
                    .map(Some)
                    .map_err(|error: sextant_core::UnknownName| error.to_string()),
            })?;
            grades.push((label, grade));
        }
        if self.yes {
            let said = grades.iter().map(|(label, grade)| {
                let grade = grade.map_or("left out", Grade::as_str);
                format!("`{label}` {grade}")
            });
            let said = said.collect::<Vec<_>>().join(", ");
            complain(&format!("labels of `{column}`: {said}; `values` in the map says it"));
        }
        Ok(DraftLabels::Values(grades))
    }

    /// Says which scale numbers are taken for, where it is not the one from the least to the greatest that occur.
    fn say_scale(&self, column: &str, low: f64, high: f64) {
        let [from, to] = likely_scale(low, high);
        if [from, to] != [low, high] {
            complain(&format!(
                "`{column}` is taken for a scale from {from} to {to}, of which the first {} rows have {low} to {high}",
                self.look.rows
            ));
        }
    }
}
