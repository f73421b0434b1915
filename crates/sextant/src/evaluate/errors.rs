//! The page of `sextant eval --errors`.

use super::Eval;
use sextant_core::{Prediction, Split};
use sextant_data::LabelledRows;
use sextant_eval::{ErrorOptions, analyse_errors};
use sextant_lab::scored;
use sextant_lab::{Document, ErrorRow};
use std::path::Path;

impl Eval {
    pub(super) fn error_page(
        &self,
        rows: &LabelledRows,
        answers: &[Prediction],
        bundle: &Path,
    ) -> anyhow::Result<String> {
        let examples: Vec<_> = rows.examples().iter().collect();
        let scored = scored(rows.examples(), answers.to_vec());
        let analysis =
            analyse_errors(&examples, &scored, &rows.columns(), &ErrorOptions::default())?;
        let origins: Vec<String> = (0..examples.len()).map(|row| rows.origin(row)).collect();
        let shown = examples.iter().zip(answers).zip(&origins);
        let shown: Vec<ErrorRow<'_>> = shown
            .map(|((&example, &prediction), origin)| ErrorRow { example, prediction, origin })
            .collect();
        let data = self.data.as_deref().unwrap_or(Path::new("-"));
        let title = format!("Errors of {} on {}", bundle.display(), data.display());
        let splits = || examples.iter().map(|example| example.split);
        let split =
            splits().next().flatten().filter(|&first: &Split| splits().all(|s| s == Some(first)));
        Ok(Document::of_errors(&analysis, &shown, &title, split).to_html()?)
    }
}
