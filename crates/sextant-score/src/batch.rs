//! Scores a record batch: the result has the same rows, with the columns of the prediction appended.
//!
//! All tables are scored by this module, whatever they were read from. Only `task`, `left` and `right` are
//! read; every other column passes through unchanged, whatever its name and type.

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;
use sextant_core::{PairRef, Prediction, Task};
use sextant_data::{Format, PairError, json_number, pairs, unwritable};
use sextant_infer::{Scorer, ScorerRow};
use sextant_model::{ModelError, NonFinite};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The names of the columns that scoring appends. Columns that already have one of these names are replaced.
pub const ADDED_COLUMNS: [&str; 4] = ["predicted_grade", "predicted_label", "score", "probs"];

/// The columns that scoring appends.
pub fn added_fields() -> [Field; 4] {
    let probabilities = DataType::new_list(DataType::Float64, true);
    let types = [DataType::Int64, DataType::Utf8, DataType::Float64, probabilities];
    let mut types = types.into_iter();
    ADDED_COLUMNS.map(|name| Field::new(name, types.next().unwrap_or(DataType::Null), true))
}

/// The schema of a table after scoring: its columns, followed by those that scoring appends.
pub fn scored_schema(schema: &Schema) -> Schema {
    let kept = schema.fields().iter().filter(|field| !ADDED_COLUMNS.contains(&&**field.name()));
    let added = added_fields().into_iter().map(Arc::new);
    let fields: Vec<_> = kept.cloned().chain(added).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

/// Why a batch cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A row cannot be scored.
    #[error("row {row} (counted from 0): {source}")]
    Row {
        /// The row's index in the batch.
        row: usize,
        /// What is wrong.
        source: RowFault,
    },
    /// The model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The columns cannot be decoded.
    #[error("cannot decode the columns: {0}")]
    Arrow(#[from] ArrowError),
}

/// Scores the rows of a batch. The result has the same columns and rows, with [`added_fields`] appended. Rows
/// without a task are of `default_task`.
///
/// # Errors
/// [`BatchError::Row`] for the first row that cannot be scored. Use [`EncodedBatch`] to skip such rows.
///
/// ```no_run
/// use arrow_array::{ArrayRef, RecordBatch, StringArray};
/// use sextant_core::Task;
/// use sextant_infer::Scorer;
/// use sextant_model::Device;
/// use sextant_score::score_batch;
/// use std::path::Path;
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scorer = Scorer::open(Path::new("runs/mine/bundle"), &Device::cpu(), "f32".parse()?)?;
/// let column = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
/// let table = RecordBatch::try_from_iter([
///     ("left", column(["red sofa", "garden hose 20 m"])),
///     ("right", column(["Sofas & Couches", "Garden Hoses"])),
/// ])?;
/// let scored = score_batch(&scorer, table, Some(Task::QueryType))?;
/// assert_eq!(scored.num_rows(), 2);
/// assert!(scored.column_by_name("score").is_some());
/// # Ok(())
/// # }
/// ```
pub fn score_batch(
    scorer: &Scorer,
    batch: RecordBatch,
    default_task: Option<Task>,
) -> Result<RecordBatch, BatchError> {
    let predictions = predict_batch(scorer, &batch, default_task, |_| ControlFlow::Continue(()))?;
    Ok(append(batch, &predictions)?)
}

/// The predictions of the rows of a batch, in their order. Rows without a task are of `default_task`.
/// `observer` is called as by [`Scorer::answer`], and may break.
///
/// # Errors
/// [`BatchError::Row`] for the first row that cannot be scored, or [`ModelError::Stopped`] if `observer` breaks.
pub fn predict_batch(
    scorer: &Scorer,
    batch: &RecordBatch,
    default_task: Option<Task>,
    observer: impl FnMut(usize) -> ControlFlow<()> + Send,
) -> Result<Vec<Prediction>, BatchError> {
    let at = |row, source| BatchError::Row { row, source };
    let (mut sound, mut bad) = (Vec::with_capacity(batch.num_rows()), None);
    for pair in pairs(batch, default_task)? {
        match pair {
            Ok(pair) => sound.push(pair),
            Err(fault) => {
                bad = Some(at(sound.len(), RowFault::Pair(fault)));
                break;
            }
        }
    }
    let borrowed: Vec<PairRef<'_>> = sound.iter().map(PairRef::from).collect();
    let rows = scorer.encode_each(&borrowed).into_iter().enumerate();
    let rows = rows.map(|(row, tokens)| tokens.map_err(|fault| at(row, RowFault::Model(fault))));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if let Some(bad) = bad {
        return Err(bad);
    }
    let answers = scorer.answer(&rows, observer)?.into_iter().enumerate();
    answers
        .map(|(row, answer)| answer.map_err(|fault| at(row, RowFault::NonFinite(fault))))
        .collect()
}

/// A batch whose pairs are already encoded as tokens.
#[derive(Debug)]
pub struct EncodedBatch {
    /// The columns of the rows that can be scored.
    batch: RecordBatch,
    /// The tokens of these rows.
    rows: Vec<ScorerRow>,
    /// The indices of these rows in the original batch; none if all of its rows can be scored.
    kept: Option<Vec<usize>>,
    /// The rows that cannot be scored, in the order of the original batch.
    pub bad: Vec<BadRow>,
}

/// A row that cannot be scored.
#[derive(Debug)]
pub struct BadRow {
    /// The row's index in the original batch.
    pub row: usize,
    /// What is wrong with the row.
    pub fault: RowFault,
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// The row is not a valid pair.
    #[error(transparent)]
    Pair(PairError),
    /// A text of the row has no token, or the model was not trained for its task.
    #[error(transparent)]
    Model(ModelError),
    /// The model's answer is infinite or NaN.
    #[error("{0}")]
    NonFinite(NonFinite),
}

impl EncodedBatch {
    /// Decodes and encodes the pairs of a batch. Rows that cannot be written in the format `output` are bad
    /// rows too.
    ///
    /// # Errors
    /// An array cannot be decoded.
    pub fn new(
        scorer: &Scorer,
        batch: RecordBatch,
        default_task: Option<Task>,
        output: Option<Format>,
    ) -> Result<Self, ArrowError> {
        let (mut rows, mut bad) = (Vec::with_capacity(batch.num_rows()), Vec::new());
        for (row, pair) in pairs(&batch, default_task)?.into_iter().enumerate() {
            let encoded = pair.map_err(RowFault::Pair).and_then(|pair| {
                let refused = output.and_then(|format| unwritable(&pair, format));
                if let Some((column, problem)) = refused {
                    return Err(RowFault::Pair(PairError { column, problem }));
                }
                scorer.encode(&pair).map_err(RowFault::Model)
            });
            match encoded {
                Ok(encoded) => rows.push(encoded),
                Err(fault) => bad.push(BadRow { row, fault }),
            }
        }
        if bad.is_empty() {
            return Ok(Self { batch, rows, kept: None, bad });
        }
        let mut good = vec![true; batch.num_rows()];
        for bad in &bad {
            good[bad.row] = false;
        }
        let kept = (0..good.len()).filter(|&row| good[row]).collect();
        let batch = filter_record_batch(&batch, &BooleanArray::from(good))?;
        Ok(Self { batch, rows, kept: Some(kept), bad })
    }

    /// The number of rows that can be scored.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row can be scored.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The memory that the columns take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// The index in the original batch of a row that can be scored, which is counted among such rows here.
    pub fn original_row(&self, row: usize) -> usize {
        self.kept.as_ref().map_or(row, |kept| kept[row])
    }

    /// The rows that can be scored, as columns and as tokens.
    pub fn into_parts(self) -> (RecordBatch, Vec<ScorerRow>) {
        (self.batch, self.rows)
    }

    /// Takes the tokens out of the batch.
    pub(crate) fn take_rows(&mut self) -> Vec<ScorerRow> {
        std::mem::take(&mut self.rows)
    }

    /// The columns of the rows that can be scored.
    pub(crate) fn into_batch(self) -> RecordBatch {
        self.batch
    }
}

/// Appends predictions to the rows that they were made for.
///
/// # Errors
/// The numbers of predictions and of rows differ.
pub fn append(batch: RecordBatch, predictions: &[Prediction]) -> Result<RecordBatch, ArrowError> {
    let schema = Arc::new(scored_schema(batch.schema_ref()));
    let fields = batch.schema_ref().fields().iter();
    let kept = fields.zip(batch.columns()).filter(|(f, _)| !ADDED_COLUMNS.contains(&&**f.name()));
    let mut columns: Vec<ArrayRef> = kept.map(|(_, array)| array.clone()).collect();

    columns.extend(prediction_columns(predictions));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// The columns of [`added_fields`] for predictions.
pub(crate) fn prediction_columns(predictions: &[Prediction]) -> [ArrayRef; 4] {
    // A number is the shortest decimal that reads back as the same `f32`: 0.1, and not 0.10000000149011612.
    let number = |number: f32| json_number(number).as_f64();
    let grades = predictions.iter().map(Prediction::grade);
    let mut probs = ListBuilder::new(Float64Builder::new());
    for prediction in predictions {
        probs.append_value(prediction.probs.map(number));
    }
    let scores = predictions.iter().map(|prediction| number(prediction.score()));
    [
        Arc::new(grades.clone().map(|g| g.index() as i64).collect::<Int64Array>()),
        Arc::new(grades.map(|grade| Some(grade.as_str())).collect::<StringArray>()),
        Arc::new(scores.collect::<Float64Array>()),
        Arc::new(probs.finish()),
    ]
}
