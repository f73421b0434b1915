//! Backward passes that go through the trunk one block at a time.
//!
//! Each block has a graph of its own, which begins at the block's input. The activations of a block are either kept
//! until its turn, or computed again (gradient checkpointing, Chen et al. 2016): memory then holds only the input of
//! each block, and the activations of one block at a time. In both ways the gradients of a block are known, and can
//! be sent to other processes, while the blocks below are still to come.

use crate::{BlockContext, ForwardContext, ModelError, PackInput, RelevanceModel, parameters};
use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

/// Where a backward pass by blocks has the activations of a block from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activations {
    /// The forward pass, which keeps them.
    Kept,
    /// A second forward pass, which drops the same entries.
    Recomputed,
}

impl RelevanceModel {
    /// Runs a pack forward and backward, one block of the trunk at a time. `loss` computes one number from
    /// the logits, and `each` is called with the gradients of every part as they are found.
    ///
    /// Gradients are those of a plain backward pass, bit for bit. The exceptions are the embeddings of relative
    /// positions and their norm, which all blocks read: `each` is given a gradient of them for each block, and the
    /// sum of these equals the gradient of a plain pass up to rounding.
    pub fn backward_by_blocks(
        &self,
        input: &PackInput,
        ctx: &ForwardContext,
        activations: Activations,
        loss: impl FnOnce(Tensor<2>) -> Tensor<1>,
        mut each: impl FnMut(Gradients),
    ) -> Result<(), ModelError> {
        let last = self.separate_blocks();
        let lowest = self.lowest_trained();
        // The input of a part, which tracks gradients if anything below it is trained.
        let from = |part: usize, x: Tensor<2>| {
            let from = Tensor::from_inner(x);
            let below = lowest.is_some_and(|lowest| lowest < Height::Block(part));
            if below { from.require_grad() } else { from }
        };
        // What is computed again later is computed without a graph at first. To drop the graph would not be enough:
        // burn frees the steps of a graph, and the activations within, when the next backward pass begins.
        let untracked = (activations == Activations::Recomputed).then(|| self.clone().no_grad());
        let embedded = self.embeddings.forward(input, ctx);
        let mut x = embedded.clone().inner();
        let mut kept = Vec::with_capacity(last);
        for i in 0..last {
            let seed = ctx.seed();
            let (before, graph) = if let Some(untracked) = &untracked {
                let before = Tensor::from_inner(x);
                x = untracked.run_block(i, before.clone(), input, ctx).inner();
                (before, None)
            } else {
                let before = from(i, x);
                let y = self.run_block(i, before.clone(), input, ctx);
                x = y.clone().inner();
                (before, Some(y))
            };
            kept.push((before, seed, graph));
        }
        let top = from(last, x);
        let mut gradients = loss(self.finish(top.clone(), last, input, ctx)?).backward();
        let mut above = top.grad_remove(&mut gradients);
        each(gradients);
        for (i, (before, seed, graph)) in kept.into_iter().enumerate().rev() {
            let Some(dy) = above.take() else { return Ok(()) };
            let (before, y) = if let Some(y) = graph {
                (before, y)
            } else {
                ctx.rewind(seed);
                let before = from(i, before.inner());
                (before.clone(), self.run_block(i, before, input, ctx))
            };
            let mut gradients = (y * Tensor::from_inner(dy)).sum().backward();
            above = before.grad_remove(&mut gradients);
            each(gradients);
        }
        if let Some(dy) = above {
            each((embedded * Tensor::from_inner(dy)).sum().backward());
        }
        Ok(())
    }

    /// For each parameter, in the order of [`parameters`], with which call of `each` a
    /// [backward pass by blocks](Self::backward_by_blocks) has given the whole of its gradient, counted from 0. A pass
    /// may end before the last call, when nothing below is trained.
    pub fn backward_stages(&self) -> Vec<usize> {
        let blocks = self.separate_blocks();
        let stage = |name: &str| match Height::of(name) {
            Some(Height::Embeddings) => blocks + 1,
            Some(Height::Block(block)) if block < blocks => blocks - block,
            Some(Height::Block(_)) | None => 0,
        };
        parameters(self).iter().map(|info| stage(&info.name)).collect()
    }

    /// Whether all blocks read parameters that belong to none of them, so that a backward pass by blocks adds up
    /// their gradients otherwise than a plain one.
    pub fn blocks_share_parameters(&self) -> bool {
        self.embeddings.relative.is_some()
    }

    /// How many blocks of the trunk have a graph of their own. Without private blocks, the last block of the trunk
    /// has none: it is run together with pooling, and may compute its output for pooled tokens only.
    fn separate_blocks(&self) -> usize {
        let blocks = self.trunk.len();
        if self.spec().routing.private_layers == 0 { blocks.saturating_sub(1) } else { blocks }
    }

    fn run_block(
        &self,
        block: usize,
        x: Tensor<2>,
        input: &PackInput,
        ctx: &ForwardContext,
    ) -> Tensor<2> {
        let relative = self.embeddings.relative();
        self.trunk[block].forward(x, None, BlockContext::new(input, relative.as_ref(), ctx))
    }

    /// The lowest part of the model with a trained parameter, or `None` if only parts above the trunk have
    /// one.
    fn lowest_trained(&self) -> Option<Height> {
        let trained = parameters(self).into_iter().filter(|info| info.trainable);
        trained.filter_map(|info| Height::of(&info.name)).min()
    }
}

/// A part of the model below the branches, ordered from the input upwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Height {
    Embeddings,
    Block(usize),
}

impl Height {
    /// Where a parameter is; `None` above the trunk.
    fn of(name: &str) -> Option<Self> {
        let (part, rest) = name.split_once('.')?;
        let number = rest.split('.').next().and_then(|number| number.parse().ok());
        match (part, number) {
            ("embeddings", _) => Some(Self::Embeddings),
            ("trunk", Some(number)) => Some(Self::Block(number)),
            _ => None,
        }
    }
}
