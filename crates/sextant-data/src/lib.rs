//! Labelled pairs in files: reads and writes rows, and loads, checks and describes datasets.
//!
//! A [`RowReader`] streams a JSONL, CSV, TSV or Parquet file. A bad row is an error that names its line and
//! can be skipped; a bad file ends the reading. A [`BatchReader`] gives the same rows as Arrow record
//! batches, and [`pairs`](pairs()) decodes three of their columns. A [`BatchWriter`] writes batches, and
//! leaves either the whole file or nothing. A [`Dataset`] has the examples of three splits; [`check()`] finds
//! whether its splits leak into one another and what a trivial model would reach on it, and a [`DataCard`]
//! describes it. `docs/data-format.md` is the guide for users.

mod arrow_values;
pub mod build;
mod card;
mod check;
mod clean;
mod dataset;
mod derive;
mod entity;
mod error;
pub mod exchange;
mod format;
pub mod import;
mod input;
mod json_text;
mod layout;
pub mod market;
mod number;
mod pairs;
pub mod raters;
mod read;
mod read_options;
mod row;
pub mod sources;
pub mod split;
mod surplus;
mod table;
mod write;

pub use card::{DataCard, DataFile, LengthFacts, PartFacts};
pub use check::{
    Baselines, CheckReport, OverlapMeasure, PairKey, RepeatedPair, Repetitions, RowPlace,
    SharedGroup, TaskCheck, TextlessRow, check, normalize,
};
pub use dataset::{
    DataFiles, DataFolder, Dataset, DatasetRow, FileNames, LabelledRows, LoadedDataset, RowOrigin,
    UnreadFile, read_examples,
};
pub use error::{DataError, QuoteError, RowError, RowProblem, RowUnit};
pub use format::{Encoding, Format};
pub use input::{Content, Input, Part, holds_input, is_among};
pub use json_text::field as json_field;
pub use layout::Layout;
pub use pairs::{PairError, pairs};
pub use read::{Batch, BatchReader, RowReader};
pub use read_options::{Labels, Quoting, ReadOptions, Separator};
pub use row::{Row, json_number};
pub use surplus::surplus;
pub use write::{
    BatchWriter, Output, RowView, RowsWriter, unwritable, unwritable_row, used_by, write_examples,
};
