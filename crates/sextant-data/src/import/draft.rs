//! A first map for one table: what its columns look like, and the text of a map that uses them.

use super::ImportError;
use crate::{BatchReader, DataError, Encoding, Format, ReadOptions, Separator};
use sextant_core::{EntityKind, Grade, Task};
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
        match Self::read(path, Encoding::Utf8) {
            Err(ImportError::Data(error)) if is_encoding(&error) => {
                Self::read(path, Encoding::Latin1)
            }
            found => found,
        }
    }

    fn read(path: &Path, encoding: Encoding) -> Result<Self, ImportError> {
        let mut options = ReadOptions { encoding, any_columns: true, ..ReadOptions::default() };
        let mut reader = BatchReader::open(path, &options, &[])?;
        if matches!(reader.format(), Format::Csv | Format::Tsv)
            && let Some(layout) = reader.layout()
            && let [only] = &layout.schema.fields()[..]
            && let Some(separator) = ["tab", ";", "|", ","]
                .into_iter()
                .find(|name| only.name().contains(if *name == "tab" { "\t" } else { name }))
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
            columns.into_iter().map(|(name, texts)| ColumnLook::new(name, texts)).collect();
        Ok(Self { columns, rows, encoding, separator: options.separator })
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnLook> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column whose name is likeliest to mean one of `words`, the first of which counts most.
    pub fn likely(&self, words: &[&str]) -> Option<&str> {
        let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-', ' '], "");
        let exact =
            words.iter().find_map(|word| self.columns.iter().find(|c| plain(&c.name) == *word));
        let part = || {
            words.iter().find_map(|word| {
                self.columns
                    .iter()
                    .find(|c| plain(&c.name).contains(word) && !plain(&c.name).ends_with("id"))
            })
        };
        exact.or_else(part).map(|column| column.name.as_str())
    }
}

fn is_encoding(error: &DataError) -> bool {
    match error {
        DataError::Row(row) => matches!(row.problem, crate::RowProblem::BrokenUtf8 { .. }),
        DataError::HeaderEncoding { .. } => true,
        _ => false,
    }
}

impl ColumnLook {
    fn new(name: String, texts: Vec<String>) -> Self {
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
            examples,
            range,
            name,
        }
    }
}

/// Whether a label is how programs and people write that there is none.
pub fn is_no_label(label: &str) -> bool {
    let plain = label.trim().to_ascii_lowercase();
    ["", "nan", "na", "n/a", "null", "none", "-", "?"].contains(&plain.as_str())
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
    /// The column that names the rater of each row.
    pub rater: Option<String>,
    /// The column of the group.
    pub group: Option<String>,
    /// The column of the document's identifier.
    pub doc_id: Option<String>,
    /// The column of the row's identifier.
    pub id: Option<String>,
    /// The column of the split: train, dev or test.
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
            match labels {
                DraftLabels::Thresholds([low, high]) => {
                    let _ = writeln!(
                        out,
                        "# below the first irrelevant, below the second partial, else relevant\nthresholds = [{low:?}, {high:?}]"
                    );
                }
                DraftLabels::Values(values) => {
                    let (mut grades, mut skipped) = (Vec::new(), Vec::new());
                    for (label, grade) in values {
                        match grade {
                            Some(grade) => {
                                grades.push(format!("{} = {}", quoted(label), grade.index()));
                            }
                            None => skipped.push(quoted(label)),
                        }
                    }
                    let _ = writeln!(out, "values = {{ {} }}", grades.join(", "));
                    if !skipped.is_empty() {
                        let skipped = skipped.join(", ");
                        let _ =
                            writeln!(out, "skip = [{skipped}]   # rows with these are left out");
                    }
                }
            }
        }
        if let Some(rater) = &self.rater {
            let _ = writeln!(
                out,
                "\n[raters]\ncolumn = {}\naggregate = \"majority\"   # or \"mean\", \"dawid-skene\"",
                quoted(rater)
            );
        }
        let of_row = [
            ("id", &self.id),
            ("group", &self.group),
            ("split", &self.split),
            ("doc_id", &self.doc_id),
        ];
        if of_row.iter().any(|(_, column)| column.is_some()) {
            let _ = writeln!(out, "\n[row]");
            for (key, column) in of_row {
                if let Some(column) = column {
                    let _ = writeln!(out, "{key} = {}", quoted(column));
                }
            }
        }
        out
    }
}

/// The ends of the scale that numbers from `low` to `high` are most likely of: theirs, but a scale whose highest number
/// is 5 begins at 1 (stars), also where nobody gave the lowest.
pub fn likely_scale(low: f64, high: f64) -> (f64, f64) {
    (if high == 5.0 && low > 1.0 { 1.0 } else { low }, high)
}

/// The grades that labels most likely mean, the lowest label first: known names by their meaning, and numbers by
/// their thirds of the [likely scale](likely_scale). `None` where labels are other names.
pub fn likely_grades(labels: &[String]) -> Option<Vec<Grade>> {
    let known = |label: &String| {
        Some(match &*label.to_ascii_lowercase() {
            "e" | "exact" | "perfect" | "relevant" | "excellent" | "yes" | "true" => {
                Grade::Relevant
            }
            "s" | "substitute" | "partial" | "good" | "fair" | "somewhat relevant" => {
                Grade::Partial
            }
            "c" | "complement" | "i" | "irrelevant" | "bad" | "no" | "false" | "off-topic" => {
                Grade::Irrelevant
            }
            _ => return None,
        })
    };
    if let Some(grades) = labels.iter().map(known).collect() {
        return Some(grades);
    }
    let numbers: Vec<f64> = labels.iter().map(|label| label.parse().ok()).collect::<Option<_>>()?;
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = likely_scale(low, high);
    let grade = |number: f64| match (number - low) / (high - low).max(f64::MIN_POSITIVE) {
        place if place < 1.0 / 3.0 => Grade::Irrelevant,
        place if place < 2.0 / 3.0 + 1e-9 => Grade::Partial,
        _ => Grade::Relevant,
    };
    Some(numbers.into_iter().map(grade).collect())
}
