//! A finished run's predictions for the rows of a split, kept so that reports need not score the rows
//! again.

use crate::LabError;
use serde::{Deserialize, Serialize};
use sextant_core::{Example, Grade, Prediction, Split, Task};
use sextant_data::DataError;
use sextant_files::{Existing, OwnFiles};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Predictions for rows of a split: `rows[i]` is the position in the split of `predictions[i]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// Positions in the split, ascending.
    pub rows: Vec<usize>,
    /// The prediction for each of the rows.
    pub predictions: Vec<Prediction>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    row: usize,
    task: Task,
    grade: Grade,
    probs: [f32; Grade::COUNT],
    /// The predicted grade, if a rule of the bundle decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided: Option<Grade>,
}

/// The file's name in a run's folder.
pub(crate) fn file_name(split: Split) -> String {
    format!("predictions-{split}.jsonl")
}

impl Predictions {
    /// Writes one JSON object per line: the row's position in the split, its task and true grade, and
    /// the probabilities, which read back bit for bit.
    pub fn write(&self, folder: &Path, split: Split, examples: &[Example]) -> Result<(), LabError> {
        let name = file_name(split);
        let mut file = OwnFiles::of(folder)?.create(&name, Existing::Refuse)?;
        let failed = |error: std::io::Error| DataError::write(&folder.join(&name), error);
        {
            let mut out = BufWriter::new(&mut file);
            for (&row, prediction) in self.rows.iter().zip(&self.predictions) {
                let example = &examples[row];
                let line = Line {
                    row,
                    task: example.pair.task,
                    grade: example.grade,
                    probs: prediction.probs,
                    decided: prediction.decided(),
                };
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n").map_err(failed)?;
            }
            out.flush().map_err(failed)?;
        }
        Ok(file.commit()?)
    }

    /// Reads a file that [`Predictions::write`] wrote, and checks it against the split.
    ///
    /// # Errors
    /// The split lacks a row, or the row has another task or grade: the data has changed.
    pub fn read(path: &Path, examples: &[Example]) -> Result<Self, LabError> {
        let file = std::fs::File::open(path).map_err(LabError::io("read", path))?;
        let mut found = Self::default();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(LabError::io("read", path))?;
            let problem = |problem: String| LabError::Unusable {
                path: path.to_owned(),
                problem: format!("line {}: {problem}", number + 1),
            };
            let line: Line =
                serde_json::from_str(&line).map_err(|error| problem(error.to_string()))?;
            let fits = examples.get(line.row).is_some_and(|example| {
                (example.pair.task, example.grade) == (line.task, line.grade)
            });
            if !fits || found.rows.last().is_some_and(|&last| last >= line.row) {
                return Err(problem(format!(
                    "row {} is not the data set's; remove the file, and `sextant lab run` predicts again",
                    line.row
                )));
            }
            found.rows.push(line.row);
            found.predictions.push(Prediction::new(line.probs).decided_as(line.decided));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_read_back_bit_for_bit_and_other_rows_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file_name(Split::Test));
        let example = |task, grade| Example::new(task, "a", "b", grade);
        let examples = vec![
            example(Task::QueryType, Grade::Partial),
            example(Task::QueryQuery, Grade::Relevant),
        ];
        let probs = [0.1_f32, 1e-9, f32::from_bits(0.9_f32.to_bits() + 1)];
        let found = Predictions {
            rows: vec![1],
            predictions: vec![Prediction::new(probs).decided_as(Some(Grade::Partial))],
        };
        found.write(folder.path(), Split::Test, &examples).unwrap();
        assert_eq!(Predictions::read(&path, &examples).unwrap(), found);
        let error = Predictions::read(&path, &examples[..1]).unwrap_err().to_string();
        assert!(error.contains("line 1: row 1 is not the data set's"), "{error}");
    }
}
