//! Quepid's CSV of judgements.

use super::{ExchangeError, JudgementRow, Judgements};
use crate::error::bytes;
use crate::read::whole_table;
use crate::{Content, DataError, Format, Input, ReadOptions, RowUnit};
use std::path::Path;

pub(super) fn read(path: &Path) -> Result<Judgements, ExchangeError> {
    let options =
        ReadOptions { format: Some(Format::Csv), any_columns: true, ..ReadOptions::default() };
    let mut input = Input::open(path, &options)?;
    let part = input.next().transpose()?;
    let Some(Content::Text(text)) = part.map(|part| part.content) else {
        return Err(DataError::unusable(path, "no CSV file; Quepid exports one").into());
    };
    let table = whole_table(text, path, b',', &options).map_err(|error| match error {
        // Nothing says how to read these files but their format, so that there is no option to name.
        DataError::Quote(error) => {
            let problem = format!("{}; double the quotes inside cells", error.finding());
            ExchangeError::line(path, error.line(), problem)
        }
        DataError::RowTooLong { line, limit, .. } => {
            let problem = format!("the row is longer than {}", bytes(limit));
            ExchangeError::line(path, line, problem + "; is a quote never closed?")
        }
        other => other.into(),
    })?;
    // Quepid's own exports have been `Query Text,Doc ID,Rating` as well.
    let columns: Vec<String> = table.names.into_iter().map(plain_name).collect();
    if let Some(column) =
        ["query", "docid"].into_iter().find(|name| !columns.iter().any(|c| c == name))
    {
        let (path, column) = (path.to_owned(), column.to_owned());
        let hint = "; Quepid's CSV has `query`, `docid` and `rating`".to_owned();
        return Err(DataError::MissingColumn { path, column, found: columns, hint }.into());
    }
    let cell = |text: String| Some(text).filter(|text| !text.trim().is_empty());
    let rows = table
        .rows
        .into_iter()
        .map(|(line, cells)| JudgementRow { line, cells: cells.into_iter().map(cell).collect() });
    Ok(Judgements { columns, rows: rows.collect(), unit: RowUnit::Line })
}

fn plain_name(name: String) -> String {
    match &*name.to_ascii_lowercase() {
        "query" | "query text" => "query".to_owned(),
        "docid" | "doc id" | "doc_id" => "docid".to_owned(),
        "rating" => "rating".to_owned(),
        _ => name,
    }
}
