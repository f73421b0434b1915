//! Scoring a record batch: the same rows, with the prediction's columns appended.
//!
//! Everything that scores tables goes through here, whatever they were read from. Only `task`, `left`
//! and `right` are looked at; every other column passes through as it is, whatever its name and type.

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;
use sextant_core::{Prediction, Task};
use sextant_data::{Format, PairError, json_number, pairs, unwritable};
use sextant_infer::{Scorer, ScorerRow};
use sextant_model::{ModelError, NonFinite};
use std::sync::Arc;

/// The names of the columns that scoring appends. Columns of these names that are there already are
/// replaced.
pub const ADDED_COLUMNS: [&str; 4] = ["predicted_grade", "predicted_label", "score", "probs"];

/// The columns that scoring appends.
pub fn added_fields() -> [Field; 4] {
    let probabilities = DataType::new_list(DataType::Float64, true);
    let types = [DataType::Int64, DataType::Utf8, DataType::Float64, probabilities];
    let mut types = types.into_iter();
    ADDED_COLUMNS.map(|name| Field::new(name, types.next().unwrap_or(DataType::Null), true))
}

/// The columns of a table, and after them those that scoring appends.
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
        /// Its index in the batch.
        row: usize,
        /// What is wrong.
        source: RowFault,
    },
    /// The model fails.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The columns cannot be decoded.
    #[error("cannot decode the columns: {0}")]
    Arrow(#[from] ArrowError),
}

/// Scores the rows of a batch: the same columns and rows, with [`added_fields`] appended.
///
/// # Errors
/// The first row that cannot be scored, by its index. Use [`EncodedBatch`] to go on without bad
/// rows.
pub fn score_batch(
    scorer: &Scorer,
    batch: RecordBatch,
    default_task: Option<Task>,
) -> Result<RecordBatch, BatchError> {
    let mut encoded = EncodedBatch::new(scorer, batch, default_task, None)?;
    if !encoded.bad.is_empty() {
        let BadRow { row, fault } = encoded.bad.swap_remove(0);
        return Err(BatchError::Row { row, source: fault });
    }
    let (batch, rows) = encoded.into_parts();
    let predictions = scorer.predict_rows(&rows)?;
    Ok(append(batch, &predictions)?)
}

/// A batch whose pairs are tokens already.
#[derive(Debug)]
pub struct EncodedBatch {
    /// The rows that can be scored.
    batch: RecordBatch,
    /// Their tokens.
    rows: Vec<ScorerRow>,
    /// Their indices in the batch as it was given; none where all rows are good.
    kept: Option<Vec<usize>>,
    /// The rows that cannot be scored, in their order.
    pub bad: Vec<BadRow>,
}

/// A row that cannot be scored.
#[derive(Debug)]
pub struct BadRow {
    /// Its index in the batch as it was given.
    pub row: usize,
    /// What is wrong with it.
    pub fault: RowFault,
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// It is no pair.
    #[error(transparent)]
    Pair(PairError),
    /// Its text has no token, or the model lacks its task.
    #[error(transparent)]
    Model(ModelError),
    /// The model's answer is no number.
    #[error("{0}")]
    NonFinite(NonFinite),
}

impl EncodedBatch {
    /// Decodes and encodes the pairs of a batch. Rows that the format `output` could not hold are bad
    /// ones too.
    ///
    /// # Errors
    /// An array that cannot be decoded at all.
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

    /// How many rows can be scored.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row can be scored.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The memory of the columns.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// The index, in the batch as it was given, of a row that can be scored.
    pub fn original_row(&self, row: usize) -> usize {
        self.kept.as_ref().map_or(row, |kept| kept[row])
    }

    /// The rows that can be scored, as columns and as tokens.
    pub fn into_parts(self) -> (RecordBatch, Vec<ScorerRow>) {
        (self.batch, self.rows)
    }

    /// The tokens, which are taken out.
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
/// Another number of predictions than of rows.
pub fn append(batch: RecordBatch, predictions: &[Prediction]) -> Result<RecordBatch, ArrowError> {
    let schema = Arc::new(scored_schema(batch.schema_ref()));
    let fields = batch.schema_ref().fields().iter();
    let kept = fields.zip(batch.columns()).filter(|(f, _)| !ADDED_COLUMNS.contains(&&**f.name()));
    let mut columns: Vec<ArrayRef> = kept.map(|(_, array)| array.clone()).collect();

    // As the shortest decimals that read back as the same f32: 0.1, not 0.10000000149011612.
    let number = |number: f32| json_number(number).as_f64();
    let grades = predictions.iter().map(Prediction::grade);
    let mut probs = ListBuilder::new(Float64Builder::new());
    for prediction in predictions {
        probs.append_value(prediction.probs.map(number));
    }
    let scores = predictions.iter().map(|prediction| number(prediction.score()));
    columns.push(Arc::new(grades.clone().map(|g| g.index() as i64).collect::<Int64Array>()));
    columns.push(Arc::new(grades.map(|grade| Some(grade.as_str())).collect::<StringArray>()));
    columns.push(Arc::new(scores.collect::<Float64Array>()));
    columns.push(Arc::new(probs.finish()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}
