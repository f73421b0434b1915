//! Runs a model before the first request comes.

use crate::Scorer;
use crate::members::OpenMember;
use sextant_core::Task;
use sextant_model::ModelError;
use sextant_text::{Cut, EncodedRow};
use std::ops::ControlFlow;

/// The lengths of the rows that are run, in tokens, besides the longest that the model takes. They are typical
/// for a query with a type and for a query with a product.
const LENGTHS: [usize; 2] = [8, 64];

impl Scorer {
    /// Runs small packs of the shapes that requests have, so that the first request is not slower than later
    /// ones: each task alone and all tasks together, with rows that are short, of middle length, and as long as
    /// the model takes. After that, the weights were read, the threads are started, the buffers are allocated,
    /// and a device has its kernels. The answers are discarded. Returns the number of rows that were
    /// run.
    ///
    /// # Errors
    /// The model cannot be run at all.
    pub fn warm_up(&self) -> Result<usize, ModelError> {
        self.crew().run(|| {
            let mut run = 0;
            for member in &self.members().list {
                let longest = member.predictor.encoder().config().max_tokens;
                for length in
                    LENGTHS.into_iter().filter(|&length| length < longest).chain([longest])
                {
                    run += warm(member, length)?;
                }
            }
            Ok(run)
        })
    }
}

/// Runs a row of the given length for each task alone, and then the rows of all tasks together.
fn warm(member: &OpenMember, length: usize) -> Result<usize, ModelError> {
    let tasks = Task::ALL.into_iter().filter(|&task| member.answers(task));
    // The id does not matter; every embedding table has a row 0.
    let row = |task| EncodedRow {
        task,
        ids: vec![0; length],
        segments: vec![0; length],
        cut: Cut::default(),
    };
    let rows: Vec<EncodedRow> = tasks.map(row).collect();
    let mut run = 0;
    for pack in rows.chunks(1).chain([&rows[..]]) {
        // The answers are ignored, because for such a row even a sound model may answer NaN.
        let count = |rows| {
            run += rows;
            ControlFlow::Continue(())
        };
        let _ = member.predictor.answer_rows(pack, count)?;
    }
    Ok(run)
}
