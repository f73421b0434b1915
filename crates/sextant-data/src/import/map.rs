//! The map: which columns of which tables make a row. `docs/import.md` is the guide for users.

use super::ImportError;
use super::side_spec::{Columns, SideSpec};
use crate::exchange::ExchangeFormat;
use crate::{Encoding, Format, Quoting, Separator, surplus};
use serde::{Deserialize, Deserializer};
use sextant_core::{Grade, LabelOrigin, Split, Task};
use std::collections::BTreeMap;
use std::path::Path;

/// A map, as it was typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportMap {
    /// The name of the data set, which every row gets as its `source`.
    pub name: String,
    /// The task of all rows.
    pub task: Task,
    /// Who assigned the grades.
    #[serde(default = "human")]
    pub origin: LabelOrigin,
    /// The table with a row for each rating, or for each pair.
    pub ratings: TableSpec,
    /// Tables that are joined to the ratings by keys, by the names under which the map speaks of their columns.
    #[serde(default)]
    pub tables: BTreeMap<String, JoinSpec>,
    /// What stands on the left.
    pub left: SideSpec,
    /// What stands on the right.
    pub right: SideSpec,
    /// How a grade is found; without it, rows have none.
    pub label: Option<LabelSpec>,
    /// How the ratings of several people become one grade.
    pub raters: Option<RaterSpec>,
    /// Columns that rows get beside pair and grade.
    #[serde(default)]
    pub row: RowSpec,
    /// Conditions that rows of the ratings must meet.
    #[serde(default, rename = "where")]
    pub conditions: Vec<Condition>,
    /// The languages to which rows are restricted, by what their texts look like.
    pub language: Option<LanguageSpec>,
    /// How texts are cleaned.
    #[serde(default)]
    pub text: TextSpec,
    /// What happens to a pair that occurs again.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// What happens to a row in which one side has no text.
    #[serde(default)]
    pub empty: OnFault,
}

fn human() -> LabelOrigin {
    LabelOrigin::Human
}

/// How a table is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// A file, a folder or a pattern, relative to the folder of the sources.
    pub path: String,
    /// The format, where the name does not say it.
    pub format: Option<TableFormat>,
    /// The encoding of text files.
    #[serde(default)]
    pub encoding: Encoding,
    /// How cells are quoted.
    pub quoting: Option<Quoting>,
    /// What separates cells.
    pub separator: Option<Separator>,
}

/// A format of tables: those of rows, and those in which judgements are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "jsonl, csv, tsv, parquet, or a format of judgements: trec-qrels, trec-run, quepid, opensearch, elasticsearch, label-studio"
)]
pub enum TableFormat {
    /// JSONL, CSV, TSV or Parquet.
    Rows(Format),
    /// Judgements of another program.
    Judgements(ExchangeFormat),
}

/// A table that is joined. The keys of [`TableSpec`] stand here again because serde cannot flatten a struct that refuses
/// unknown keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinSpec {
    /// A file, a folder or a pattern.
    pub path: String,
    /// The format, where the name does not say it.
    pub format: Option<TableFormat>,
    /// The encoding of text files.
    #[serde(default)]
    pub encoding: Encoding,
    /// How cells are quoted.
    pub quoting: Option<Quoting>,
    /// What separates cells.
    pub separator: Option<Separator>,
    /// The columns of this table that make its key.
    pub key: Vec<String>,
    /// The columns of the ratings that hold the key; the same names where they are left out.
    pub on: Option<Vec<String>>,
    /// In a table with a row for each attribute: the column with the attribute's name. The map then speaks of
    /// attributes as if they were columns.
    pub names: Option<String>,
    /// In a table with a row for each attribute: the column with its value.
    pub values: Option<String>,
    /// What happens to a rating whose key this table lacks.
    #[serde(default)]
    pub missing: OnMissing,
}

impl JoinSpec {
    /// How the table is read.
    pub(super) fn table(&self) -> TableSpec {
        TableSpec {
            path: self.path.clone(),
            format: self.format,
            encoding: self.encoding,
            quoting: self.quoting,
            separator: self.separator,
        }
    }
}

/// What happens to a rating without a partner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// The import ends.
    #[default]
    Error,
    /// The row is left out and counted.
    Skip,
    /// The columns of the table are absent, as empty cells are.
    Empty,
}

/// What happens to a row that cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// The import ends.
    #[default]
    Error,
    /// The row is left out and counted.
    Skip,
}

/// What happens to a pair that occurs again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// The first row stays.
    #[default]
    First,
    /// All rows stay.
    Keep,
}

/// How a grade is found. Without `values` and `thresholds`, the column holds Sextant's own grades.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSpec {
    /// The column with the label; with several, each holds the label of another rater.
    pub column: Columns,
    /// The grade of each label.
    pub values: Option<BTreeMap<String, Grade>>,
    /// Two numbers: a label below the first is irrelevant, one below the second partial, any other relevant.
    pub thresholds: Option<[f64; 2]>,
    /// Labels whose ratings are left out and counted; an empty one is `""`.
    #[serde(default, deserialize_with = "cells")]
    pub skip: Vec<String>,
}

/// How the ratings of several people become one grade.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaterSpec {
    /// The column that names the rater, where each rating has a row of its own.
    pub column: Option<String>,
    /// How one grade is made.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// Pairs with fewer ratings are left out and counted.
    #[serde(default = "one")]
    pub min: u32,
}

fn one() -> u32 {
    1
}

/// How the grade of several raters is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The most frequent grade.
    #[default]
    Majority,
    /// The mean of the labels, cut by the thresholds.
    Mean,
    /// The most probable grade in the model of Dawid and Skene.
    DawidSkene,
}

/// Columns that rows get beside pair and grade.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSpec {
    /// The row's identifier.
    pub id: Option<String>,
    /// The group that the row belongs to.
    pub group: Option<String>,
    /// The weight of the row's loss.
    pub weight: Option<String>,
    /// The columns of what people did when they were shown the pair.
    pub behaviour: Option<BehaviourSpec>,
    /// The split, by any of its names or by `splits`.
    pub split: Option<String>,
    /// The split that each value of the column `split` means.
    pub splits: Option<BTreeMap<String, Split>>,
    /// The query's identifier in qrels and runs.
    pub query_id: Option<String>,
    /// The document's identifier in qrels and runs.
    pub doc_id: Option<String>,
    /// Columns that are passed through under their own names.
    #[serde(default)]
    pub keep: Vec<String>,
}

/// Columns of counts of behaviour, which become the columns of these names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourSpec {
    /// How often the pair was shown.
    pub impressions: String,
    /// After how many impressions it was clicked.
    pub clicks: Option<String>,
    /// After how many impressions it was put into a cart.
    pub add_to_carts: Option<String>,
    /// After how many impressions it was bought.
    pub purchases: Option<String>,
    /// The probability that an impression of the pair was looked at.
    pub propensity: Option<String>,
}

impl BehaviourSpec {
    /// The columns in the order of [`Behaviour::COLUMNS`](sextant_core::Behaviour::COLUMNS).
    pub(super) fn columns(&self) -> [Option<&str>; 5] {
        let Self { impressions, clicks, add_to_carts, purchases, propensity } = self;
        let further = [clicks, add_to_carts, purchases, propensity].map(|name| name.as_deref());
        let [clicks, add_to_carts, purchases, propensity] = further;
        [Some(impressions.as_str()), clicks, add_to_carts, purchases, propensity]
    }
}

/// A condition that a row of the ratings must meet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// The values that are kept.
    #[serde(default, deserialize_with = "some_cells")]
    pub is: Option<Vec<String>>,
    /// The values that are left out.
    #[serde(default, deserialize_with = "some_cells")]
    pub is_not: Option<Vec<String>>,
    /// The least number that is kept.
    pub min: Option<f64>,
    /// The greatest number that is kept.
    pub max: Option<f64>,
}

/// The texts of cells, which a map may also write as numbers and truth values: `is = [1, 10]`.
fn cells<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "texts, numbers, true or false")]
    enum Cell {
        Text(String),
        Whole(i64),
        Number(f64),
        Truth(bool),
    }
    let cells = Vec::<Cell>::deserialize(deserializer)?.into_iter().map(|cell| match cell {
        Cell::Text(text) => text,
        Cell::Whole(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Truth(truth) => truth.to_string(),
    });
    Ok(cells.collect())
}

fn some_cells<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    cells(deserializer).map(Some)
}

/// The languages to which rows are restricted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageSpec {
    /// Languages by their ISO 639-3 codes: `eng`, `spa`.
    pub keep: Vec<String>,
    /// The sides whose texts are looked at. Queries are too short to be told apart.
    #[serde(default = "right")]
    pub sides: Vec<Side>,
}

fn right() -> Vec<Side> {
    vec![Side::Right]
}

/// A side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What the task names first.
    Left,
    /// What it names second.
    Right,
}

/// How texts are cleaned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextSpec {
    /// Whether tags are removed and entities decoded.
    pub html: bool,
    /// The most characters of a description, which is cut at the end of a word.
    pub max_description: Option<usize>,
}

impl Default for TextSpec {
    fn default() -> Self {
        Self { html: true, max_description: None }
    }
}

impl ImportMap {
    /// Reads a map.
    ///
    /// # Errors
    /// The file cannot be read, or a key is unknown, missing or of the wrong type.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ImportError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a map; `path` names it in messages.
    ///
    /// # Errors
    /// A key is unknown, missing or of the wrong type.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ImportError> {
        let map = toml::from_str(text).map_err(|source| ImportError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        match surplus::<Self>(text) {
            Some((key, problem)) => Err(ImportError::Key { key, problem }),
            None => Ok(map),
        }
    }
}
