//! `sextant import`.

use crate::backbones;
use crate::say::say;
use anyhow::{anyhow, ensure};
use burn::tensor::Device;
use clap::Args;
use sextant_core::Task;
use sextant_model::backbone::Backbone;
use sextant_model::{HeadKind, ModelSpec, RelevanceModel, Routing, bundle, initialize};
use sextant_text::{Encoder, TextConfig};
use std::path::PathBuf;

/// Longest rows unless stated otherwise.
const MAX_TOKENS: usize = 512;

/// `import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A sequence classifier that judges relevance, such as a published reranker: a folder in Hugging
    /// Face layout, or a name that `sextant get` fetched
    model: String,
    /// Where to put the bundle
    #[arg(long)]
    out: PathBuf,
    /// Tokens that a row may have
    #[arg(long)]
    max_tokens: Option<usize>,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = backbones::resolve(&self.model).map_err(|problem| anyhow!(problem))?;
        let backbone = Backbone::open(&folder)?;
        ensure!(
            backbone.has_relevance_head()?,
            "{} has no classification head of one to three labels of relevance; use it as the backbone of a recipe and train",
            folder.display()
        );
        let spec = ModelSpec {
            backbone: backbone.config().clone(),
            tasks: Task::ALL.to_vec(),
            routing: Routing { prefix: false, ..Routing::TEXT_PREFIX },
            pooling: backbone.pooling(),
            // Decoders have no layer before the head.
            dense: !backbone.config().block.causal,
            head: HeadKind::Softmax,
            head_dropout: 0.1,
            lora: None,
        };
        let most = backbone.config().max_positions;
        let max_tokens = self.max_tokens.unwrap_or(MAX_TOKENS.min(most));
        ensure!(max_tokens <= most, "--max-tokens {max_tokens} is more than the model's {most}");
        let tokenizer = backbone.tokenizer()?;
        let encoder = Encoder::new(tokenizer, TextConfig { max_tokens, ..TextConfig::default() })?;
        let model = initialize(RelevanceModel::zeros(spec, &Device::flex())?, 0);
        let model = backbone.load_into(model)?;
        let provenance = serde_json::json!({ "imported_from": self.model });
        bundle::save(&self.out, &model, &encoder, provenance)?;
        say(&format!("{}", self.out.display()));
        Ok(())
    }
}
