//! A pack of rows as tensors on a device.

use crate::{ModelError, SharedPrefixes};
use burn::tensor::{Device, Int, Tensor, TensorData};
use sextant_core::Task;
use sextant_kernels::Segments;
use sextant_text::{Pack, PrefixTree};
use std::ops::Range;

/// A [`Pack`]'s tensors and bounds, ready to be run.
#[derive(Debug, Clone)]
pub struct PackInput {
    /// Token ids, `[tokens]`. With shared prefixes, this and the next two fields have one entry for each
    /// distinct token.
    pub ids: Tensor<1, Int>,
    /// The segment (token type) of each token, `[tokens]`.
    pub segment_ids: Tensor<1, Int>,
    /// The position of each token in its row, `[tokens]`.
    pub positions: Tensor<1, Int>,
    /// The bounds of the rows, always over whole rows.
    pub segments: Segments,
    /// The range of rows of each task.
    pub task_rows: [Range<usize>; Task::COUNT],
    /// The range of tokens of each task; with shared prefixes, of distinct tokens.
    pub task_tokens: [Range<usize>; Task::COUNT],
    /// Which rows share leading tokens, in an input in which shared tokens occur once.
    pub shared: Option<SharedPrefixes>,
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
            shared: None,
        })
    }

    /// [`PackInput::new`] for a causal model: leading tokens that rows of a task have in common occur in
    /// the input once.
    pub fn sharing_prefixes(pack: &Pack, device: &Device) -> Result<Self, ModelError> {
        let whole = Self::new(pack, device)?; // checks the pack
        let tree = PrefixTree::new(pack);
        if !tree.shares() {
            return Ok(whole);
        }
        let shared = SharedPrefixes::new(&tree, pack, device);
        Ok(Self {
            ids: shared.pick(whole.ids),
            segment_ids: shared.pick(whole.segment_ids),
            positions: shared.pick(whole.positions),
            task_tokens: tree.task_nodes,
            shared: Some(shared),
            ..whole
        })
    }

    /// The shared prefixes of one task's rows, with indices counted from the task's first token.
    pub(crate) fn task_shared(&self, task: Task) -> Option<SharedPrefixes> {
        let nodes = &self.task_tokens[task.index()];
        self.shared.as_ref().map(|shared| shared.of_task(task, nodes))
    }

    /// The bounds of one task's rows, counted from the task's first token.
    pub(crate) fn task_segments(&self, task: Task) -> Result<Segments, ModelError> {
        let rows = self.task_rows[task.index()].clone();
        let lengths: Vec<usize> = rows.map(|row| self.segments.range(row).len()).collect();
        Segments::from_lengths(&lengths).map_err(|error| ModelError::Pack(error.to_string()))
    }
}
