//! A pack on a device.

use crate::ModelError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use sextant_core::Task;
use sextant_kernels::Segments;
use sextant_text::Pack;
use std::ops::Range;

/// A [`Pack`]'s tensors and bounds, ready to be run.
#[derive(Debug, Clone)]
pub struct PackInput {
    /// Token ids, `[tokens]`.
    pub ids: Tensor<1, Int>,
    /// Segment of each token, `[tokens]`.
    pub segment_ids: Tensor<1, Int>,
    /// Position of each token in its row, `[tokens]`.
    pub positions: Tensor<1, Int>,
    /// Bounds of the rows.
    pub segments: Segments,
    /// Rows of each task.
    pub task_rows: [Range<usize>; Task::COUNT],
    /// Tokens of each task.
    pub task_tokens: [Range<usize>; Task::COUNT],
}

impl PackInput {
    /// Puts a pack on a device. Refuses packs whose parts do not fit together, and empty ones.
    pub fn new(pack: &Pack, device: &Device) -> Result<Self, ModelError> {
        let segments = Segments::new(pack.cu_seqlens.clone())
            .map_err(|error| ModelError::Pack(error.to_string()))?;
        let tokens = segments.tokens();
        for (name, length) in [
            ("ids", pack.ids.len()),
            ("segments", pack.segments.len()),
            ("positions", pack.positions.len()),
        ] {
            if length != tokens {
                return Err(ModelError::Pack(format!(
                    "`{name}` has {length} entries for {tokens} tokens"
                )));
            }
        }
        let tensor = |values: &[i32]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
        };
        Ok(Self {
            ids: tensor(&pack.ids),
            segment_ids: tensor(&pack.segments),
            positions: tensor(&pack.positions),
            segments,
            task_rows: pack.task_rows.clone(),
            task_tokens: pack.task_tokens.clone(),
        })
    }

    /// The bounds of one task's rows, counted from the task's first token.
    pub(crate) fn task_segments(&self, task: Task) -> Result<Segments, ModelError> {
        let rows = self.task_rows[task.index()].clone();
        let lengths: Vec<usize> = rows.map(|row| self.segments.range(row).len()).collect();
        Segments::from_lengths(&lengths).map_err(|error| ModelError::Pack(error.to_string()))
    }
}
