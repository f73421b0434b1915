//! `sextant import`.

use crate::arguments::Overwrite;
use crate::get;
use crate::say::say;
use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use sextant_kernels::FrozenFormat;
use sextant_model::{Adapter, Imported};
use std::path::{Path, PathBuf};

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
        let provenance = serde_json::json!({ "imported_from": self.model });
        self.save(Imported::classifier(&folder)?, provenance)
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
        let provenance = serde_json::json!({ "imported_from": self.model, "base": base });
        self.save(Imported::adapter(folder, &backbone, self.base_format)?, provenance)
    }

    fn save(&self, imported: Imported, provenance: serde_json::Value) -> anyhow::Result<()> {
        let most = imported.max_positions();
        if let Some(max_tokens) = self.max_tokens {
            ensure!(
                max_tokens <= most,
                "--max-tokens {max_tokens} is more than the model's {most}"
            );
        }
        imported.save(&self.out, self.overwrite.existing(), self.max_tokens, provenance)?;
        say(&format!("{}", self.out.display()));
        Ok(())
    }
}
