//! Advice on tables that cannot be read, in the words of maps: an import has no options for reading.

use super::ImportError;
use crate::error::{Advice, bytes};
use crate::{DataError, Format, RowProblem, RowUnit};

/// The error of a table with the keys of the map in place of options that other commands have.
pub(super) fn for_maps(error: ImportError) -> ImportError {
    let too_long = |limit| {
        format!(
            "the row is longer than {}, the most that an import reads; is a quote never closed?",
            bytes(limit)
        )
    };
    let line = |path, row, problem| ImportError::Row {
        path,
        unit: RowUnit::Line,
        row,
        column: None,
        problem,
    };
    match error {
        ImportError::Data(DataError::Quote(error)) => {
            let problem = error.finding() + &error.advice(&Advice::MAP);
            line(error.path, error.line, problem)
        }
        ImportError::Data(DataError::RowTooLong { path, line: row, limit }) => {
            line(path, row, too_long(limit))
        }
        ImportError::Data(DataError::Row(error)) => match error.problem {
            RowProblem::TooLong { limit } => line(error.path, error.row, too_long(limit)),
            _ => DataError::Row(error).into(),
        },
        ImportError::Data(DataError::Unusable { path, problem }) => {
            let problem = Format::ALL.iter().fold(problem, |problem, format| {
                let option = format!("`--input-format {format}`");
                problem
                    .replace(&option, &format!("`format = \"{format}\"` for this table in the map"))
            });
            DataError::Unusable { path, problem }.into()
        }
        other => other,
    }
}
