//! The whole model: embeddings, trunk, branches.

use crate::branch::run_and_pool;
use crate::{
    Block, Branch, Embeddings, ForwardContext, HeadKind, Heads, ModelError, ModelSpec, PackInput,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use sextant_core::{Prediction, Task};
use std::ops::Range;

/// A relevance model of one to six tasks.
#[derive(Module, Debug)]
pub struct RelevanceModel {
    /// From ids to the residual stream.
    pub embeddings: Embeddings,
    /// Blocks that all tasks share.
    pub trunk: Vec<Block>,
    /// One branch for all tasks, or one for each in the order of the spec's tasks.
    pub branches: Vec<Branch>,
    #[module(skip)]
    spec: ModelSpec,
}

impl RelevanceModel {
    /// A model of zeros: [`crate::initialize`] or [`crate::load`] gives it weights.
    pub fn zeros(spec: ModelSpec, device: &Device) -> Result<Self, ModelError> {
        spec.validate()?;
        let trunk = spec.routing.trunk_layers(spec.backbone.layers);
        Ok(Self {
            embeddings: Embeddings::zeros(&spec.backbone, device),
            trunk: (0..trunk).map(|_| Block::zeros(&spec.backbone, device)).collect(),
            branches: spec.branch_names().iter().map(|_| Branch::zeros(&spec, device)).collect(),
            spec,
        })
    }

    /// The model's shape.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The device that holds the weights, with its autodiff context while training.
    pub fn device(&self) -> Device {
        self.embeddings.word.val().device()
    }

    /// Logits of a pack's rows, in the pack's order: `[rows, outputs]` (see [`HeadKind`]).
    pub fn forward(
        &self,
        input: &PackInput,
        ctx: &ForwardContext,
    ) -> Result<Tensor<2>, ModelError> {
        let parts = self.parts(input)?;
        let (pooling, segments) = (self.spec.pooling, &input.segments);
        let mut x = self.embeddings.forward(input, ctx);
        if self.spec.routing.private_layers == 0 {
            let pooled = run_and_pool(&self.trunk, x, segments, pooling, ctx);
            let logits = parts
                .iter()
                .map(|part| self.branches[part.branch].logits(narrow(&pooled, &part.rows), ctx));
            return Ok(Tensor::cat(logits.collect(), 0));
        }
        for block in &self.trunk {
            x = block.forward(x, segments, None, ctx);
        }
        let mut logits = Vec::with_capacity(parts.len());
        for part in &parts {
            let branch = &self.branches[part.branch];
            let segments = input.task_segments(part.task)?;
            let tokens = narrow(&x, &input.task_tokens[part.task.index()]);
            let pooled = run_and_pool(&branch.layers, tokens, &segments, pooling, ctx);
            logits.push(branch.logits(pooled, ctx));
        }
        Ok(Tensor::cat(logits, 0))
    }

    /// Which branch runs which rows. Fails for a task that the model does not have.
    fn parts(&self, input: &PackInput) -> Result<Vec<Part>, ModelError> {
        let mut parts = Vec::new();
        for task in Task::ALL {
            let rows = input.task_rows[task.index()].clone();
            if rows.is_empty() {
                continue;
            }
            let branch = self.spec.branch_of(task).ok_or_else(|| self.spec.unknown_task(task))?;
            parts.push(Part { task, branch, rows });
        }
        if self.spec.routing.heads == Heads::Shared {
            parts.truncate(1);
            if let Some(part) = parts.first_mut() {
                part.rows = 0..input.segments.rows();
            }
        }
        Ok(parts)
    }

    /// Probabilities of the grades, in the order of the logits' rows.
    pub fn predictions(&self, logits: Tensor<2>) -> Vec<Prediction> {
        let probs = match self.spec.head {
            HeadKind::Softmax => activation::softmax(logits, 1),
            HeadKind::Cumulative => {
                let at_least = activation::sigmoid(logits);
                let (one, two) = (at_least.clone().narrow(1, 0, 1), at_least.narrow(1, 1, 1));
                Tensor::cat(vec![one.ones_like() - one.clone(), one - two.clone(), two], 1)
            }
        };
        let data = probs.into_data().convert::<f32>();
        data.iter::<f32>()
            .collect::<Vec<_>>()
            .chunks_exact(3)
            .map(|p| Prediction { probs: [p[0], p[1], p[2]] })
            .collect()
    }
}

/// Rows of a pack that one branch runs.
struct Part {
    task: Task,
    branch: usize,
    rows: Range<usize>,
}

/// Rows of a matrix; the matrix itself when all are asked for.
fn narrow(x: &Tensor<2>, range: &Range<usize>) -> Tensor<2> {
    if range.len() == x.dims()[0] {
        return x.clone();
    }
    x.clone().narrow(0, range.start, range.len())
}
