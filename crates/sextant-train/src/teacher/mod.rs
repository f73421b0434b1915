//! Knowledge distillation (Hinton, Vinyals & Dean 2015): rows learn the probabilities of a teacher besides, or in
//! place of, their grades.

mod cache;
mod layers;
mod recipe;
mod source;

pub use layers::{LayerTeacher, LayersRecipe, PlannedLayers};
pub use recipe::TeacherRecipe;

use crate::TrainError;
use sextant_core::{Grade, Pair};
use source::Source;
use std::path::PathBuf;

/// The teachers of a recipe, opened.
pub(crate) struct Teacher {
    sources: Vec<(Source, f64)>,
}

impl Teacher {
    /// Opens the teachers.
    ///
    /// # Errors
    /// A teacher is none, or was changed since it was written.
    pub(crate) fn open(recipe: &TeacherRecipe) -> Result<Self, TrainError> {
        let cache = recipe.cache.clone().unwrap_or_else(users_cache);
        let weight = |index: usize| recipe.weights.get(index).copied().unwrap_or(1.0);
        let open =
            |(index, path): (usize, &PathBuf)| Ok((Source::open(path, &cache)?, weight(index)));
        let sources = recipe.sources.iter().enumerate().map(open);
        Ok(Self { sources: sources.collect::<Result<_, TrainError>>()? })
    }

    /// The probabilities of pairs: the weighted mean over the teachers that answer a pair, `None` if none does.
    pub(crate) fn answers(
        &mut self,
        pairs: &[Pair],
    ) -> Result<Vec<Option<[f32; Grade::COUNT]>>, TrainError> {
        let mut sums = vec![([0.0_f64; Grade::COUNT], 0.0_f64); pairs.len()];
        for (source, weight) in &mut self.sources {
            for ((sum, total), answer) in sums.iter_mut().zip(source.answers(pairs)?) {
                let Some(probs) = answer else { continue };
                for (sum, p) in sum.iter_mut().zip(probs) {
                    *sum += *weight * f64::from(p);
                }
                *total += *weight;
            }
        }
        let mean = |(sum, total): ([f64; Grade::COUNT], f64)| {
            (total > 0.0).then(|| sum.map(|sum| (sum / total) as f32))
        };
        Ok(sums.into_iter().map(mean).collect())
    }

    /// Keeps the answers of models for other runs.
    pub(crate) fn save(&mut self) -> Result<(), TrainError> {
        self.sources.iter_mut().try_for_each(|(source, _)| source.save())
    }
}

/// The folder of teachers' answers in the user's cache.
fn users_cache() -> PathBuf {
    sextant_files::users_cache().join("teachers")
}
