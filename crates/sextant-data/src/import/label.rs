//! From a label as another program writes it to a grade.

use super::ImportError;
use super::map::LabelSpec;
use crate::number::plain;
use sextant_core::Grade;
use std::collections::BTreeMap;

/// The rule by which labels become grades.
#[derive(Debug, Clone)]
pub(super) struct LabelRule {
    values: Option<BTreeMap<String, Grade>>,
    thresholds: Option<[f64; 2]>,
    skip: Vec<String>,
}

/// The thresholds of a mean of grades, which divide the scale from 0 to 2 into three equal parts.
const MEAN_THRESHOLDS: [f64; 2] = [2.0 / 3.0, 4.0 / 3.0];

impl LabelRule {
    pub(super) fn new(spec: &LabelSpec) -> Result<Self, ImportError> {
        if spec.values.is_some() && spec.thresholds.is_some() {
            let problem = "either `values` or `thresholds`; remove one";
            return Err(ImportError::key("label", problem));
        }
        if let Some([low, high]) = spec.thresholds
            && !(low.is_finite() && high.is_finite() && low <= high)
        {
            let problem = format!(
                "[{low}, {high}] are not two numbers of which the second is at least the first; write the lower first"
            );
            return Err(ImportError::key("label.thresholds", problem));
        }
        if let Some(values) = &spec.values {
            let mut numbers: Vec<(f64, &String, Grade)> = Vec::new();
            for (label, &grade) in values {
                let Ok(number) = label.parse::<f64>() else { continue };
                match numbers.iter().find(|(known, ..)| *known == number) {
                    Some((_, other, known)) if *known != grade => {
                        let problem = format!(
                            "`{other}` and `{label}` are one number, and have two grades; remove one"
                        );
                        return Err(ImportError::key("label.values", problem));
                    }
                    _ => numbers.push((number, label, grade)),
                }
            }
        }
        Ok(Self {
            values: spec.values.clone(),
            thresholds: spec.thresholds,
            skip: spec.skip.clone(),
        })
    }

    /// Whether ratings with this label are left out; an absent label is an empty one.
    pub(super) fn skips(&self, label: Option<&str>) -> bool {
        let label = plain(label.unwrap_or_default());
        self.skip.iter().any(|skip| plain(skip) == label)
    }

    /// The grade that a label means, and the number that a mean of labels is made of.
    pub(super) fn read(&self, label: Option<&str>) -> Result<(Grade, f64), String> {
        let Some(label) = label else {
            return Err("no label; leave such rows out by `skip = [\"\"]` under [label]".to_owned());
        };
        if self.thresholds.is_some() {
            let number = label.parse::<f64>().ok().filter(|number| number.is_finite());
            let number = number.ok_or_else(|| {
                format!("`{label}` is no number, which `thresholds` need; add it to `skip` or use `values`")
            })?;
            return Ok((self.cut(number), number));
        }
        let grade = match &self.values {
            Some(values) => values.get(label).copied().or_else(|| same_number(values, label)),
            None => label.parse().ok(),
        };
        let grade = grade.ok_or_else(|| match &self.values {
            Some(values) => {
                let known: Vec<_> = values.keys().map(|name| format!("`{name}`")).collect();
                format!(
                    "label `{label}` is not in `label.values`, which has {}; add it there, or to `label.skip`",
                    known.join(", ")
                )
            }
            None => format!("label `{label}` is no grade 0, 1 or 2; say `values` or `thresholds` under [label]"),
        })?;
        Ok((grade, grade.index() as f64))
    }

    /// The grade of a mean of labels.
    pub(super) fn cut(&self, number: f64) -> Grade {
        let [low, high] = self.thresholds.unwrap_or(MEAN_THRESHOLDS);
        match number {
            _ if number < low => Grade::Irrelevant,
            _ if number < high => Grade::Partial,
            _ => Grade::Relevant,
        }
    }
}

/// The grade of a label that is another spelling of a number in the map: `4.0` of `4`.
fn same_number(values: &BTreeMap<String, Grade>, label: &str) -> Option<Grade> {
    let number: f64 = label.parse().ok()?;
    let same = |name: &str| name.parse::<f64>().is_ok_and(|known| known == number);
    values.iter().find(|(name, _)| same(name)).map(|(_, &grade)| grade)
}
