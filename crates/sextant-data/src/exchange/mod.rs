//! Judgements and rankings as other programs write them: read as tables, written from rows.
//!
//! Reading gives a [`Judgements`] table with fixed column names, which `data import` joins with texts like any
//! other table. Writing takes [`Judged`] rows, which know their query and their document by stable identifiers.

mod elasticsearch;
mod error;
mod format;
mod identity;
mod judgements;
mod label_studio;
mod opensearch;
mod quepid;
mod read;
mod trec;
mod write;

pub use error::ExchangeError;
pub use format::ExchangeFormat;
pub use identity::IdColumns;
pub use judgements::{JudgementRow, Judgements};
pub use read::read;
pub use trec::{Qrels, Run, read_qrels, read_run};
pub use write::{Judged, write};
