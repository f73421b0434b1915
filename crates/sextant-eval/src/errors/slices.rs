//! Slices of the rows, and a search for those on which a model does worse than on the rest.

use super::Feature;
use crate::bootstrap::number_units;
use crate::student::{two_sided_quantile, two_sided_tail};
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
    /// Standard error of the difference, where rows of a group may be alike (a sandwich estimate by group, corrected
    /// for their number, and never below that of independent rows); absent where the slice or the rest is a single
    /// group, of which nobody knows how far groups differ.
    pub standard_error: Option<f64>,
    /// Degrees of freedom of that error: the groups of the slice or of the rest, whichever are fewer, less one.
    pub degrees: usize,
    /// One-sided p-value of the accuracy being below that of other rows, corrected by Holm's method for all slices
    /// that were looked at; absent where a slice was not searched for.
    pub p_value: Option<f64>,
}

impl Slice {
    /// Half the width of the interval of the difference at this level, such as 0.95, by Student's t distribution.
    pub fn reach(&self, level: f64) -> Option<f64> {
        let error = self.standard_error?;
        Some(two_sided_quantile(1.0 - level, self.degrees as f64) * error)
    }
}

/// A slice is listed only if it would be below this level if it were the only one that is tested.
const LISTED: f64 = 0.05;

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorstSlices {
    /// How many slices were looked at.
    pub tested: usize,
    /// The fewest rows that a slice must have. It must also have two groups, and so must the rest.
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
            let Difference { mean, error: Some(error), degrees } = search.difference(&members)
            else {
                return;
            };
            let z = if error > 0.0 { mean / error } else { 0.0 };
            let p = below(z, degrees);
            let better_parts = parts.len() == 1
                || parts.iter().all(|part| alone.get(part).is_none_or(|&alone| z < alone));
            if let [part] = parts[..] {
                alone.insert(part, z);
            }
            found.push(Candidate { parts, z, p, shown: better_parts && p < LISTED });
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
    let p: Vec<f64> = found.iter().map(|candidate| candidate.p).collect();
    let corrected = holm(&p);
    let mut order: Vec<usize> = (0..tested).filter(|&at| found[at].shown).collect();
    let place = |at: usize| (found[at].p, found[at].z);
    order.sort_by(|&a, &b| {
        let ((p, z), (other_p, other_z)) = (place(a), place(b));
        p.total_cmp(&other_p).then(z.total_cmp(&other_z)).then(a.cmp(&b))
    });
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
    /// The difference in standard errors.
    z: f64,
    /// The probability of a difference as low by chance.
    p: f64,
    shown: bool,
}

/// The rows that meet all conditions.
fn members(conditions: &[(&Feature, u32)], rows: usize) -> Vec<u32> {
    let meets = |row: &u32| {
        conditions.iter().all(|(feature, value)| feature.of_rows[*row as usize] == Some(*value))
    };
    (0..rows as u32).filter(meets).collect()
}

/// The probability that a number of Student's t distribution is below `t`.
fn below(t: f64, degrees: usize) -> f64 {
    let half = 0.5 * two_sided_tail(t, degrees as f64);
    if t < 0.0 { half } else { 1.0 - half }
}

/// The variance of a share of independent rows, with a row of each kind added (Agresti & Caffo 2000): it is not 0 where
/// all rows are alike.
fn variance_of_share(right: f64, rows: f64) -> f64 {
    let share = (right + 1.0) / (rows + 2.0);
    share * (1.0 - share) / (rows + 2.0)
}

/// How far the accuracy of a slice is from that of the rest.
struct Difference {
    mean: f64,
    /// Absent where either is a single group.
    error: Option<f64>,
    degrees: usize,
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

    /// The accuracy of a slice minus that of the rest. Its squared standard error is the sum over groups of the squared
    /// sum of the group's influences, times G / (G - 1) · (N - 1) / (N - 2) for N rows of G groups, as in Stata and
    /// statsmodels. A slice of few groups has few degrees of freedom, however many the rest has; and rows that happen to
    /// balance each other within groups are no better known than independent ones.
    fn difference(&self, members: &[u32]) -> Difference {
        let mut inside = vec![false; self.right.len()];
        for &row in members {
            inside[row as usize] = true;
        }
        let (rows, count) = (self.right.len() as f64, members.len() as f64);
        let rest = rows - count;
        let (mut sum_in, mut sum_out) = (0.0, 0.0);
        for (right, inside) in self.right.iter().zip(&inside) {
            *(if *inside { &mut sum_in } else { &mut sum_out }) += right;
        }
        let mean_in = sum_in / count;
        let mean_out = if rest > 0.0 { sum_out / rest } else { mean_in };
        let mut influence = vec![0.0; self.units];
        let mut present = [vec![false; self.units], vec![false; self.units]];
        for ((right, inside), &unit) in self.right.iter().zip(&inside).zip(&self.unit_of) {
            present[usize::from(*inside)][unit as usize] = true;
            influence[unit as usize] += match inside {
                true => (right - mean_in) / count,
                false => -(right - mean_out) / rest,
            };
        }
        let [outside, within] =
            present.map(|units| units.into_iter().filter(|&present| present).count());
        let degrees = outside.min(within).saturating_sub(1);
        let mean = mean_in - mean_out;
        if degrees == 0 {
            return Difference { mean, error: None, degrees };
        }
        let units = self.units as f64;
        let correction = units / (units - 1.0) * (rows - 1.0) / (rows - 2.0).max(1.0);
        let by_group: f64 = influence.iter().map(|influence| influence * influence).sum();
        let by_row = variance_of_share(sum_in, count) + variance_of_share(sum_out, rest);
        let error = (by_group * correction).max(by_row).sqrt();
        Difference { mean, error: Some(error), degrees }
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
        let Difference { mean: difference, error: standard_error, degrees } =
            self.difference(members);
        Ok(Slice {
            conditions,
            rows: members.len(),
            accuracy: row_mean(&of(&self.right), &groups, bootstrap)?.mean,
            mae: of(&self.errors).iter().sum::<f64>() / members.len() as f64,
            difference,
            standard_error,
            degrees,
            p_value: None,
        })
    }
}
