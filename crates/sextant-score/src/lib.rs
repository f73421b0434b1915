//! Scores files of pairs of any size: rows stream in, are scored in windows, and stream out in their
//! order with the prediction's columns added.
//!
//! Memory is bounded by three windows. The output is written beside its path and renamed when whole. A
//! row that cannot be read or encoded is an error that names its line, or is passed over and
//! counted, as the caller says.

mod ensemble;
mod scorer;

pub use ensemble::{Ensemble, EnsembleManifest, Member};
pub use scorer::{Scorer, ScorerRow};

use serde_json::Value;
use sextant_core::Prediction;
use sextant_data::{
    Column, ColumnKind, DataError, Format, ReadOptions, Row, RowReader, RowUnit, RowWriter,
    json_number,
};
use sextant_model::ModelError;
use sextant_text::CutCount;
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// How to score a file.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// How to read the input; grades are not needed.
    pub read: ReadOptions,
    /// Whether rows that cannot be read are passed over.
    pub skip_bad: bool,
    /// Rows that are read before they are scored: sorted by length among themselves.
    pub window: usize,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { read: ReadOptions::default(), skip_bad: false, window: 4096 }
    }
}

/// What scoring a file came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreReport {
    /// Rows scored.
    pub rows: u64,
    /// Why rows were passed over: the first few messages.
    pub problems: Vec<String>,
    /// Rows passed over.
    pub skipped: u64,
    /// What truncation took.
    pub cut: CutCount,
}

/// Messages that a report keeps.
const PROBLEMS: usize = 20;

/// Why a file cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Reading or writing failed, or a row is bad.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A row has no text that the tokenizer knows, or the model lacks its task.
    #[error("{path} {unit} {line}: {source}")]
    Row {
        /// The input.
        path: String,
        /// `line`, or `row` for Parquet.
        unit: RowUnit,
        /// The row's line or number.
        line: u64,
        /// What is wrong.
        source: ModelError,
    },
}

/// The columns that scoring adds.
pub fn added_columns() -> Vec<Column> {
    vec![
        Column::new("predicted_grade", ColumnKind::Integer),
        Column::new("predicted_label", ColumnKind::Text),
        Column::new("score", ColumnKind::Number),
        Column::new("probs", ColumnKind::Numbers),
    ]
}

/// Scores `input` into `output`; `done` hears how many rows each window held.
///
/// Reading and tokenising run one window ahead on a thread of their own.
pub fn score_file(
    scorer: &Scorer,
    input: &Path,
    output: &Path,
    options: &ScoreOptions,
    mut done: impl FnMut(usize),
) -> Result<ScoreReport, ScoreError> {
    let mut columns = RowReader::columns_of(input, &options.read)?;
    columns.retain(|column| added_columns().iter().all(|added| added.name != column.name));
    columns.extend(added_columns());
    let mut writer = RowWriter::create(output, columns)?;
    let mut report = ScoreReport::default();
    let reader = RowReader::open(input, &options.read)?;
    std::thread::scope(|scope| {
        let (sender, windows) = sync_channel(1);
        scope.spawn(move || {
            // An error ends the reading. Sending fails when scoring has ended with an error.
            let mut windows = Windows { reader, scorer, input, options };
            while let Some(window) = windows.next().transpose() {
                let last = window.is_err();
                if sender.send(window).is_err() || last {
                    return;
                }
            }
        });
        for window in windows {
            let Window { rows, problems, skipped } = window?;
            report.skipped += skipped;
            let room = PROBLEMS.saturating_sub(report.problems.len());
            report.problems.extend(problems.into_iter().take(room));
            flush(scorer, rows, &mut writer, &mut report, &mut done)?;
        }
        Ok::<_, ScoreError>(())
    })?;
    writer.finish()?;
    Ok(report)
}

/// Rows that are scored together.
#[derive(Default)]
struct Window {
    rows: Vec<(Row, ScorerRow)>,
    problems: Vec<String>,
    skipped: u64,
}

/// Reads and encodes rows window by window.
struct Windows<'a> {
    reader: RowReader,
    scorer: &'a Scorer,
    input: &'a Path,
    options: &'a ScoreOptions,
}

impl Windows<'_> {
    /// The next window; none at the end of the file.
    fn next(&mut self) -> Result<Option<Window>, ScoreError> {
        let size = self.options.window.max(1);
        let mut window = Window::default();
        while window.rows.len() < size
            && let Some(row) = self.reader.next()
        {
            match self.encode(row) {
                Ok(pair) => window.rows.push(pair),
                Err(error @ (ScoreError::Data(DataError::Row(_)) | ScoreError::Row { .. }))
                    if self.options.skip_bad =>
                {
                    window.skipped += 1;
                    if window.problems.len() < PROBLEMS {
                        window.problems.push(error.to_string());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok((!window.rows.is_empty() || window.skipped > 0).then_some(window))
    }

    fn encode(&self, row: Result<Row, DataError>) -> Result<(Row, ScorerRow), ScoreError> {
        let row = row?;
        let at_row = |source| ScoreError::Row {
            path: self.input.display().to_string(),
            unit: Format::of(self.input).map_or(RowUnit::Line, RowUnit::of),
            line: row.line,
            source,
        };
        let encoded = self.scorer.encode(&row.pair).map_err(at_row)?;
        Ok((row, encoded))
    }
}

fn flush(
    scorer: &Scorer,
    window: Vec<(Row, ScorerRow)>,
    writer: &mut RowWriter,
    report: &mut ScoreReport,
    done: &mut impl FnMut(usize),
) -> Result<(), ScoreError> {
    let (rows, encoded): (Vec<Row>, Vec<ScorerRow>) = window.into_iter().unzip();
    for row in &encoded {
        report.cut.add(row.cut());
    }
    let (count, predictions) = (rows.len(), scorer.predict_rows(encoded)?);
    for (mut row, prediction) in rows.into_iter().zip(predictions) {
        report.rows += 1;
        add(&mut row, prediction);
        writer.write(&row)?;
    }
    done(count);
    Ok(())
}

fn add(row: &mut Row, prediction: Prediction) {
    let grade = prediction.grade();
    let probs = prediction.probs.iter().map(|&p| json_number(p)).collect();
    let values = [
        Value::from(grade.index()),
        Value::from(grade.as_str()),
        json_number(prediction.score()),
        Value::Array(probs),
    ];
    for (column, value) in added_columns().into_iter().zip(values) {
        row.extra.insert(column.name, value);
    }
}
