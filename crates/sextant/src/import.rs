//! `sextant import`.

use crate::arguments::Overwrite;
use crate::get;
use crate::say::say;
use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use sextant_core::Task;
use sextant_kernels::FrozenFormat;
use sextant_model::backbone::Backbone;
use sextant_model::{
    Adapter, Device, HeadKind, ModelSpec, RelevanceModel, Routing, bundle, initialize,
};
use sextant_text::{Encoder, TextConfig, Tokenizer};
use std::path::{Path, PathBuf};

/// The most tokens of a row, unless `--max-tokens` or the adapter states another number.
const MAX_TOKENS: usize = 512;

/// `import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A sequence classifier that judges relevance, such as a published reranker: a folder in Hugging
    /// Face layout, or a name that `sextant get` fetched; or the folder of a PEFT LoRA adapter
    model: String,
    /// The base of an adapter: a folder, or a name that `sextant get` fetched; what the adapter names
    /// unless stated
    #[arg(long)]
    base: Option<String>,
    /// How an adapter's base is stored: f32, bf16, int8 or int4
    #[arg(long, default_value_t = FrozenFormat::F32)]
    base_format: FrozenFormat,
    /// Where to put the bundle
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    /// The most tokens that a row may have
    #[arg(long)]
    max_tokens: Option<usize>,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let folder = PathBuf::from(&self.model);
        self.overwrite.of(&self.out, &folder)?;
        if Adapter::is_at(&folder) {
            return self.adapter(&folder);
        }
        ensure!(
            self.base.is_none(),
            "--base goes with an adapter, but {} has no adapter_config.json",
            self.model
        );
        let folder = get::resolve(&self.model).map_err(|problem| anyhow!(problem))?;
        self.overwrite.of(&self.out, &folder)?;
        let backbone = Backbone::open(&folder)?;
        backbone.check()?;
        backbone.check_relevance_head()?;
        let tokenizer = backbone.tokenizer()?;
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
        let model = initialize(RelevanceModel::zeros(spec, &Device::cpu())?, 0);
        let model = backbone.load_into(model)?;
        let provenance = serde_json::json!({ "imported_from": self.model });
        self.save(&model, tokenizer, None, provenance)
    }

    fn adapter(&self, folder: &Path) -> anyhow::Result<()> {
        let adapter = Adapter::open(folder)?;
        let base = self.base.as_deref().or_else(|| adapter.base()).with_context(|| {
            format!("{} does not name its base; give it: `--base NAME_OR_FOLDER`", folder.display())
        })?;
        if let Some(named) = adapter.base()
            && !sextant_hub::may_be_same(named, base)
        {
            bail!(
                "{} is an adapter for `{named}`, not for `{base}`; if they are the same model, say so: set `base_model_name_or_path` in its adapter_config.json to `{base}`",
                folder.display()
            );
        }
        let backbone = get::resolve(base).map_err(|problem| {
            anyhow!("the adapter's base: {problem}; where it has another name here, give that: `--base NAME_OR_FOLDER`")
        })?;
        let backbone = Backbone::open(&backbone)?;
        let tokenizer = match backbone.tokenizer_of(folder)? {
            Some(own) => own,
            None => backbone.tokenizer()?,
        };
        let model = adapter.model(&backbone, self.base_format, &Device::cpu())?;
        let provenance = serde_json::json!({ "imported_from": self.model, "base": base });
        self.save(&model, tokenizer, adapter.text(), provenance)
    }

    fn save(
        &self,
        model: &RelevanceModel,
        tokenizer: Tokenizer,
        text: Option<&TextConfig>,
        provenance: serde_json::Value,
    ) -> anyhow::Result<()> {
        let most = model.spec().backbone.max_positions;
        let stated = self.max_tokens.or_else(|| Some(text?.max_tokens));
        let max_tokens = stated.unwrap_or(MAX_TOKENS.min(most));
        ensure!(max_tokens <= most, "--max-tokens {max_tokens} is more than the model's {most}");
        let encoder = Encoder::new(
            tokenizer,
            TextConfig { max_tokens, ..text.cloned().unwrap_or_default() },
        )?;
        bundle::save(&self.out, self.overwrite.existing(), model, &encoder, provenance)?;
        say(&format!("{}", self.out.display()));
        Ok(())
    }
}
