//! What a lab keeps of its finished runs, read again.

use super::Lab;
use super::predictions::{Predictions, file_name};
use crate::ledger::LedgerEntry;
use crate::{Comparison, LabError, Run, RunFacts};
use sextant_core::Split;
use sextant_eval::{EvalOptions, Scored, evaluate};

impl Lab {
    /// The predictions of a finished run for the rows of a split, as they were kept.
    ///
    /// # Errors
    /// The file cannot be read, or is of other rows.
    pub fn predictions(&self, entry: &LedgerEntry, split: Split) -> Result<Predictions, LabError> {
        let path = self.run_folder(&entry.name).0.join(file_name(split));
        let found = Predictions::read(&path, self.data.dataset.part(split))?;
        if split == Split::Test && found.rows.len() != entry.test_rows {
            return Err(LabError::Unusable {
                path,
                problem: format!(
                    "{} rows of {}; remove the file, and `sextant lab run` predicts again",
                    found.rows.len(),
                    entry.test_rows
                ),
            });
        }
        Ok(found)
    }

    /// The finished runs of the grid side by side, evaluated on the test rows by their kept predictions.
    ///
    /// # Errors
    /// Those of [`Lab::predictions`], and of [`evaluate`].
    pub fn comparison(&self, options: &EvalOptions) -> Result<Comparison, LabError> {
        let test = &self.data.dataset.test;
        let mut comparison = Comparison::new();
        for entry in self.grid.cells.iter().filter_map(|cell| self.entry(cell)) {
            let found = self.predictions(entry, Split::Test)?;
            let rows = found.rows.iter().zip(found.predictions);
            let rows: Vec<_> = rows.map(|(&row, found)| Scored::of(&test[row], found)).collect();
            let report = evaluate(&rows, options)?;
            let (name, facts) = (entry.name.clone(), RunFacts::from(entry));
            comparison.add_run(Run { name, report, facts })?;
        }
        Ok(comparison)
    }
}
