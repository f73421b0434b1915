//! `sextant export`.

use crate::arguments::{FileReading, Overwrite};
use crate::say::{complain, say};
use crate::scoring::at_row;
use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use sextant_core::Task;
use sextant_data::{FileNames, Labels, RowReader};
use sextant_model::Device;
use sextant_model::bundle::{self, Bundle};
use sextant_model::export::{Numbers, Rounding, huggingface, onnx, peft};
use std::path::PathBuf;

/// `export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The bundle
    bundle: PathBuf,
    /// The task whose path is exported
    #[arg(long)]
    task: Task,
    /// The kind of model to write
    #[arg(long, value_enum, default_value_t = Target::Hf)]
    format: Target,
    /// With `--format peft`: what the adapter calls its base, a name on the Hugging Face hub or a folder;
    /// the recipe's backbone unless stated
    #[arg(long)]
    base: Option<String>,
    /// With `--format onnx-int8`: pairs on which to measure what 8 bits change; the model card states it.
    /// Rows that name no task are of `--task`, rows of other tasks are left out
    #[arg(long)]
    pairs: Option<PathBuf>,
    #[command(flatten)]
    reading: FileReading,
    /// Where to put the folder
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// The kind of model that is written.
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
        let existing = self.overwrite.of(&self.out, &self.bundle)?;
        let bundle = bundle::open(&self.bundle, &Device::cpu())?;
        ensure!(
            self.base.is_none() || matches!(self.format, Target::Peft),
            "--base goes with `--format peft`"
        );
        ensure!(
            self.pairs.is_none() || matches!(self.format, Target::OnnxInt8),
            "--pairs goes with `--format onnx-int8`"
        );
        let rounding = self.rounding(&bundle)?;
        let (task, out) = (self.task, &self.out);
        match self.format {
            Target::Hf => huggingface(&bundle, task, out, existing),
            Target::Onnx => onnx(&bundle, task, Numbers::F32, None, out, existing),
            Target::OnnxInt8 => {
                onnx(&bundle, task, Numbers::Int8, rounding.as_ref(), out, existing)
            }
            Target::Peft => peft(&bundle, task, &self.base(&bundle)?, out, existing),
        }
        .with_context(|| format!("`{task}` of {}", self.bundle.display()))?;
        if let Some(Rounding { pairs, mean, largest, flipped, .. }) = &rounding {
            say(&format!(
                "8 bits on {pairs} pairs: probabilities differ by {mean:.2e} on average and {largest:.2e} at most, {flipped} grades change"
            ));
        }
        say(&format!("{}", out.display()));
        Ok(())
    }

    /// Measures what 8 bits change on the pairs of `--pairs`.
    fn rounding(&self, bundle: &Bundle) -> anyhow::Result<Option<Rounding>> {
        let Some(path) = &self.pairs else { return Ok(None) };
        let options = self.reading.options(Labels::Optional, Some(self.task));
        let mut reader = RowReader::open(path, &options)?;
        let mut names = FileNames::default();
        let (mut pairs, mut origins, mut others) = (Vec::new(), Vec::new(), 0);
        while let Some(row) = reader.next() {
            let row = row?;
            if row.pair.task == self.task {
                pairs.push(row.pair);
                origins.push(names.origin(reader.path(), reader.unit(), row.line));
            } else {
                others += 1;
            }
        }
        ensure!(!pairs.is_empty(), "{}: there are no pairs of `{}`", path.display(), self.task);
        if others > 0 {
            complain(&format!("{others} rows of other tasks left out"));
        }
        // The model card is read by other people, to whom this machine's folders mean nothing.
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let measured = Rounding::measure(bundle, &pairs, &name);
        let origin = |row: usize| origins[row].describe(names.names());
        measured.map(Some).map_err(|error| at_row(error, origin, &pairs))
    }

    /// The name by which the exported adapter refers to its base.
    fn base(&self, bundle: &Bundle) -> anyhow::Result<String> {
        let provenance = &bundle.manifest.provenance;
        let named = provenance.pointer("/recipe/model/backbone").or_else(|| provenance.get("base"));
        let named = self.base.as_deref().or_else(|| named?.as_str());
        named.map(sextant_hub::public_name).context(
            "the bundle does not say which base it adapts; name it: `--base NAME_OR_FOLDER`",
        )
    }
}
