//! A first map for one table: what its columns look like, and the text of a map that uses them.

use super::ImportError;
use super::advice::for_maps;
use crate::{BatchReader, DataError, Encoding, ReadOptions, Separator};
use sextant_core::{EntityKind, Grade, Split, Task};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// How many rows are looked at.
const ROWS: usize = 2000;
/// The most different values of a column of labels.
const LABELS: usize = 12;

/// A column of a table, as its first rows show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnLook {
    /// The name.
    pub name: String,
    /// A few values.
    pub examples: Vec<String>,
    /// How often each value occurs, if there are few.
    pub values: Option<BTreeMap<String, usize>>,
    /// The least and greatest number, if all values are numbers.
    pub range: Option<(f64, f64)>,
    /// The mean number of words.
    pub words: f64,
    /// How many rows have no value.
    pub empty: usize,
}

/// A table, as its first rows show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableLook {
    /// Its columns.
    pub columns: Vec<ColumnLook>,
    /// How many rows were looked at.
    pub rows: usize,
    /// Its encoding.
    pub encoding: Encoding,
    /// What separates its cells, where that is not usual for the name.
    pub separator: Option<Separator>,
}

impl TableLook {
    /// Looks at the first rows of a table. A file that is no UTF-8 is taken for latin-1, and a CSV whose header is
    /// one cell with tabs, semicolons or bars for one that is separated by these.
    ///
    /// # Errors
    /// The table cannot be read or has no rows.
    pub fn new(path: &Path) -> Result<Self, ImportError> {
        let found = match Self::read(path, Encoding::Utf8) {
            Err(ImportError::Data(error)) if is_encoding(&error) => {
                Self::read(path, Encoding::Latin1)
            }
            found => found,
        };
        found.map_err(for_maps)
    }

    fn read(path: &Path, encoding: Encoding) -> Result<Self, ImportError> {
        let mut options = ReadOptions { encoding, any_columns: true, ..ReadOptions::default() };
        let mut reader = BatchReader::open(path, &options, &[])?;
        if let Some(layout) = reader.layout()
            && let [only] = &layout.schema.fields()[..]
            && let Some(separator) =
                super::table::likely_separator(only.name(), reader.format(), &options)
        {
            options.separator = separator.parse().ok();
            reader = BatchReader::open(path, &options, &[])?;
        }
        let mut columns: Vec<(String, Vec<String>)> = Vec::new();
        let mut rows = 0;
        while rows < ROWS
            && let Some(batch) = reader.next_batch(ROWS - rows).transpose()?
        {
            if let Some(bad) = batch.bad.first() {
                return Err(DataError::from(Box::new(bad.clone())).into());
            }
            let names: Vec<String> = batch
                .columns
                .schema_ref()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            let texts = super::table::texts(&batch, &names)?;
            for (index, name) in names.iter().enumerate() {
                let known = columns.iter().position(|(known, _)| known == name);
                let at = known.unwrap_or_else(|| {
                    columns.push((name.clone(), Vec::new()));
                    columns.len() - 1
                });
                let cells = (0..texts.rows()).filter_map(|row| texts.get(index, row));
                columns[at].1.extend(cells.map(str::to_owned));
            }
            rows += texts.rows();
        }
        if rows == 0 {
            return Err(DataError::unusable(path, "there are no rows to look at").into());
        }
        let columns =
            columns.into_iter().map(|(name, texts)| ColumnLook::new(name, texts, rows)).collect();
        Ok(Self { columns, rows, encoding, separator: options.separator })
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnLook> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column whose name is likeliest to mean one of `words`, the first of which counts most.
    pub fn likely(&self, words: &[&str]) -> Option<&str> {
        let part = || {
            words.iter().find_map(|word| {
                self.columns
                    .iter()
                    .find(|c| plain(&c.name).contains(word) && !plain(&c.name).ends_with("id"))
            })
        };
        self.named(words).or_else(|| part().map(|column| column.name.as_str()))
    }

    /// The column whose name is one of `words`, the first of which counts most, but for case, spaces, `-` and `_`.
    pub fn named(&self, words: &[&str]) -> Option<&str> {
        let of = |word: &&str| self.columns.iter().find(|column| plain(&column.name) == **word);
        words.iter().find_map(of).map(|column| column.name.as_str())
    }
}

/// A name without what is written in one way here and in another way there.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-', ' '], "")
}

fn is_encoding(error: &DataError) -> bool {
    match error {
        DataError::Row(row) => matches!(row.problem, crate::RowProblem::BrokenUtf8 { .. }),
        DataError::HeaderEncoding { .. } => true,
        _ => false,
    }
}

impl ColumnLook {
    /// Whether all values are names of splits.
    pub fn has_splits(&self) -> bool {
        let is_split = |text: &String| text.to_ascii_lowercase().parse::<Split>().is_ok();
        self.values.as_ref().is_some_and(|values| values.keys().all(is_split))
    }

    fn new(name: String, texts: Vec<String>, rows: usize) -> Self {
        let mut values = BTreeMap::new();
        for text in &texts {
            if values.len() <= LABELS {
                *values.entry(text.clone()).or_insert(0) += 1;
            }
        }
        let numbers: Option<Vec<f64>> =
            texts.iter().map(|text| text.parse().ok().filter(|n: &f64| n.is_finite())).collect();
        let range = numbers.filter(|numbers| !numbers.is_empty()).map(|numbers| {
            let bounds = (f64::INFINITY, f64::NEG_INFINITY);
            numbers.into_iter().fold(bounds, |(low, high), n| (low.min(n), high.max(n)))
        });
        let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
        let examples = texts.iter().take(3).map(|text| text.chars().take(60).collect()).collect();
        Self {
            words: words as f64 / texts.len().max(1) as f64,
            values: (values.len() <= LABELS && !values.is_empty()).then_some(values),
            empty: rows - texts.len(),
            examples,
            range,
            name,
        }
    }
}

/// How labels become grades in a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftLabels {
    /// The grade of each label; without one, rows with the label are left out.
    Values(Vec<(String, Option<Grade>)>),
    /// Two thresholds.
    Thresholds([f64; 2]),
}

/// The answers of which a map is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The name of the data set.
    pub name: String,
    /// The task.
    pub task: Task,
    /// The table, relative to the folder of the map.
    pub path: String,
    /// Its encoding.
    pub encoding: Encoding,
    /// What separates its cells, where that is not usual.
    pub separator: Option<Separator>,
    /// The columns of the left side: text or title first, and for a product its brand and description.
    pub left: DraftSide,
    /// The columns of the right side.
    pub right: DraftSide,
    /// The column of the label and what it means.
    pub label: Option<(String, DraftLabels)>,
    /// Whether rows lack a label, and are left out.
    pub without_label: bool,
    /// The column that names the rater of each row.
    pub rater: Option<String>,
    /// The column of the group.
    pub group: Option<String>,
    /// The column of the document's identifier.
    pub doc_id: Option<String>,
    /// The column of the row's identifier.
    pub id: Option<String>,
    /// The column of the split.
    pub split: Option<String>,
}

/// The columns of a side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftSide {
    /// The text, or the title.
    pub text: String,
    /// The brand.
    pub brand: Option<String>,
    /// The description.
    pub description: Option<String>,
}

impl Draft {
    /// The map as TOML, with a word on every key.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut out = String::new();
        let _ = writeln!(out, "# A map for `sextant data import`; docs/import.md has every key.");
        let _ = writeln!(out, "name = {}", quoted(&self.name));
        let _ = writeln!(out, "task = \"{}\"", self.task);
        if self.rater.is_none() {
            let _ = writeln!(out, "duplicates = \"first\"   # or \"keep\"");
        }
        let _ = writeln!(
            out,
            "empty = \"skip\"   # rows without text on one side; \"error\" stops at them"
        );
        let _ = writeln!(out, "\n[ratings]\npath = {}", quoted(&self.path));
        if self.encoding != Encoding::Utf8 {
            let _ = writeln!(out, "encoding = \"{}\"", self.encoding);
        }
        if let Some(separator) = self.separator {
            let _ = writeln!(out, "separator = {}", quoted(&String::from(separator)));
        }
        let (left, right) = self.task.kinds();
        for (name, kind, side) in [("left", left, &self.left), ("right", right, &self.right)] {
            let key = if kind == EntityKind::Product { "title" } else { "text" };
            let _ = writeln!(out, "\n[{name}]   # the {kind}\n{key} = {}", quoted(&side.text));
            for (key, column) in [("brand", &side.brand), ("description", &side.description)] {
                if let Some(column) = column.as_deref().filter(|_| kind == EntityKind::Product) {
                    let _ = writeln!(out, "{key} = {}", quoted(column));
                }
            }
        }
        if let Some((column, labels)) = &self.label {
            let _ = writeln!(out, "\n[label]\ncolumn = {}", quoted(column));
            let mut skipped = if self.without_label { vec![quoted("")] } else { Vec::new() };
            match labels {
                DraftLabels::Thresholds([low, high]) => {
                    let _ = writeln!(
                        out,
                        "# below the first irrelevant, below the second partial, else relevant\nthresholds = [{low:?}, {high:?}]"
                    );
                }
                DraftLabels::Values(values) => {
                    let mut grades = Vec::new();
                    for (label, grade) in values {
                        match grade {
                            Some(grade) => {
                                grades.push(format!("{} = {}", quoted(label), grade.index()));
                            }
                            None => skipped.push(quoted(label)),
                        }
                    }
                    let _ = writeln!(out, "values = {{ {} }}", grades.join(", "));
                }
            }
            if !skipped.is_empty() {
                let skipped = skipped.join(", ");
                let _ = writeln!(out, "skip = [{skipped}]   # rows with these are left out");
            }
        }
        if let Some(rater) = &self.rater {
            let _ = writeln!(
                out,
                "\n[raters]\ncolumn = {}\naggregate = \"majority\"   # or \"mean\", \"dawid-skene\"",
                quoted(rater)
            );
        }
        let row = [
            ("id", &self.id),
            ("group", &self.group),
            ("split", &self.split),
            ("doc_id", &self.doc_id),
        ];
        let row: Vec<_> =
            row.iter().filter_map(|(key, column)| Some((key, column.as_ref()?))).collect();
        if !row.is_empty() {
            let _ = writeln!(out, "\n[row]");
            for (key, column) in row {
                let _ = writeln!(out, "{key} = {}", quoted(column));
            }
        }
        out
    }

    /// Whether the map has a column. The rows have nothing of those that it has not.
    pub fn takes(&self, column: &str) -> bool {
        let sides = [&self.left, &self.right];
        let of_sides = sides.into_iter().flat_map(|side| {
            [Some(&side.text), side.brand.as_ref(), side.description.as_ref()].into_iter().flatten()
        });
        let label = self.label.as_ref().map(|(column, _)| column);
        let others = [&self.rater, &self.group, &self.doc_id, &self.id, &self.split];
        let others = others.into_iter().flatten();
        of_sides.chain(label).chain(others).any(|taken| taken == column)
    }
}
