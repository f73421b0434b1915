//! `sextant merge`.

use crate::arguments::Overwrite;
use crate::say::say;
use anyhow::ensure;
use clap::Args;
use sextant_model::Device;
use sextant_model::bundle::{self, Bundle, Manifest, Particulars};
use std::path::PathBuf;

/// `merge`
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// A bundle with LoRA
    bundle: PathBuf,
    /// Where to put the merged bundle
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Merge {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.of(&self.out, &self.bundle)?;
        let Bundle { manifest, model, encoder, .. } = bundle::open(&self.bundle, &Device::cpu())?;
        ensure!(model.spec().lora.is_some(), "{} has no adapters to merge", self.bundle.display());
        let merged = sextant_model::merge(model)?;
        let Manifest { provenance, decisions, .. } = manifest;
        let particulars = Particulars { provenance, decisions };
        bundle::save(&self.out, existing, &merged, &encoder, particulars)?;
        say(&format!("{}", self.out.display()));
        Ok(())
    }
}
