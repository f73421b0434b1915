//! Running a model before anybody waits for it.

use crate::Scorer;
use crate::members::OpenMember;
use sextant_core::Task;
use sextant_model::ModelError;
use sextant_text::{Cut, EncodedRow};
use std::ops::ControlFlow;

/// The lengths of rows that are tried, in tokens, beside the longest that the model takes: a query beside a
/// type, and a query beside a product.
const LENGTHS: [usize; 2] = [8, 64];

impl Scorer {
    /// Runs small packs of each shape that requests have, so that the first request is not slower than
    /// those that follow: every task alone and all tasks together, with rows that are short, of middle length
    /// and as long as the model takes. Weights are touched, threads are started, buffers are there, and a
    /// device has its kernels. The answers are thrown away. Returns how many rows were run.
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

/// Runs rows of a length: of each task alone, and then of all.
fn warm(member: &OpenMember, length: usize) -> Result<usize, ModelError> {
    let tasks = Task::ALL.into_iter().filter(|&task| member.answers(task));
    // Any id is as good as another; every table has the first.
    let row = |task| EncodedRow {
        task,
        ids: vec![0; length],
        segments: vec![0; length],
        cut: Cut::default(),
    };
    let rows: Vec<EncodedRow> = tasks.map(row).collect();
    let mut run = 0;
    for pack in rows.chunks(1).chain([&rows[..]]) {
        // That such a row may have no number for an answer is no fault of the model's.
        let count = |rows| {
            run += rows;
            ControlFlow::Continue(())
        };
        let _ = member.predictor.answer_rows(pack, count)?;
    }
    Ok(run)
}
