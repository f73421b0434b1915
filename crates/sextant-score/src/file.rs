//! Scores a file: its rows are read as a stream, scored in windows, and written in their order.
//!
//! Three steps run in parallel: one thread reads, one tokenises, and the caller's thread predicts and writes.
//! Memory is bounded by the windows between them.

use crate::ScoreError;
use crate::batch::{ADDED_COLUMNS, EncodedBatch, RowFault, append, scored_schema};
use arrow_array::RecordBatch;
use sextant_core::Prediction;
use sextant_data::{
    Batch, BatchReader, BatchWriter, DataError, Format, Layout, Output, PairError, ReadOptions,
    unwritable_row,
};
use sextant_files::Existing;
use sextant_infer::{Scorer, ScorerRow};
use sextant_model::ModelError;
use sextant_text::CutCount;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How to score a file.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// How to read the input. Grades are not needed, and only the columns of the pair are read.
    pub read: ReadOptions,
    /// The format of the output. If it is absent, the output's name decides; standard output then has the
    /// input's format if that is a text format, and JSONL otherwise.
    pub output_format: Option<Format>,
    /// Whether a file at the output's path may be replaced.
    pub existing: Existing,
    /// Whether rows that cannot be read, encoded or written are skipped; if not, the first one is an error.
    pub skip_bad: bool,
    /// The number of rows that are read before they are scored together, packed by length.
    pub window: usize,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            output_format: None,
            existing: Existing::Refuse,
            skip_bad: false,
            window: 4096,
        }
    }
}

/// The result of scoring a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreReport {
    /// The number of rows that were scored.
    pub rows: u64,
    /// The messages for the first few rows that were skipped.
    pub problems: Vec<String>,
    /// The number of rows that were skipped.
    pub skipped: u64,
    /// What truncation removed.
    pub cut: CutCount,
}

/// The most messages that a report keeps.
const PROBLEMS: usize = 20;
/// The size of a window's columns, in bytes, at which the window ends.
const WINDOW_BYTES: usize = 64 << 20;
/// How often the observer is asked whether to go on while nothing is received.
const PATIENCE: Duration = Duration::from_millis(100);

/// Scores the rows of `input` and writes them to `output`, with [`added_fields`](crate::added_fields) appended.
///
/// `observer` is called with the number of rows after each window, and from time to time with 0, and may break.
/// Then no output is left behind.
///
/// # Errors
/// See [`ScoreError`]. No output file appears then.
pub fn score_file(
    scorer: &Scorer,
    input: &Path,
    output: &Path,
    options: &ScoreOptions,
    mut observer: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<ScoreReport, ScoreError> {
    if sextant_data::is_among(input, output) {
        return Err(DataError::unusable(
            output,
            "the next run would read it as a part of the input; put the output elsewhere",
        )
        .into());
    }
    let (reader, format) = open(input, output, options)?;
    let layout = reader.layout().map(|layout| Layout {
        schema: Arc::new(scored_schema(&layout.schema)),
        parquet: layout.parquet.clone(),
    });
    let mut writer =
        BatchWriter::create(Output::open(output, options.existing)?, format, layout.as_ref())?;
    let mut report = ScoreReport::default();

    // The thread is not scoped, because a reader that waits for a pipe cannot be stopped. It is left behind.
    let (batch_sender, batches) = sync_channel(1);
    let window = options.window;
    let reading = std::thread::spawn(move || read(reader, window, &batch_sender));
    let stop = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let (window_sender, windows) = sync_channel(1);
        let encoder = Encoder { scorer, options, format, stop: &stop };
        scope.spawn(move || encoder.run(&batches, &window_sender));
        let outcome = loop {
            match receive(&windows, || observer(0).is_break()) {
                Received::Ended => break Ok(()),
                Received::Stopped => break Err(ScoreError::Interrupted),
                Received::Item(window) => {
                    let scored = window
                        .and_then(|window| score_window(scorer, window, &mut writer, &mut report));
                    match scored {
                        Ok(rows) if observer(rows).is_continue() => {}
                        Ok(_) => break Err(ScoreError::Interrupted),
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    ended?;
    // The windows have ended, so the reader has too. If it panicked, some rows are missing.
    if let Err(panic) = reading.join() {
        std::panic::resume_unwind(panic);
    }
    writer.finish()?;
    Ok(report)
}

/// Opens the input and decides the format of the output. If that format needs all columns before the first row
/// is written, an input that does not state its columns is read through once to find them.
fn open(
    input: &Path,
    output: &Path,
    options: &ScoreOptions,
) -> Result<(BatchReader, Format), ScoreError> {
    let named = match options.output_format {
        Some(format) => Some(format),
        None if output == Path::new("-") => None,
        None => Some(Format::of(output)?),
    };
    if named.is_none_or(|format| format == Format::Jsonl) {
        let reader = BatchReader::open(input, &options.read, &ADDED_COLUMNS)?;
        let same = Some(reader.format()).filter(|&format| format != Format::Parquet);
        let format = named.or(same).unwrap_or(Format::Jsonl);
        return Ok((reader, format));
    }
    let format = named.unwrap_or(Format::Jsonl);
    let look = |batch: &Batch| match unwritable_row(&batch.columns, format) {
        Some((row, column, problem)) if !options.skip_bad => {
            Err(Box::new(batch.error(row, Some(column), problem)).into())
        }
        _ => Ok(()),
    };
    Ok((BatchReader::surveyed(input, &options.read, &ADDED_COLUMNS, look)?, format))
}

/// What was received from a channel.
enum Received<T> {
    Item(T),
    /// The sender is gone, and everything that it sent was received.
    Ended,
    /// `stop` returned true while nothing was received.
    Stopped,
}

fn receive<T>(channel: &Receiver<T>, mut stop: impl FnMut() -> bool) -> Received<T> {
    loop {
        match channel.recv_timeout(PATIENCE) {
            Ok(item) => return Received::Item(item),
            Err(RecvTimeoutError::Disconnected) => return Received::Ended,
            Err(RecvTimeoutError::Timeout) if stop() => return Received::Stopped,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Reads batches and sends them, until the input ends or the receiver is gone.
fn read(mut reader: BatchReader, rows: usize, batches: &SyncSender<Result<Batch, DataError>>) {
    while let Some(batch) = reader.next_batch(rows) {
        if batches.send(batch).is_err() {
            return;
        }
    }
}

/// Rows that are scored together.
#[derive(Default)]
struct Window {
    batches: Vec<(Batch, EncodedBatch)>,
    problems: Vec<String>,
    skipped: u64,
}

/// Turns batches into windows.
struct Encoder<'a> {
    scorer: &'a Scorer,
    options: &'a ScoreOptions,
    format: Format,
    stop: &'a AtomicBool,
}

impl Encoder<'_> {
    /// Receives batches and sends windows, until the batches end, an error was sent, or scoring has stopped.
    fn run(
        &self,
        batches: &Receiver<Result<Batch, DataError>>,
        windows: &SyncSender<Result<Window, ScoreError>>,
    ) {
        let stopped = || self.stop.load(Ordering::Relaxed);
        loop {
            let (mut window, mut rows, mut bytes) = (Window::default(), 0, 0);
            let mut ended = false;
            while rows < self.options.window && bytes < WINDOW_BYTES && !ended {
                match receive(batches, stopped) {
                    Received::Stopped => return,
                    Received::Ended => ended = true,
                    Received::Item(batch) => {
                        let batch = batch.map_err(ScoreError::from);
                        match batch.and_then(|batch| self.add(batch, &mut window)) {
                            Ok(size) => (rows, bytes) = (rows + size.0, bytes + size.1),
                            Err(error) => {
                                let _ = windows.send(Err(error));
                                return;
                            }
                        }
                    }
                }
            }
            let nothing = window.batches.is_empty() && window.skipped == 0;
            // Sending fails if scoring has ended early.
            if (!nothing && windows.send(Ok(window)).is_err()) || ended {
                return;
            }
        }
    }

    /// Encodes a batch and adds it to a window. Returns the number of its rows that can be scored, and the size
    /// of their columns in bytes.
    fn add(&self, mut batch: Batch, window: &mut Window) -> Result<(usize, usize), ScoreError> {
        let columns = batch.columns.clone();
        batch.columns = RecordBatch::new_empty(columns.schema());
        let task = self.options.read.default_task;
        let mut encoded = EncodedBatch::new(self.scorer, columns, task, Some(self.format))
            .map_err(|source| DataError::unusable(batch.path(), source.to_string()))?;

        // The problems of rows that could not be read and of rows that could not be encoded, in the order of
        // the file.
        let mut problems: Vec<(u64, ScoreError)> = std::mem::take(&mut batch.bad)
            .into_iter()
            .map(|error| (error.row, DataError::Row(Box::new(error)).into()))
            .collect();
        for bad in std::mem::take(&mut encoded.bad) {
            let error = match bad.fault {
                RowFault::Pair(PairError { column, problem }) => {
                    DataError::Row(Box::new(batch.error(bad.row, Some(column), problem))).into()
                }
                fault => at_row(&batch, bad.row, fault),
            };
            problems.push((batch.lines[bad.row], error));
        }
        problems.sort_by_key(|(line, _)| *line);
        window.skipped += problems.len() as u64;
        for (_, error) in problems {
            if !self.options.skip_bad {
                return Err(error);
            }
            if window.problems.len() < PROBLEMS {
                window.problems.push(error.to_string());
            }
        }
        let size = (encoded.len(), encoded.bytes());
        window.batches.push((batch, encoded));
        Ok(size)
    }
}

fn at_row(batch: &Batch, row: usize, source: RowFault) -> ScoreError {
    let path = batch.path().display().to_string();
    ScoreError::Row { path, unit: batch.unit(), line: batch.lines[row], source }
}

/// Predicts the rows of a window and writes them. Returns the number of rows.
fn score_window(
    scorer: &Scorer,
    window: Window,
    writer: &mut BatchWriter,
    report: &mut ScoreReport,
) -> Result<usize, ScoreError> {
    let Window { mut batches, problems, skipped } = window;
    report.skipped += skipped;
    let room = PROBLEMS.saturating_sub(report.problems.len());
    report.problems.extend(problems.into_iter().take(room));

    let counts: Vec<usize> = batches.iter().map(|(_, encoded)| encoded.len()).collect();
    let rows: Vec<ScorerRow> =
        batches.iter_mut().flat_map(|(_, encoded)| encoded.take_rows()).collect();
    for row in &rows {
        report.cut.add(row.cut());
    }
    let predictions = predict(scorer, &rows, &batches, &counts)?;
    let mut rest = &predictions[..];
    for ((batch, encoded), count) in batches.into_iter().zip(counts) {
        let (these, after) = rest.split_at(count);
        rest = after;
        let scored = append(encoded.into_batch(), these)
            .map_err(|source| DataError::unusable(batch.path(), source.to_string()))?;
        writer.write(&scored)?;
    }
    report.rows += predictions.len() as u64;
    Ok(predictions.len())
}

/// Predicts the rows of several batches. An error about a row's answer names the row's place in the input.
fn predict(
    scorer: &Scorer,
    rows: &[ScorerRow],
    batches: &[(Batch, EncodedBatch)],
    counts: &[usize],
) -> Result<Vec<Prediction>, ScoreError> {
    scorer.predict_rows(rows).map_err(|error| match error {
        ModelError::NonFinite { mut row, fault } => {
            for ((batch, encoded), &count) in batches.iter().zip(counts) {
                if row < count {
                    let row = encoded.original_row(row);
                    return at_row(batch, row, RowFault::NonFinite(fault));
                }
                row -= count;
            }
            ModelError::NonFinite { row, fault }.into()
        }
        other => other.into(),
    })
}
