//! The whole model: embeddings, trunk, branches.

use crate::block::BlockContext;
use crate::branch::run_and_pool;
use crate::mixture::{SharedLevel, mix};
use crate::{
    Block, Branch, Embeddings, ForwardContext, HeadKind, Heads, ModelError, ModelSpec, Norm,
    PackInput,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use sextant_core::{Prediction, Task};
use std::ops::Range;

/// A relevance model of one to six tasks.
///
/// ```
/// use sextant_core::{Pair, Task};
/// use sextant_kernels::Precision;
/// use sextant_model::{
///     BackboneConfig, Device, ForwardContext, HeadKind, ModelSpec, PackInput, Pooling,
///     RelevanceModel, Routing, initialize,
/// };
/// use sextant_text::{Encoder, Pack, TextConfig, train_wordpiece};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A small encoder with random weights, and a head for each of two tasks.
/// let tokenizer = train_wordpiece(&["red sofa", "blue lamp", "sofas and lamps"], 100)?;
/// let spec = ModelSpec {
///     backbone: BackboneConfig::small(tokenizer.vocab_size()),
///     tasks: vec![Task::QueryProduct, Task::QueryType],
///     routing: Routing::MULTI_HEAD,
///     pooling: Pooling::Mean,
///     dense: false,
///     head: HeadKind::Softmax,
///     head_dropout: 0.0,
///     lora: None,
/// };
/// let model = initialize(RelevanceModel::zeros(spec, &Device::cpu())?, 1);
///
/// // Pairs become rows of tokens, rows become a pack, and a pack becomes logits.
/// let encoder = Encoder::new(tokenizer, TextConfig::default())?;
/// let pair = Pair { task: Task::QueryType, left: "red sofa".into(), right: "sofas".into() };
/// let rows = encoder.encode_all(&[pair])?;
/// let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
/// let input = PackInput::new(&pack, &model.device())?;
/// let logits = model.forward(&input, &ForwardContext::inference(Precision::F32))?;
/// assert_eq!(logits.dims(), [1, 3]); // one row, three grades
/// let probabilities = model.predictions(logits)[0].probs;
/// assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct RelevanceModel {
    /// The embeddings, from token ids to the residual stream.
    pub embeddings: Embeddings,
    /// The blocks that all tasks share.
    pub trunk: Vec<Block>,
    /// The backbone's final norm, if the backbone has one and there are no private blocks. With private
    /// blocks, each branch has a final norm of its own.
    pub trunk_norm: Option<Norm>,
    /// The part of each level of a mixture of experts that all tasks share; empty without a mixture.
    pub mixture: Vec<SharedLevel>,
    /// One branch for all tasks, or one for each task in the order of the spec's tasks.
    pub branches: Vec<Branch>,
    #[module(skip)]
    spec: ModelSpec,
}

impl RelevanceModel {
    /// A model of zeros: [`crate::initialize`] or [`crate::load`] gives it weights.
    pub fn zeros(spec: ModelSpec, device: &Device) -> Result<Self, ModelError> {
        spec.validate()?;
        let trunk = spec.routing.trunk_layers(spec.backbone.layers);
        let backbone = &spec.backbone;
        let norm = backbone.final_norm && spec.routing.private_layers == 0;
        Ok(Self {
            embeddings: Embeddings::zeros(backbone, spec.lora.as_ref(), device),
            trunk: (0..trunk)
                .map(|layer| {
                    let path = format!("trunk.{layer}");
                    Block::zeros(backbone, layer, spec.lora.as_ref(), &path, device)
                })
                .collect(),
            trunk_norm: norm.then(|| Norm::zeros(backbone, backbone.hidden_size, device)),
            mixture: spec.routing.mixture.map_or_else(Vec::new, |mixture| {
                SharedLevel::zeros(&mixture, spec.tasks.len(), backbone.hidden_size, device)
            }),
            branches: spec
                .branch_names()
                .iter()
                .map(|name| Branch::zeros(&spec, name, device))
                .collect(),
            spec,
        })
    }

    /// The specification that the model was built from.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Every block with its path: `trunk.3`, `branches.query-type.layers.0`.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (String, &Block)> {
        let trunk = self.trunk.iter().enumerate().map(|(i, block)| (format!("trunk.{i}"), block));
        let named = self.branches.iter().zip(self.spec.branch_names());
        let private = named.flat_map(|(branch, name)| {
            let blocks = branch.layers.iter().enumerate();
            blocks.map(move |(i, block)| (format!("branches.{name}.layers.{i}"), block))
        });
        trunk.chain(private)
    }

    pub(crate) fn blocks_mut(&mut self) -> impl Iterator<Item = (String, &mut Block)> {
        let trunk =
            self.trunk.iter_mut().enumerate().map(|(i, block)| (format!("trunk.{i}"), block));
        let named = self.branches.iter_mut().zip(self.spec.branch_names());
        let private = named.flat_map(|(branch, name)| {
            let blocks = branch.layers.iter_mut().enumerate();
            blocks.map(move |(i, block)| (format!("branches.{name}.layers.{i}"), block))
        });
        trunk.chain(private)
    }

    /// The device that holds the weights, with its autodiff context while training.
    pub fn device(&self) -> Device {
        self.branches[0].classifier.weight.val().device() // there is at least one branch
    }

    /// Logits of a pack's rows, in the pack's order: `[rows, outputs]` (see [`HeadKind`]).
    pub fn forward(
        &self,
        input: &PackInput,
        ctx: &ForwardContext,
    ) -> Result<Tensor<2>, ModelError> {
        self.parts(input)?; // fails for an unknown task before anything is computed
        let embedded = self.embeddings.forward(input, ctx);
        if let Some(layers) = ctx.layers() {
            layers.keep_hidden(0, &embedded);
        }
        self.finish(embedded, 0, input, ctx)
    }

    /// The vector of each token after the trunk, `[tokens, hidden]`, with the backbone's final norm applied
    /// if it belongs to the trunk (see [`RelevanceModel::trunk_norm`]). In a decoder with tied embeddings,
    /// their product with the transposed table of words is the logits of the next tokens.
    pub fn hidden_states(&self, input: &PackInput, ctx: &ForwardContext) -> Tensor<2> {
        let relative = self.embeddings.relative();
        let blocks = BlockContext::new(input, relative.as_ref(), ctx);
        let embedded = self.embeddings.forward(input, ctx);
        let x = self.trunk.iter().fold(embedded, |x, block| block.forward(x, None, blocks));
        let x = match &self.trunk_norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        match &input.shared {
            Some(shared) => shared.whole(x),
            None => x,
        }
    }

    /// The logits of a pack, computed from the input `x` of block `first` of the trunk, `[tokens, hidden]`.
    pub(crate) fn finish(
        &self,
        mut x: Tensor<2>,
        first: usize,
        input: &PackInput,
        ctx: &ForwardContext,
    ) -> Result<Tensor<2>, ModelError> {
        let parts = self.parts(input)?;
        let pooling = self.spec.pooling;
        let relative = self.embeddings.relative();
        let blocks = BlockContext::new(input, relative.as_ref(), ctx);
        let trunk = &self.trunk[first..];
        if self.spec.routing.private_layers == 0 {
            let pooled = run_and_pool(trunk, self.trunk_norm.as_ref(), x, pooling, blocks);
            let pooled = parts.iter().map(|part| narrow(&pooled, &part.rows)).collect();
            return Ok(self.logits(&parts, pooled, ctx));
        }
        for block in trunk {
            x = block.forward(x, None, blocks);
        }
        let mut pooled = Vec::with_capacity(parts.len());
        for part in &parts {
            let branch = &self.branches[part.branch];
            let segments = input.task_segments(part.task)?;
            let tokens = narrow(&x, &input.task_tokens[part.task.index()]);
            let shared = input.task_shared(part.task);
            let blocks = BlockContext { segments: &segments, shared: shared.as_ref(), ..blocks };
            let norm = branch.norm.as_ref();
            pooled.push(run_and_pool(&branch.layers, norm, tokens, pooling, blocks));
        }
        Ok(self.logits(&parts, pooled, ctx))
    }

    /// The logits of all rows, from the pooled vectors of each part.
    fn logits(
        &self,
        parts: &[BranchRows],
        mut pooled: Vec<Tensor<2>>,
        ctx: &ForwardContext,
    ) -> Tensor<2> {
        if !self.mixture.is_empty() {
            let tasks: Vec<_> = self.branches.iter().map(|b| b.task_mixture.as_slice()).collect();
            let rows: Vec<_> = parts.iter().map(|part| (part.branch, part.rows.clone())).collect();
            pooled = mix(&self.mixture, &tasks, &Tensor::cat(pooled, 0), &rows, ctx);
        }
        let logits =
            parts.iter().zip(pooled).map(|(part, x)| self.branches[part.branch].logits(x, ctx));
        Tensor::cat(logits.collect(), 0)
    }

    /// Which branch runs which rows of a pack. Fails for a task that the model does not have.
    fn parts(&self, input: &PackInput) -> Result<Vec<BranchRows>, ModelError> {
        let mut parts = Vec::new();
        for task in Task::ALL {
            let rows = input.task_rows[task.index()].clone();
            if rows.is_empty() {
                continue;
            }
            let branch = self.spec.branch_of(task).ok_or_else(|| self.spec.unknown_task(task))?;
            parts.push(BranchRows { task, branch, rows });
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
        let probs = grade_probabilities(logits, self.spec.head);
        let data = probs.into_data().convert::<f32>();
        data.iter::<f32>()
            .collect::<Vec<_>>()
            .chunks_exact(3)
            .map(|p| Prediction::new([p[0], p[1], p[2]]))
            .collect()
    }
}

/// The probabilities of the grades by the logits of a head, `[rows, 3]`.
pub fn grade_probabilities(logits: Tensor<2>, head: HeadKind) -> Tensor<2> {
    match head {
        HeadKind::Softmax => activation::softmax(logits, 1),
        HeadKind::Cumulative => {
            let at_least = activation::sigmoid(logits);
            let (one, two) = (at_least.clone().narrow(1, 0, 1), at_least.narrow(1, 1, 1));
            Tensor::cat(vec![one.ones_like() - one.clone(), one - two.clone(), two], 1)
        }
    }
}

/// The rows of a pack that one branch runs.
struct BranchRows {
    task: Task,
    branch: usize,
    rows: Range<usize>,
}

/// A range of the rows of a matrix.
fn narrow(x: &Tensor<2>, range: &Range<usize>) -> Tensor<2> {
    if range.len() == x.dims()[0] {
        return x.clone();
    }
    x.clone().narrow(0, range.start, range.len())
}
