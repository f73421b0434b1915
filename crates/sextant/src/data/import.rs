//! `sextant data import`.

use crate::arguments::Overwrite;
use crate::interrupt::{self, Stopped};
use crate::progress::RowProgress;
use crate::say::{complain, say};
use anyhow::{Context, ensure};
use clap::Args;
use sextant_data::import::{ImportError, ImportMap, ImportOptions, Progress, import};
use sextant_data::{Format, Output};
use std::path::{Path, PathBuf};

/// `data import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The map: which columns of which tables make a row (docs/import.md)
    map: PathBuf,
    /// The folder with the tables; that of the map, if it is left out
    #[arg(long)]
    source: Option<PathBuf>,
    /// Where to put the rows; the format by its extension, `-` for standard output
    #[arg(long)]
    out: PathBuf,
    /// The format of output whose name does not say it: jsonl, csv, tsv or parquet
    #[arg(long)]
    output_format: Option<Format>,
    /// A folder for temporary files, which need as much room as the texts of joined tables
    #[arg(long)]
    temporary: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        existing.check(&self.out)?;
        let map = ImportMap::read(&self.map)?;
        let to_output = self.out == Path::new("-");
        let format = match self.output_format {
            Some(format) => format,
            None if to_output => Format::Jsonl,
            None => Format::of(&self.out)?,
        };
        let above =
            |path: &Path| path.parent().map(Path::to_owned).filter(|p| !p.as_os_str().is_empty());
        let sources = self.source.or_else(|| above(&self.map)).unwrap_or_else(|| ".".into());
        ensure!(
            sources.is_dir(),
            "{}: no such folder; `--source` names that of the tables",
            sources.display()
        );
        let beside = || {
            if to_output {
                std::env::temp_dir()
            } else {
                above(&self.out).unwrap_or_else(|| ".".into())
            }
        };
        let temporary = self.temporary.unwrap_or_else(beside);
        let tables = map.tables.values().map(|table| &table.path).chain([&map.ratings.path]);
        for source in tables.map(|table| sources.join(table)).chain([self.map.clone()]) {
            self.overwrite.of(&self.out, &source)?;
        }
        let output = Output::open(&self.out, existing)?;
        interrupt::install()?;
        let mut progress = RowProgress::new("read");
        let options = ImportOptions { sources, output, format, temporary };
        let report = import(&map, options, &mut |step| {
            match step {
                Progress::Table(name) => progress.task(name),
                Progress::Rows(rows) => progress.add(rows),
            }
            interrupt::flow()
        });
        progress.finish();
        let report = match report {
            Err(ImportError::Stopped) => {
                return Err(Stopped(format!(
                    "{}: stopped, as asked; nothing was written",
                    self.out.display()
                ))
                .into());
            }
            report => report.with_context(|| self.map.display().to_string())?,
        };
        let text =
            if self.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
        let text = text.trim_end();
        if to_output {
            complain(text);
        } else {
            say(text);
        }
        Ok(())
    }
}
