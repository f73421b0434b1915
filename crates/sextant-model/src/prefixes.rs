//! Which rows of a pack share leading tokens, as tensors on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use sextant_core::Task;
use sextant_kernels as kernels;
use sextant_text::{Pack, PrefixTree};
use std::ops::Range;

/// The mapping between the distinct tokens of a pack and the tokens of its whole rows; see [`PrefixTree`].
///
/// Attention works on whole rows, all other layers on distinct tokens. Keys and values of a shared token
/// are computed once and read by every row that begins with it. Because attention works on whole rows,
/// positions and windows are the same as without sharing.
#[derive(Debug, Clone)]
pub struct SharedPrefixes {
    /// For each token of the whole rows, the index of its distinct token (its node in the tree): `[tokens]`.
    nodes: Tensor<1, Int>,
    /// For each distinct token, the index of one token of the whole rows that it stands for: `[nodes]`.
    tokens: Tensor<1, Int>,
    /// The range of tokens of each task's whole rows.
    task_tokens: [Range<usize>; Task::COUNT],
}

impl SharedPrefixes {
    pub(crate) fn new(tree: &PrefixTree, pack: &Pack, device: &Device) -> Self {
        let tensor = |values: &[i32]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
        };
        Self {
            nodes: tensor(&tree.nodes),
            tokens: tensor(&tree.tokens),
            task_tokens: pack.task_tokens.clone(),
        }
    }

    /// Copies the vectors of distinct tokens to the tokens of whole rows.
    pub(crate) fn whole(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::embedding(x, self.nodes.clone())
    }

    /// Selects the vectors of the distinct tokens from those of the tokens of whole rows.
    pub(crate) fn distinct(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::embedding(x, self.tokens.clone())
    }

    /// [`SharedPrefixes::distinct`] for tensors with one number for each token.
    pub(crate) fn pick(&self, values: Tensor<1, Int>) -> Tensor<1, Int> {
        values.select(0, self.tokens.clone())
    }

    /// The distinct tokens that stand for these tokens of whole rows.
    pub(crate) fn nodes_of(&self, tokens: Tensor<1, Int>) -> Tensor<1, Int> {
        self.nodes.clone().select(0, tokens)
    }

    /// The mapping of one task's rows alone, with indices counted from the task's first token. `nodes` is
    /// the range of the task's distinct tokens. Only a mapping of a whole pack can be narrowed like this.
    pub(crate) fn of_task(&self, task: Task, nodes: &Range<usize>) -> Self {
        let tokens = self.task_tokens[task.index()].clone();
        let part = |x: &Tensor<1, Int>, range: &Range<usize>, first: usize| {
            x.clone().narrow(0, range.start, range.len()) - first as i32
        };
        let mut task_tokens = std::array::from_fn(|_| 0..0);
        task_tokens[task.index()] = 0..tokens.len();
        Self {
            nodes: part(&self.nodes, &tokens, nodes.start),
            tokens: part(&self.tokens, nodes, tokens.start),
            task_tokens,
        }
    }
}
