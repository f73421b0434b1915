//! `sextant export`.

use crate::backbones;
use crate::say::say;
use anyhow::{Context, ensure};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use sextant_core::Task;
use sextant_model::bundle::{self, Bundle};
use sextant_model::export::{Numbers, huggingface, onnx, peft};
use std::path::PathBuf;

/// `export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The bundle
    bundle: PathBuf,
    /// The task whose path is exported
    #[arg(long)]
    task: Task,
    /// For whom
    #[arg(long, value_enum, default_value_t = Target::Hf)]
    format: Target,
    /// With `--format peft`: what the adapter calls its base, a name on the Hugging Face hub or a folder;
    /// the recipe's backbone unless stated
    #[arg(long)]
    base: Option<String>,
    /// Where to put the folder; an earlier export there is replaced
    #[arg(long)]
    out: PathBuf,
}

/// What is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// A sequence-classification folder for Hugging Face transformers, adapters merged
    Hf,
    /// An ONNX file
    Onnx,
    /// An ONNX file whose linear layers compute in 8 bits
    OnnxInt8,
    /// The LoRA adapter and its head, for Hugging Face peft
    Peft,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let bundle = bundle::open(&self.bundle, &Device::flex())?;
        ensure!(
            self.base.is_none() || matches!(self.format, Target::Peft),
            "--base goes with `--format peft`"
        );
        let (task, out) = (self.task, &self.out);
        match self.format {
            Target::Hf => huggingface(&bundle, task, out),
            Target::Onnx => onnx(&bundle, task, Numbers::F32, out),
            Target::OnnxInt8 => onnx(&bundle, task, Numbers::Int8, out),
            Target::Peft => peft(&bundle, task, &self.base(&bundle)?, out),
        }
        .with_context(|| format!("`{task}` of {}", self.bundle.display()))?;
        say(&format!("{}", out.display()));
        Ok(())
    }

    /// What an adapter is to call its base.
    fn base(&self, bundle: &Bundle) -> anyhow::Result<String> {
        let provenance = &bundle.manifest.provenance;
        let named = provenance.pointer("/recipe/model/backbone").or_else(|| provenance.get("base"));
        let named = self.base.as_deref().or_else(|| named?.as_str());
        named.map(backbones::public_name).context(
            "the bundle does not say which base it adapts; name it: `--base NAME_OR_FOLDER`",
        )
    }
}
