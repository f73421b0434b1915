//! Slices of the rows, and a search for those on which a model does worse than on the rest.

use super::Feature;
use crate::bootstrap::number_units;
use crate::{Bootstrap, Estimate, EvalError, Scored, holm, row_mean};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The rows that have certain values of one or two features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Features and the values that rows have.
    pub conditions: Vec<(String, String)>,
    /// How many rows there are.
    pub rows: usize,
    /// Accuracy, with its interval over groups.
    pub accuracy: Estimate,
    /// Mean absolute error of the expected grade.
    pub mae: f64,
    /// Accuracy minus that of all other rows.
    pub difference: f64,
    /// Standard error of the difference, where rows of a group may be alike (a sandwich estimate by group).
    pub standard_error: f64,
    /// One-sided p-value of the accuracy being below that of other rows, corrected by Holm's method for all slices
    /// that were looked at; absent where a slice was not searched for.
    pub p_value: Option<f64>,
}

/// A slice is listed only if it would be below this level if it were the only one that is tested.
const LISTED: f64 = 0.05;

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstSlices {
    /// How many slices were looked at.
    pub tested: usize,
    /// The fewest rows that a slice must have.
    pub min_rows: usize,
    /// The worst slices, the least likely by chance first.
    pub slices: Vec<Slice>,
}

/// The slice of every value of a feature, in the order of the values.
///
/// # Errors
/// The bootstrap gives no interval.
pub fn slices(
    rows: &[Scored<'_>],
    feature: &Feature,
    bootstrap: &Bootstrap,
) -> Result<Vec<Slice>, EvalError> {
    let search = Search::new(rows);
    let members =
        (0..feature.values.len() as u32).map(|value| members(&[(feature, value)], rows.len()));
    let named = members.enumerate().filter(|(_, members)| !members.is_empty());
    named
        .map(|(value, members)| {
            let conditions = vec![(feature.name.clone(), feature.values[value].clone())];
            search.slice(conditions, &members, bootstrap)
        })
        .collect()
}

/// Searches the values of all features, and all pairs of values of two, for slices on which accuracy is lower than
/// on the rest. At most `most` are given, of those whose uncorrected p-value is below 0.05. A slice of two values is
/// given only if it is worse, in standard errors, than either value alone.
///
/// # Errors
/// The bootstrap gives no interval.
pub fn worst_slices(
    rows: &[Scored<'_>],
    features: &[Feature],
    min_rows: usize,
    most: usize,
    bootstrap: &Bootstrap,
) -> Result<WorstSlices, EvalError> {
    let search = Search::new(rows);
    let values = |feature: usize| {
        (0..features[feature].values.len() as u32).map(move |value| (feature, value))
    };
    let singles: Vec<(usize, u32)> = (0..features.len()).flat_map(values).collect();
    let mut found: Vec<Candidate> = Vec::new();
    let mut alone: HashMap<(usize, u32), f64> = HashMap::new();
    let mut look = |parts: Vec<(usize, u32)>, found: &mut Vec<Candidate>| {
        let conditions: Vec<_> = parts.iter().map(|&(at, value)| (&features[at], value)).collect();
        let members = members(&conditions, rows.len());
        // The rest must be there to be compared with.
        if members.len() >= min_rows && rows.len() - members.len() >= min_rows {
            let (difference, error) = search.difference(&members);
            let z = if error > 0.0 { difference / error } else { 0.0 };
            let better_parts = parts.len() == 1
                || parts.iter().all(|part| alone.get(part).is_none_or(|&alone| z < alone));
            if let [part] = parts[..] {
                alone.insert(part, z);
            }
            found.push(Candidate { parts, z, shown: better_parts && below(z) < LISTED });
        }
    };
    for &part in &singles {
        look(vec![part], &mut found);
    }
    for (index, &first) in singles.iter().enumerate() {
        for &second in singles[index + 1..].iter().filter(|(feature, _)| *feature != first.0) {
            look(vec![first, second], &mut found);
        }
    }
    let tested = found.len();
    let p: Vec<f64> = found.iter().map(|candidate| below(candidate.z)).collect();
    let corrected = holm(&p);
    let mut order: Vec<usize> = (0..tested).filter(|&at| found[at].shown).collect();
    order.sort_by(|&a, &b| found[a].z.total_cmp(&found[b].z).then(a.cmp(&b)));
    let mut slices = Vec::new();
    let mut listed: Vec<Vec<u32>> = Vec::new();
    for at in order {
        if slices.len() == most {
            break;
        }
        let parts = &found[at].parts;
        let conditions: Vec<_> = parts.iter().map(|&(at, value)| (&features[at], value)).collect();
        let members = members(&conditions, rows.len());
        // The same rows by another name say nothing new.
        if listed.contains(&members) {
            continue;
        }
        let name = |(feature, value): &(&Feature, u32)| {
            (feature.name.clone(), feature.values[*value as usize].clone())
        };
        let slice = search.slice(conditions.iter().map(name).collect(), &members, bootstrap)?;
        slices.push(Slice { p_value: Some(corrected[at]), ..slice });
        listed.push(members);
    }
    Ok(WorstSlices { tested, min_rows, slices })
}

struct Candidate {
    parts: Vec<(usize, u32)>,
    z: f64,
    shown: bool,
}

/// The rows that meet all conditions.
fn members(conditions: &[(&Feature, u32)], rows: usize) -> Vec<u32> {
    let meets = |row: &u32| {
        conditions.iter().all(|(feature, value)| feature.of_rows[*row as usize] == Some(*value))
    };
    (0..rows as u32).filter(meets).collect()
}

/// The probability that a standard normal number is below `z`.
fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The rows of a search: whether each is right, its error and its group.
struct Search<'a> {
    right: Vec<f64>,
    errors: Vec<f64>,
    groups: Vec<Option<&'a str>>,
    unit_of: Vec<u32>,
    units: usize,
}

impl<'a> Search<'a> {
    fn new(rows: &[Scored<'a>]) -> Self {
        let groups: Vec<_> = rows.iter().map(|row| row.group).collect();
        let (unit_of, units) = number_units(groups.iter().copied());
        let error = |row: &Scored<'_>| {
            (f64::from(row.prediction.expected_grade()) - row.grade.index() as f64).abs()
        };
        Self {
            right: rows.iter().map(|row| f64::from(u8::from(row.is_correct()))).collect(),
            errors: rows.iter().map(error).collect(),
            groups,
            unit_of,
            units,
        }
    }

    /// The accuracy of a slice minus that of the rest, and its standard error: the root of the sum over groups of
    /// the squared sum of the group's influences.
    fn difference(&self, members: &[u32]) -> (f64, f64) {
        let mut inside = vec![false; self.right.len()];
        for &row in members {
            inside[row as usize] = true;
        }
        let count = members.len() as f64;
        let rest = self.right.len() as f64 - count;
        let (mut sum_in, mut sum_out) = (0.0, 0.0);
        for (right, inside) in self.right.iter().zip(&inside) {
            *(if *inside { &mut sum_in } else { &mut sum_out }) += right;
        }
        let mean_in = sum_in / count;
        let mean_out = if rest > 0.0 { sum_out / rest } else { mean_in };
        let mut influence = vec![0.0; self.units];
        for ((right, inside), &unit) in self.right.iter().zip(&inside).zip(&self.unit_of) {
            influence[unit as usize] += match inside {
                true => (right - mean_in) / count,
                false => -(right - mean_out) / rest,
            };
        }
        let variance: f64 = influence.iter().map(|influence| influence * influence).sum();
        (mean_in - mean_out, variance.sqrt())
    }

    fn slice(
        &self,
        conditions: Vec<(String, String)>,
        members: &[u32],
        bootstrap: &Bootstrap,
    ) -> Result<Slice, EvalError> {
        let of =
            |values: &[f64]| members.iter().map(|&row| values[row as usize]).collect::<Vec<_>>();
        let groups: Vec<_> = members.iter().map(|&row| self.groups[row as usize]).collect();
        let (difference, standard_error) = self.difference(members);
        Ok(Slice {
            conditions,
            rows: members.len(),
            accuracy: row_mean(&of(&self.right), &groups, bootstrap)?.mean,
            mae: of(&self.errors).iter().sum::<f64>() / members.len() as f64,
            difference,
            standard_error,
            p_value: None,
        })
    }
}
