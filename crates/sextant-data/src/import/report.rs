//! What an import did: how many rows came, why others did not, and how far raters agree.

use super::gather::RaterReport;
use serde::Serialize;
use sextant_core::Grade;
use std::collections::BTreeMap;
use std::fmt;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// Rows of the ratings that were read.
    pub read: u64,
    /// Rows that were written.
    pub written: u64,
    /// Rows of each grade that were written; all 0 without labels.
    pub grades: [u64; Grade::COUNT],
    /// Rows that a condition left out.
    pub conditions: u64,
    /// Rows whose label the map skips.
    pub labels: u64,
    /// Rows whose key a table lacks, by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, u64>,
    /// Rows that were taken although a table lacks their key, by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unpartnered: BTreeMap<String, u64>,
    /// Rows of a table whose key an earlier row had, by table; the earlier row was taken.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub repeated_keys: BTreeMap<String, u64>,
    /// Rows in which a side has no text.
    pub empty: u64,
    /// Rows in another language.
    pub language: u64,
    /// Rows whose pair an earlier row had.
    pub duplicates: u64,
    /// Of these, rows whose grade is not that of the earlier row.
    pub contradictions: u64,
    /// Further ratings of pairs that were written once, with the grade of several raters.
    pub merged: u64,
    /// Rows of pairs with fewer ratings than the map asks for.
    pub unrated: u64,
    /// How far raters agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raters: Option<RaterReport>,
}

impl ImportReport {
    /// How many rows were left out for each reason for which some were.
    pub fn left_out(&self) -> Vec<String> {
        let missing = self
            .missing
            .iter()
            .map(|(table, &rows)| (format!("without a partner in `{table}`"), rows));
        let left_out = [
            ("by `where`".to_owned(), self.conditions),
            ("with a label that is skipped".to_owned(), self.labels),
            ("without text on one side".to_owned(), self.empty),
            ("in another language".to_owned(), self.language),
            ("of a pair that came before".to_owned(), self.duplicates),
            ("of pairs with too few ratings".to_owned(), self.unrated),
            ("merged into the pair's first row".to_owned(), self.merged),
        ];
        let left_out = left_out.into_iter().chain(missing).filter(|(_, rows)| *rows > 0);
        left_out.map(|(why, rows)| format!("{rows} {why}")).collect()
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows read, {} written", self.read, self.written)?;
        let [irrelevant, partial, relevant] = self.grades;
        if irrelevant + partial + relevant > 0 {
            writeln!(f, "grades: {irrelevant} irrelevant, {partial} partial, {relevant} relevant")?;
        }
        for left_out in self.left_out() {
            writeln!(f, "left out: {left_out}")?;
        }
        if self.contradictions > 0 {
            writeln!(
                f,
                "of the pairs that came before, {} have another grade there; `[raters]` makes one grade of several",
                self.contradictions
            )?;
        }
        for (table, rows) in &self.unpartnered {
            writeln!(f, "`{table}`: {rows} rows were taken without a partner in it")?;
        }
        for (table, rows) in &self.repeated_keys {
            writeln!(
                f,
                "`{table}`: {rows} rows have a key that an earlier row has; the first was taken"
            )?;
        }
        self.raters.as_ref().map_or(Ok(()), |raters| write!(f, "{raters}"))
    }
}
