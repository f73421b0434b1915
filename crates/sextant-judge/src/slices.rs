//! Where a judge agrees with people, and where it does not.

use crate::Agreed;
use serde::{Deserialize, Serialize};
use sextant_core::Entity;
use std::collections::BTreeMap;

/// Rows that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// What the rows are divided by: `grade` (that of people), `length` or `source`.
    pub by: String,
    /// What the rows of the slice have in common.
    pub name: String,
    /// The number of rows.
    pub rows: usize,
    /// The share of them to which judge and people give the same grade.
    pub agreement: f64,
    /// The 95 % interval of that share (Wilson 1927).
    pub interval: [f64; 2],
    /// The mean of the judge's grade minus that of people: positive where the judge is too kind.
    pub bias: f64,
}

/// The slices of rows by people's grade, by length and by source, the worst of each first.
pub(crate) fn slices(rows: &[Agreed<'_>]) -> Vec<Slice> {
    let lengths: Vec<usize> = rows.iter().map(length).collect();
    let mut sorted = lengths.clone();
    sorted.sort_unstable();
    let third = |part: usize| sorted.get(sorted.len() * part / 3).copied().unwrap_or(0);
    let (short, long) = (third(1), third(2));
    let by_length = |row: usize| match lengths[row] {
        length if length < short => format!("under {short} characters"),
        length if length < long => format!("{short} to {} characters", long - 1),
        _ => format!("{long} characters and more"),
    };
    let by_grade = |row: usize| {
        let grade = rows[row].example.grade;
        format!("{} ({grade})", grade.index())
    };
    let by_source = |row: usize| rows[row].example.source.clone().unwrap_or("none stated".into());
    let named: [(&str, &dyn Fn(usize) -> String); 3] =
        [("grade", &by_grade), ("length", &by_length), ("source", &by_source)];
    let mut found = Vec::new();
    for (by, name) in named {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..rows.len() {
            groups.entry(name(row)).or_default().push(row);
        }
        let mut slices: Vec<Slice> =
            groups.into_iter().map(|(name, of)| slice(by, name, rows, &of)).collect();
        slices.sort_by(|a, b| a.agreement.total_cmp(&b.agreement));
        found.extend(slices);
    }
    found
}

fn slice(by: &str, name: String, rows: &[Agreed<'_>], of: &[usize]) -> Slice {
    let n = of.len() as f64;
    let same = |&&row: &&usize| rows[row].answer.grade() == rows[row].example.grade;
    let share = of.iter().filter(same).count() as f64 / n;
    let apart = |&row: &usize| {
        let (judge, people) = (rows[row].answer.grade(), rows[row].example.grade);
        judge.index() as f64 - people.index() as f64
    };
    Slice {
        by: by.to_owned(),
        name,
        rows: of.len(),
        agreement: share,
        interval: wilson(share, n),
        bias: of.iter().map(apart).sum::<f64>() / n,
    }
}

/// Wilson's 95 % interval of a share of `n` rows.
fn wilson(share: f64, n: f64) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// The characters of both sides that a judge reads.
fn length(row: &Agreed<'_>) -> usize {
    let of = |entity: &Entity| {
        let description = match entity {
            Entity::Product(product) => product.description.as_deref().unwrap_or_default(),
            Entity::Text(_) => "",
        };
        entity.text().chars().count() + description.chars().count()
    };
    of(&row.example.pair.left) + of(&row.example.pair.right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(count, nobs, method="wilson")
        for (count, n, low, high) in [
            (7.0, 10.0, 0.396_778_147_461_145_4, 0.892_208_732_593_698_9),
            (0.0, 5.0, 0.0, 0.434_482_464_783_174_87),
            (98.0, 100.0, 0.929_988_209_271_456, 0.994_498_032_449_837_6),
        ] {
            let [found_low, found_high] = wilson(count / n, n);
            assert!((found_low - low).abs() < 1e-9, "{found_low}");
            assert!((found_high - high).abs() < 1e-9, "{found_high}");
        }
    }
}
