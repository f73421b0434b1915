//! `sextant data export`.

use crate::arguments::{Overwrite, Reading};
use crate::say::say;
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::Task;
use sextant_data::exchange::{ExchangeFormat, IdColumns, Judged, write};
use sextant_data::{Labels, Output, ReadOptions, RowReader};
use std::path::PathBuf;

/// `data export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Rows: a file, a folder or pattern of parts, or - for standard input
    input: PathBuf,
    /// The format: trec-qrels, trec-run, quepid, opensearch, elasticsearch or label-studio
    #[arg(long)]
    to: ExchangeFormat,
    /// Where to put it; `-` for standard output
    #[arg(long)]
    out: PathBuf,
    /// The name of the list, the tag of a run, the index of Elasticsearch
    #[arg(long, default_value = "sextant")]
    name: String,
    /// Only rows of these tasks, such as `query-product`, with commas between them
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<Task>,
    #[command(flatten)]
    ids: IdArgs,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
}

/// The columns with identifiers.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdArgs {
    /// The column with the query's identifier: query_id, else the group, if it has no spaces, else a hash of the
    /// left side
    #[arg(long)]
    query_id: Option<String>,
    /// The column with the document's identifier: doc_id, else a hash of the right side
    #[arg(long)]
    doc_id: Option<String>,
}

impl IdArgs {
    pub(crate) fn columns(&self) -> IdColumns {
        IdColumns { query: self.query_id.clone(), document: self.doc_id.clone() }
    }
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        existing.check(&self.out)?;
        let options = ReadOptions { further: true, ..self.reading.options(Labels::Optional) };
        let ids = self.ids.columns();
        let mut rows = Vec::new();
        let mut left_out = 0;
        let mut reader = RowReader::open(&self.input, &options)?;
        while let Some(row) = reader.next() {
            let row = row?;
            if !self.tasks.is_empty() && !self.tasks.contains(&row.pair.task) {
                left_out += 1;
                continue;
            }
            let place = || format!("{} {}", reader.path().display(), reader.unit());
            let (query_id, doc_id) = ids.of(&row).with_context(place)?;
            let score = row.further.iter().find(|(name, _)| name == "score");
            let score = score
                .map(|(_, text)| {
                    text.parse().with_context(|| {
                        format!("{} {}, column `score`: `{text}` is no number", place(), row.line)
                    })
                })
                .transpose()?;
            rows.push(Judged {
                query_id,
                doc_id,
                score,
                grade: row.grade,
                id: row.id,
                pair: row.pair,
            });
        }
        match (rows.is_empty(), left_out) {
            (true, 0) => bail!("{}: there are no rows", self.input.display()),
            (true, _) => bail!("{}: there are no rows of these tasks", self.input.display()),
            _ => {}
        }
        let input = || self.input.display().to_string();
        write(&rows, self.to, &self.name, Output::open(&self.out, existing)?)
            .with_context(input)?;
        if self.out != std::path::Path::new("-") {
            say(&format!("{}: {} rows as {}", self.out.display(), rows.len(), self.to));
            if left_out > 0 {
                say(&format!("rows of other tasks left out: {left_out}"));
            }
        }
        Ok(())
    }
}
