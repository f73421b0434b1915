//! Rows of a pack that share leading tokens, on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use sextant_core::Task;
use sextant_kernels as kernels;
use sextant_text::{Pack, PrefixTree};
use std::ops::Range;

/// Between the distinct tokens of a pack, which all layers but attention see, and the tokens of its
/// whole rows, which attention sees: see [`PrefixTree`]. Keys and values of a shared token are computed
/// once and read by every row that begins with it. As attention itself sees whole rows, positions and
/// windows are those of rows that share nothing.
#[derive(Debug, Clone)]
pub struct SharedPrefixes {
    /// The node of each token, `[tokens]`.
    nodes: Tensor<1, Int>,
    /// A token of each node, `[nodes]`.
    tokens: Tensor<1, Int>,
    /// Tokens of each task's whole rows.
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

    /// From distinct tokens to those of whole rows.
    pub(crate) fn whole(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::embedding(x, self.nodes.clone())
    }

    /// From tokens of whole rows to distinct ones.
    pub(crate) fn distinct(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::embedding(x, self.tokens.clone())
    }

    /// [`SharedPrefixes::distinct`] for one number a token.
    pub(crate) fn pick(&self, values: Tensor<1, Int>) -> Tensor<1, Int> {
        values.select(0, self.tokens.clone())
    }

    /// The distinct tokens that these tokens of whole rows are.
    pub(crate) fn nodes_of(&self, tokens: Tensor<1, Int>) -> Tensor<1, Int> {
        self.nodes.clone().select(0, tokens)
    }

    /// One task's part; `nodes` are its own. Not to be narrowed again.
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
