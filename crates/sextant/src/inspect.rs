//! `sextant inspect`.

use crate::arguments::Reading;
use crate::say::say;
use clap::Args;
use sextant_data::{DataCard, Labels};
use sextant_infer::EnsembleManifest;
use sextant_model::bundle;
use std::path::PathBuf;

/// `inspect`
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A bundle, an ensemble or a data set
    path: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

impl Inspect {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if EnsembleManifest::is_at(&self.path) {
            say(&serde_json::to_string_pretty(&EnsembleManifest::read(&self.path)?)?);
        } else if self.path.join("bundle.json").exists() {
            let manifest = bundle::read_manifest(&self.path)?;
            say(&serde_json::to_string_pretty(&manifest)?);
        } else {
            let card = DataCard::read(&self.path, &self.reading.options(Labels::Required))?;
            say(card.to_markdown().trim_end());
        }
        Ok(())
    }
}
