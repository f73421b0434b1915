//! A model or an ensemble, whichever a folder holds, with the same questions to ask of it.

use crate::EnsembleManifest;
use crate::ensemble::Ensemble;
use burn::tensor::Device;
use sextant_core::{Pair, Prediction, Task};
use sextant_kernels::ScorePrecision;
use sextant_model::{ModelError, Predictor, bundle};
use sextant_text::{Cut, EncodedRow};
use std::path::Path;

/// Answers pairs.
#[derive(Debug)]
pub enum Scorer {
    /// One model.
    Model(Box<Predictor>),
    /// Several models that vote.
    Ensemble(Ensemble),
}

/// A pair as every model that is asked sees it.
#[derive(Debug, Clone)]
pub struct ScorerRow {
    pub(crate) task: Task,
    /// The member's number and its row.
    pub(crate) rows: Vec<(usize, EncodedRow)>,
}

impl ScorerRow {
    /// What truncation took, by the member that lost most.
    pub fn cut(&self) -> Cut {
        let cuts = self.rows.iter().map(|(_, row)| row.cut);
        cuts.max_by_key(|cut| cut.left + cut.right).unwrap_or_default()
    }
}

impl Scorer {
    /// Opens the bundle or the ensemble in a folder.
    ///
    /// # Errors
    /// A folder that is neither, or whose files are not those it was written with.
    pub fn open(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
    ) -> Result<Self, ModelError> {
        if EnsembleManifest::is_at(folder) {
            return Ok(Self::Ensemble(Ensemble::open(folder, device, precision)?));
        }
        let predictor = Predictor::new(bundle::open(folder, device)?, precision);
        Ok(Self::Model(Box::new(predictor)))
    }

    /// The tasks that it answers, in the order of [`Task::ALL`].
    pub fn tasks(&self) -> Vec<Task> {
        match self {
            Self::Model(predictor) => predictor.model().spec().tasks.clone(),
            Self::Ensemble(ensemble) => ensemble.tasks(),
        }
    }

    /// Encodes a pair.
    ///
    /// # Errors
    /// A task that it does not answer, or a text without a token.
    pub fn encode(&self, pair: &Pair) -> Result<ScorerRow, ModelError> {
        let rows = match self {
            Self::Model(predictor) => {
                let spec = predictor.model().spec();
                if spec.branch_of(pair.task).is_none() {
                    return Err(spec.unknown_task(pair.task));
                }
                vec![(0, predictor.encoder().encode(pair)?)]
            }
            Self::Ensemble(ensemble) => ensemble.encode(pair)?,
        };
        Ok(ScorerRow { task: pair.task, rows })
    }

    /// Predicts encoded rows, in their order.
    pub fn predict_rows(&self, rows: Vec<ScorerRow>) -> Result<Vec<Prediction>, ModelError> {
        match self {
            Self::Model(predictor) => {
                let encoded: Vec<EncodedRow> = rows
                    .into_iter()
                    .filter_map(|row| row.rows.into_iter().next().map(|(_, row)| row))
                    .collect();
                predictor.predict_rows(&encoded)
            }
            Self::Ensemble(ensemble) => ensemble.predict_rows(rows),
        }
    }

    /// Encodes and predicts pairs, in their order.
    pub fn predict(&self, pairs: &[Pair]) -> Result<Vec<Prediction>, ModelError> {
        match self {
            Self::Model(predictor) => predictor.predict(pairs),
            Self::Ensemble(ensemble) => ensemble.predict(pairs),
        }
    }
}
