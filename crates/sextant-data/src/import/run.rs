//! The readings of an import, one after another.

use super::ImportError;
use super::columns::Wanted;
use super::digest::{KeyHash, hash};
use super::gather::{Gathered, Grades, Taken};
use super::join::{Joined, Record};
use super::map::{Duplicates, ImportMap, OnFault, OnMissing};
use super::number::plain;
use super::plan::Plan;
use super::report::ImportReport;
use super::side::Source;
use super::table::{self, TextBatch};
use super::watch::{Progress, Watch};
use crate::{DataError, Format, Output, PairKey, Row, RowView, RowsWriter};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use sextant_core::{Behaviour, Grade, Pair, Split};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where an import reads and writes.
#[derive(Debug)]
pub struct ImportOptions {
    /// The folder to which the map's paths are relative.
    pub sources: PathBuf,
    /// Where the rows go.
    pub output: Output,
    /// Their format.
    pub format: Format,
    /// The folder for the temporary files of joined tables, which need as much room as the texts that are joined.
    pub temporary: PathBuf,
}

/// Imports what a map describes. `observer` hears how far it is, and may stop it.
///
/// # Errors
/// See [`ImportError`]. Nothing is left at the output's path unless all rows were written.
pub fn import(
    map: &ImportMap,
    options: ImportOptions,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<ImportReport, ImportError> {
    let ImportOptions { sources, output, format, temporary } = options;
    let mut watch = Watch(observer);
    let plan = Plan::new(map)?;
    let tables = map.tables.iter().zip(&plan.wanted.joined).zip(&plan.on);
    let mut joined: Vec<Joined> = tables
        .map(|(((name, spec), (_, columns)), on)| {
            Joined::new(name.clone(), spec.clone(), columns.clone(), on.clone(), &temporary)
        })
        .collect();
    let mut report = ImportReport::default();
    let grades = first_reading(map, &plan, &mut joined, &sources, &mut watch, &mut report)?;
    for table in &mut joined {
        table.load(&sources, &map.text, &mut watch)?;
        if table.repeated > 0 {
            report.repeated_keys.insert(table.name.clone(), table.repeated);
        }
    }
    let further = plan.row.further.iter().map(|(name, _)| Field::new(name, DataType::Utf8, true));
    let has = |name: &str| match name {
        "grade" | "origin" => plan.label.is_some(),
        "id" => plan.row.id.is_some(),
        "group" => plan.row.group.is_some(),
        "weight" => plan.row.weight.is_some(),
        "split" => plan.row.split.is_some(),
        _ => match Behaviour::COLUMNS.iter().position(|column| *column == name) {
            Some(at) => plan.row.behaviour.is_some_and(|places| places[at].is_some()),
            None => true,
        },
    };
    let writer = RowsWriter::create(output, format, has, further)?;
    let mut rows = Rows { map, plan: &plan, joined, grades, seen: HashMap::new(), report, writer };
    let Wanted { ratings, .. } = &plan.wanted;
    watch.table("ratings")?;
    table::read(&map.ratings, &sources, ratings, &mut watch, |batch| rows.write(batch))?;
    if rows.report.written == 0 {
        // Other commands refuse data without rows, so that this one does not make any.
        let problem = match rows.report.read {
            0 => "there are no rows to import; is it the whole file?".to_owned(),
            read => format!(
                "none of its {read} rows is left: {}; change the map",
                rows.report.left_out().join(", ")
            ),
        };
        return Err(DataError::unusable(&sources.join(&map.ratings.path), problem).into());
    }
    rows.writer.finish()?;
    Ok(rows.report)
}

/// Reads the ratings for the keys that joined tables must have, and for the grades of several raters. Without
/// either, nothing is read.
fn first_reading(
    map: &ImportMap,
    plan: &Plan,
    joined: &mut [Joined],
    sources: &Path,
    watch: &mut Watch<'_>,
    report: &mut ImportReport,
) -> Result<Option<Grades>, ImportError> {
    if joined.is_empty() && map.raters.is_none() {
        return Ok(None);
    }
    watch.table("keys of ratings")?;
    let mut gathered = Gathered::default();
    table::read(&map.ratings, sources, &plan.wanted.ratings, watch, |batch| {
        for row in 0..batch.rows() {
            if !passes(plan, batch, row)? {
                continue;
            }
            for table in joined.iter_mut() {
                table.need(batch, row);
            }
            if let (Some(_), Some((columns, rule))) = (&map.raters, &plan.label) {
                let key = identity(plan, batch, row);
                for &column in columns {
                    let name = &plan.wanted.ratings[column];
                    let label = batch.get(column, row);
                    // Where each column is a rater, not everybody has rated every pair.
                    if rule.skips(label) || (label.is_none() && columns.len() > 1) {
                        continue;
                    }
                    let label = rule.read(label).map_err(|p| batch.error(row, Some(name), p))?;
                    let rater = match plan.rater {
                        Some(rater) => batch.get(rater, row),
                        None => Some(name.as_str()).filter(|_| columns.len() > 1),
                    };
                    gathered.add(key, rater, label);
                }
            }
        }
        Ok(())
    })?;
    let (Some(raters), Some((_, rule))) = (&map.raters, &plan.label) else { return Ok(None) };
    let (grades, raters) = gathered.into_grades(raters.aggregate, raters.min, rule)?;
    report.raters = Some(raters);
    Ok(Some(grades))
}

fn passes(plan: &Plan, batch: &TextBatch, row: usize) -> Result<bool, ImportError> {
    for test in &plan.tests {
        if !test.passes(batch, row)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What tells a pair from others before texts are joined.
fn identity(plan: &Plan, batch: &TextBatch, row: usize) -> KeyHash {
    hash(plan.identity.iter().map(|&column| batch.get(column, row).unwrap_or_default()))
}

/// The second reading, which makes rows.
struct Rows<'a> {
    map: &'a ImportMap,
    plan: &'a Plan,
    joined: Vec<Joined>,
    grades: Option<Grades>,
    /// Pairs that were written, with their grades.
    seen: HashMap<KeyHash, Option<Grade>>,
    report: ImportReport,
    writer: RowsWriter,
}

impl Rows<'_> {
    fn write(&mut self, batch: &TextBatch) -> Result<(), ImportError> {
        let mut rows = Vec::with_capacity(batch.rows());
        let mut further = vec![Vec::with_capacity(batch.rows()); self.plan.row.further.len()];
        for row in 0..batch.rows() {
            self.report.read += 1;
            if let Some((found, values)) = self.row(batch, row)? {
                rows.push(found);
                for (column, value) in further.iter_mut().zip(values) {
                    column.push(value);
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.report.written += rows.len() as u64;
        let views: Vec<RowView<'_>> = rows.iter().map(RowView::from).collect();
        let further =
            further.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
        Ok(self.writer.write(&views, further)?)
    }

    /// A row and its further values; `None` if it is left out, which is counted.
    #[expect(clippy::type_complexity, reason = "a row beside the values of its further columns")]
    fn row(
        &mut self,
        batch: &TextBatch,
        row: usize,
    ) -> Result<Option<(Row, Vec<Option<String>>)>, ImportError> {
        let (map, plan) = (self.map, self.plan);
        if !passes(plan, batch, row)? {
            self.report.conditions += 1;
            return Ok(None);
        }
        let Some(grade) = self.grade(batch, row)? else { return Ok(None) };
        let Some(records) = self.records(batch, row)? else { return Ok(None) };
        let source = Source { batch, row, records: &records, text: &map.text };
        let sides = [("left", &plan.left), ("right", &plan.right)];
        let [left, right] = sides.map(|(name, side)| (name, side.entity(&source)));
        let (left, right) = match (left, right) {
            ((_, Some(left)), (_, Some(right))) => (left, right),
            ((name, None), _) | (_, (name, None)) => {
                self.report.empty += 1;
                return match map.empty {
                    OnFault::Skip => Ok(None),
                    OnFault::Error => {
                        let problem = format!(
                            "there is no text for the {name} side; `empty = \"skip\"` in the map leaves such rows out"
                        );
                        Err(batch.error(row, None, problem))
                    }
                };
            }
        };
        let pair = Pair { task: map.task, left, right };
        if plan.language.as_ref().is_some_and(|filter| !filter.keeps(&pair)) {
            self.report.language += 1;
            return Ok(None);
        }
        if map.duplicates == Duplicates::First && self.is_repeated(&pair, grade) {
            return Ok(None);
        }
        if let Some(grade) = grade {
            self.report.grades[grade.index()] += 1;
        }
        let text = |place| source.raw(place).map(str::to_owned);
        let further = plan.row.further.iter().map(|(_, place)| text(*place)).collect();
        let row = Row {
            line: 0,
            further: Vec::new(),
            pair,
            grade,
            id: plan.row.id.and_then(text),
            group: plan.row.group.and_then(text),
            weight: plan.row.weight.map_or(Ok(1.0), |at| {
                weight(source.raw(at)).map_err(|p| batch.error(row, map.row.weight.as_deref(), p))
            })?,
            source: Some(map.name.clone()),
            origin: Some(map.origin),
            split: plan.row.split.map_or(Ok(None), |at| {
                self.split(source.raw(at))
                    .map_err(|p| batch.error(row, map.row.split.as_deref(), p))
            })?,
            behaviour: match (plan.row.behaviour, &map.row.behaviour) {
                (Some(places), Some(spec)) => {
                    let texts = places.map(|place| place.and_then(|place| source.raw(place)));
                    behaviour(texts)
                        .map_err(|(at, problem)| batch.error(row, spec.columns()[at], problem))?
                }
                _ => None,
            },
        };
        Ok(Some((row, further)))
    }

    /// The grade of a row, where rows have grades; `None` if the row is left out.
    #[expect(clippy::option_option, reason = "a row without a grade is not one that is left out")]
    fn grade(
        &mut self,
        batch: &TextBatch,
        row: usize,
    ) -> Result<Option<Option<Grade>>, ImportError> {
        let Some((columns, rule)) = &self.plan.label else { return Ok(Some(None)) };
        if let Some(grades) = &mut self.grades {
            return Ok(match grades.take(&identity(self.plan, batch, row)) {
                Taken::Grade(grade) => Some(Some(grade)),
                Taken::Again => {
                    self.report.merged += 1;
                    None
                }
                Taken::Unrated => {
                    self.report.unrated += 1;
                    None
                }
            });
        }
        let column = columns[0];
        let label = batch.get(column, row);
        if rule.skips(label) {
            self.report.labels += 1;
            return Ok(None);
        }
        let name = &self.plan.wanted.ratings[column];
        let (grade, _) =
            rule.read(label).map_err(|problem| batch.error(row, Some(name), problem))?;
        Ok(Some(Some(grade)))
    }

    /// The records of all joined tables; `None` if the row is left out, because a table has none for it.
    fn records(
        &mut self,
        batch: &TextBatch,
        row: usize,
    ) -> Result<Option<Vec<Record>>, ImportError> {
        let mut records = Vec::with_capacity(self.joined.len());
        for table in &mut self.joined {
            let found = table.record(batch, row)?;
            match (found, table.spec.missing) {
                (Some(record), _) => records.push(record),
                (None, OnMissing::Empty) => {
                    *self.report.unpartnered.entry(table.name.clone()).or_default() += 1;
                    records.push(Record::default());
                }
                (None, OnMissing::Skip) => {
                    *self.report.missing.entry(table.name.clone()).or_default() += 1;
                    return Ok(None);
                }
                (None, OnMissing::Error) => {
                    let problem = format!(
                        "table `{0}` has no row with {1}; `missing = \"skip\"` under [tables.{0}] leaves such rows out, `missing = \"empty\"` takes them without",
                        table.name,
                        table.shown_key(batch, row)
                    );
                    return Err(batch.error(row, None, problem));
                }
            }
        }
        Ok(Some(records))
    }

    /// Whether an earlier row has the same pair, as `data check` compares pairs.
    fn is_repeated(&mut self, pair: &Pair, grade: Option<Grade>) -> bool {
        let PairKey { left, right, .. } = PairKey::of(pair);
        match self.seen.entry(hash([left.as_str(), right.as_str()])) {
            Entry::Vacant(entry) => {
                entry.insert(grade);
                false
            }
            Entry::Occupied(entry) => {
                self.report.duplicates += 1;
                self.report.contradictions += u64::from(*entry.get() != grade);
                true
            }
        }
    }

    fn split(&self, text: Option<&str>) -> Result<Option<Split>, String> {
        let Some(text) = text else { return Ok(None) };
        let same = |name: &&String| plain(name) == plain(text);
        let splits = self.map.row.splits.as_ref();
        let known = splits.and_then(|splits| {
            let (_, split) = splits.iter().find(|(name, _)| same(name))?;
            Some(*split)
        });
        let found = known.map_or_else(|| text.to_ascii_lowercase().parse::<Split>(), Ok);
        found
            .map(Some)
            .map_err(|error| format!("{error}; `splits` under [row] gives other names a meaning"))
    }
}

fn weight(text: Option<&str>) -> Result<f32, String> {
    let Some(text) = text else { return Ok(1.0) };
    let number = text.parse::<f32>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("weight `{text}` is not a finite number above 0"))
}

/// What the cells of [`Behaviour::COLUMNS`] say; `None` if the pair has no count of impressions. An error is about
/// the cell at its index.
fn behaviour(texts: [Option<&str>; 5]) -> Result<Option<Box<Behaviour>>, (usize, String)> {
    let mut numbers = [None; 5];
    for (at, text) in texts.into_iter().enumerate() {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { continue };
        numbers[at] =
            Some(text.parse::<f64>().map_err(|_| (at, format!("`{text}` is not a number")))?);
    }
    let [Some(impressions), clicks, add_to_carts, purchases, propensity] = numbers else {
        return Ok(None);
    };
    let made = Behaviour::new(impressions, [clicks, add_to_carts, purchases], propensity);
    made.map(|made| Some(Box::new(made))).map_err(|problem| {
        let named = |column: &&str| *column == problem.column();
        (Behaviour::COLUMNS.iter().position(named).unwrap_or(0), problem.to_string())
    })
}
