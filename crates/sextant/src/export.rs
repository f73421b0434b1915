//! `sextant export`.

use crate::say::say;
use anyhow::Context;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use sextant_core::Task;
use sextant_model::bundle;
use sextant_model::export::{Numbers, huggingface, onnx};
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
    /// Where to put the folder; an earlier export there is replaced
    #[arg(long)]
    out: PathBuf,
}

/// What is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// A sequence-classification folder for Hugging Face transformers
    Hf,
    /// An ONNX file
    Onnx,
    /// An ONNX file whose linear layers compute in 8 bits
    OnnxInt8,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let bundle = bundle::open(&self.bundle, &Device::flex())?;
        let (task, out) = (self.task, &self.out);
        match self.format {
            Target::Hf => huggingface(&bundle, task, out),
            Target::Onnx => onnx(&bundle, task, Numbers::F32, out),
            Target::OnnxInt8 => onnx(&bundle, task, Numbers::Int8, out),
        }
        .with_context(|| format!("`{task}` of {}", self.bundle.display()))?;
        say(&format!("{}", out.display()));
        Ok(())
    }
}
