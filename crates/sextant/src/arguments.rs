//! Arguments that several commands have.

use clap::Args;
use sextant_core::Task;
use sextant_data::{Encoding, Format, Labels, Quoting, ReadOptions, Separator};
use sextant_files::Existing;
use std::path::Path;

/// Whether a command may replace what is already at the place of its output.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Overwrite {
    /// Replace what is at the output's place already, and say what it was
    #[arg(long)]
    overwrite: bool,
}

impl Overwrite {
    /// Whether an existing output may be replaced.
    pub(crate) fn existing(self) -> Existing {
        if self.overwrite { Existing::Overwrite } else { Existing::Refuse }
    }

    /// Whether an existing output that is made from the file or folder `source` may be replaced.
    ///
    /// # Errors
    /// The output may not be replaced, or it is the source itself, which would be gone afterwards.
    pub(crate) fn of(self, output: &Path, source: &Path) -> anyhow::Result<Existing> {
        let existing = self.existing();
        existing.check(output)?;
        if let (Ok(output), Ok(source)) = (output.canonicalize(), source.canonicalize()) {
            anyhow::ensure!(
                output != source,
                "{}: the output would replace what it is made from; name another one",
                output.display()
            );
        }
        Ok(existing)
    }
}

/// How to read files of rows.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reading {
    #[command(flatten)]
    files: FileReading,
    /// The task of rows that name none
    #[arg(long)]
    task: Option<Task>,
}

/// How to read files of rows, for commands that themselves decide the task of rows that name none.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileReading {
    /// The character encoding of text files: utf-8 or latin-1
    #[arg(long, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// The format of input whose name does not say it: jsonl, csv, tsv or parquet
    #[arg(long)]
    input_format: Option<Format>,
    /// How cells of CSV and TSV are quoted: rfc4180, backslash (as Spark writes them) or none
    #[arg(long)]
    quoting: Option<Quoting>,
    /// What separates the cells of CSV and TSV: a character, or tab
    #[arg(long, allow_hyphen_values = true)]
    separator: Option<Separator>,
    /// The most bytes that a row of text may have
    #[arg(long, default_value_t = ReadOptions::MAX_ROW_BYTES)]
    max_row_bytes: usize,
}

impl Reading {
    /// Options for rows that must have a grade, or need none.
    pub(crate) fn options(&self, labels: Labels) -> ReadOptions {
        self.files.options(labels, self.task)
    }
}

impl FileReading {
    /// Options for rows that must have a grade, or need none, and the task of rows that name none.
    pub(crate) fn options(&self, labels: Labels, default_task: Option<Task>) -> ReadOptions {
        ReadOptions {
            format: self.input_format,
            encoding: self.encoding,
            quoting: self.quoting,
            separator: self.separator,
            max_row_bytes: self.max_row_bytes,
            default_task,
            labels,
            further: false,
            any_columns: false,
        }
    }
}
