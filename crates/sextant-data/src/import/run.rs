//! The readings of an import, one after another.

use super::ImportError;
use super::columns::Wanted;
use super::digest::KeyHash;
use super::gather::{Gathered, Grades, Taken};
use super::join::Joined;
use super::map::{Duplicates, ImportMap};
use super::pair::{LeftOut, Made, Pairs};
use super::plan::Plan;
use super::report::ImportReport;
use super::side::Source;
use super::table::{self, TextBatch};
use super::watch::{Progress, Watch};
use crate::number::plain;
use crate::{DataError, Format, Output, Row, RowView, RowsWriter};
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use sextant_core::{Behaviour, Grade, Split};
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
    if !joined.is_empty() {
        watch.table("keys of ratings")?;
        need_keys(map, &plan, &mut joined, &sources, &mut watch)?;
    }
    for table in &mut joined {
        table.load(&sources, &map.text, &mut watch)?;
        if table.repeated > 0 {
            report.repeated_keys.insert(table.name.clone(), table.repeated);
        }
    }
    let unpartnered = std::collections::BTreeMap::new();
    let mut pairs = Pairs { map, plan: &plan, joined, unpartnered };
    let grades = gather(&mut pairs, &sources, &mut watch, &mut report)?;
    // They are counted anew as rows are written.
    pairs.unpartnered.clear();
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
    let mut rows = Rows { pairs, grades, seen: HashMap::new(), report, writer };
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
    Ok(ImportReport { unpartnered: rows.pairs.unpartnered, ..rows.report })
}

/// Reads the ratings for the keys that joined tables must have.
fn need_keys(
    map: &ImportMap,
    plan: &Plan,
    joined: &mut [Joined],
    sources: &Path,
    watch: &mut Watch<'_>,
) -> Result<(), ImportError> {
    table::read(&map.ratings, sources, &plan.wanted.ratings, watch, |batch| {
        for row in 0..batch.rows() {
            if passes(plan, batch, row)? {
                for table in joined.iter_mut() {
                    table.need(batch, row);
                }
            }
        }
        Ok(())
    })
}

/// Reads the ratings for the grades of several raters. Ratings are of one pair if their texts are one pair, whatever
/// identifiers and spellings they have. Without raters, nothing is read.
fn gather(
    pairs: &mut Pairs<'_>,
    sources: &Path,
    watch: &mut Watch<'_>,
    report: &mut ImportReport,
) -> Result<Option<Grades>, ImportError> {
    let (map, plan) = (pairs.map, pairs.plan);
    let (Some(raters), Some((columns, rule))) = (&map.raters, &plan.label) else {
        return Ok(None);
    };
    watch.table("grades of raters")?;
    let mut gathered = Gathered::default();
    table::read(&map.ratings, sources, &plan.wanted.ratings, watch, |batch| {
        for row in 0..batch.rows() {
            if !passes(plan, batch, row)? {
                continue;
            }
            let Made::Pair(_, key, _) = pairs.of(batch, row)? else { continue };
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
        Ok(())
    })?;
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

/// The last reading, which makes rows.
struct Rows<'a> {
    pairs: Pairs<'a>,
    grades: Option<Grades>,
    /// Pairs that were written, with their grades.
    seen: HashMap<KeyHash, Option<Grade>>,
    report: ImportReport,
    writer: RowsWriter,
}

impl Rows<'_> {
    fn write(&mut self, batch: &TextBatch) -> Result<(), ImportError> {
        let mut rows = Vec::with_capacity(batch.rows());
        let mut further = vec![Vec::with_capacity(batch.rows()); self.pairs.plan.row.further.len()];
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
        let (map, plan) = (self.pairs.map, self.pairs.plan);
        if !passes(plan, batch, row)? {
            self.report.conditions += 1;
            return Ok(None);
        }
        let alone = match self.grades {
            Some(_) => None,
            None => match self.own_grade(batch, row)? {
                Some(grade) => grade,
                None => return Ok(None),
            },
        };
        let (pair, key, records) = match self.pairs.of(batch, row)? {
            Made::Pair(pair, key, records) => (*pair, key, records),
            Made::LeftOut(why) => {
                self.count(&why);
                return Ok(None);
            }
        };
        let grade = if let Some(grades) = &mut self.grades {
            match grades.take(&key) {
                Taken::Grade(grade) => Some(grade),
                Taken::Again => {
                    self.report.merged += 1;
                    return Ok(None);
                }
                Taken::Unrated => {
                    self.report.unrated += 1;
                    return Ok(None);
                }
            }
        } else if self.is_repeated(key, alone) {
            return Ok(None);
        } else {
            alone
        };
        let source = Source { batch, row, records: &records, text: &map.text };
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

    /// The grade that a row states itself, where rows have grades; `None` if the row is left out.
    #[expect(clippy::option_option, reason = "a row without a grade is not one that is left out")]
    fn own_grade(
        &mut self,
        batch: &TextBatch,
        row: usize,
    ) -> Result<Option<Option<Grade>>, ImportError> {
        let plan = self.pairs.plan;
        let Some((columns, rule)) = &plan.label else { return Ok(Some(None)) };
        let column = columns[0];
        let label = batch.get(column, row);
        if rule.skips(label) {
            self.report.labels += 1;
            return Ok(None);
        }
        let name = &plan.wanted.ratings[column];
        let (grade, _) =
            rule.read(label).map_err(|problem| batch.error(row, Some(name), problem))?;
        Ok(Some(Some(grade)))
    }

    fn count(&mut self, why: &LeftOut) {
        match why {
            LeftOut::Missing(table) => {
                let name = self.pairs.joined[*table].name.clone();
                *self.report.missing.entry(name).or_default() += 1;
            }
            LeftOut::Empty => self.report.empty += 1,
            LeftOut::Language => self.report.language += 1,
        }
    }

    /// Whether an earlier row has the same pair, and the map takes the first one only.
    fn is_repeated(&mut self, key: KeyHash, grade: Option<Grade>) -> bool {
        if self.pairs.map.duplicates == Duplicates::Keep {
            return false;
        }
        match self.seen.entry(key) {
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
        let splits = self.pairs.map.row.splits.as_ref();
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
