//! Gradient checkpointing (Chen et al. 2016): the activations of the trunk's blocks are computed again in
//! the backward pass. Memory then holds only the input of each block, and the activations of one block at
//! a time.

use crate::{
    Block, BlockContext, ForwardContext, ModelError, PackInput, RelevanceModel, parameters,
};
use burn::tensor::{Gradients, Tensor};

impl RelevanceModel {
    /// Runs a pack forward and backward, one block of the trunk at a time. `loss` computes one number from
    /// the logits, and `each` is called with the gradients of every part as they are found.
    ///
    /// Gradients are those of a plain backward pass, bit for bit: the second forward pass drops the same
    /// entries. The exceptions are the embeddings of relative positions and their norm, which all blocks
    /// read: `each` is given a gradient of them for each block, and the sum of these equals the gradient of
    /// a plain pass up to rounding.
    pub fn backward_checkpointed(
        &self,
        input: &PackInput,
        ctx: &ForwardContext,
        loss: impl FnOnce(Tensor<2>) -> Tensor<1>,
        mut each: impl FnMut(Gradients),
    ) -> Result<(), ModelError> {
        let last = self.checkpoints();
        let lowest = self.lowest_trained();
        let embedded = self.embeddings.forward(input, ctx);
        let mut x = embedded.clone().inner();
        let mut kept = Vec::with_capacity(last);
        for block in &self.trunk[..last] {
            kept.push((x.clone(), ctx.seed()));
            x = self.run_block(block, Tensor::from_inner(x), input, ctx).inner();
        }
        let mut from = Tensor::from_inner(x);
        if lowest.is_some_and(|lowest| lowest < Height::Block(last)) {
            from = from.require_grad();
        }
        let mut gradients = loss(self.finish(from.clone(), last, input, ctx)?).backward();
        let mut above = from.grad_remove(&mut gradients);
        each(gradients);
        for (i, (x, seed)) in kept.into_iter().enumerate().rev() {
            let Some(dy) = above.take() else { return Ok(()) };
            ctx.rewind(seed);
            let mut from = Tensor::from_inner(x);
            if lowest.is_some_and(|lowest| lowest < Height::Block(i)) {
                from = from.require_grad();
            }
            let y = self.run_block(&self.trunk[i], from.clone(), input, ctx);
            let mut gradients = (y * Tensor::from_inner(dy)).sum().backward();
            above = from.grad_remove(&mut gradients);
            each(gradients);
        }
        if let Some(dy) = above {
            each((embedded * Tensor::from_inner(dy)).sum().backward());
        }
        Ok(())
    }

    /// How many blocks of the trunk are checkpointed. Without private blocks, the last block of the trunk is
    /// not: it is run together with pooling, and may compute its output for pooled tokens only.
    fn checkpoints(&self) -> usize {
        let blocks = self.trunk.len();
        if self.spec().routing.private_layers == 0 { blocks.saturating_sub(1) } else { blocks }
    }

    fn run_block(
        &self,
        block: &Block,
        x: Tensor<2>,
        input: &PackInput,
        ctx: &ForwardContext,
    ) -> Tensor<2> {
        let relative = self.embeddings.relative();
        block.forward(x, None, BlockContext::new(input, relative.as_ref(), ctx))
    }

    /// The lowest part of the model with a trained parameter, or `None` if only parts above the trunk have
    /// one.
    fn lowest_trained(&self) -> Option<Height> {
        let trained = parameters(self).into_iter().filter(|info| info.trainable);
        let heights = trained.filter_map(|info| {
            let (part, rest) = info.name.split_once('.')?;
            let number = rest.split('.').next().and_then(|number| number.parse().ok());
            match (part, number) {
                ("embeddings", _) => Some(Height::Embeddings),
                ("trunk", Some(number)) => Some(Height::Block(number)),
                _ => None,
            }
        });
        heights.min()
    }
}

/// A part of the model below the branches, ordered from the input upwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Height {
    Embeddings,
    Block(usize),
}
