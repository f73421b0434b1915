//! A look at the dev set by several ranks: each answers a part of the rows, and tells the others.

use crate::Reducer;
use crate::agree::{agree, any};
use crate::{Rows, TrainError};
use sextant_core::{Grade, Prediction};
use sextant_model::{ModelError, PackedWeights, Predictor, RelevanceModel, predict_rows};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Predicts this rank's part of the dev rows; an error names a row among all of them. A row's answer does not
/// depend on the rows that are answered with it.
pub(crate) fn predict_dev(
    reducer: &dyn Reducer,
    model: &RelevanceModel,
    dev: &Rows,
    weights: &Arc<PackedWeights>,
    done: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Prediction>, ModelError> {
    let views: Vec<_> = dev.views().collect();
    let lengths: Vec<usize> = views.iter().map(sextant_text::RowView::len).collect();
    let mine = part(&lengths, reducer.ranks(), reducer.rank());
    let start = mine.start;
    predict_rows(model, &views[mine], weights, Predictor::PACK_TOKENS, done)
        .map_err(|error| error.with_row(|row| start + row))
}

/// Puts together what all ranks have answered. `None` if a rank was asked to stop.
///
/// # Errors
/// A rank has an error.
pub(crate) fn gather_predictions(
    reducer: &dyn Reducer,
    mine: Result<Option<Vec<Prediction>>, TrainError>,
) -> Result<Option<Vec<Prediction>>, TrainError> {
    let mine = agree(reducer, mine)?;
    if any(reducer, mine.is_none())? {
        return Ok(None);
    }
    let mine = mine.unwrap_or_default();
    if reducer.ranks() == 1 {
        return Ok(Some(mine));
    }
    let words: Vec<u32> =
        mine.iter().flat_map(|prediction| prediction.probs.map(f32::to_bits)).collect();
    let received = reducer.gather(&words)?;
    let all = (0..reducer.ranks()).flat_map(|rank| received.of(rank).as_chunks().0);
    let answer = |bits: &[u32; Grade::COUNT]| Prediction::new(bits.map(f32::from_bits));
    Ok(Some(all.map(answer).collect()))
}

/// The rows that a rank answers: of neighbours, which often share a query, with about as many tokens as those of
/// other ranks.
fn part(lengths: &[usize], ranks: usize, rank: usize) -> Range<usize> {
    let total: usize = lengths.iter().sum();
    let end = |rank: usize| {
        let mut tokens = 0;
        let before = |length: &&usize| {
            tokens += **length;
            tokens * ranks <= total * rank
        };
        lengths.iter().take_while(before).count()
    };
    end(rank)..end(rank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_is_answered_once(
            lengths in prop::collection::vec(1_usize..100, 0..60),
            ranks in 1_usize..9,
        ) {
            let parts: Vec<_> = (0..ranks).map(|rank| part(&lengths, ranks, rank)).collect();
            let rows: Vec<usize> = parts.iter().cloned().flatten().collect();
            prop_assert_eq!(rows, (0..lengths.len()).collect::<Vec<_>>());
            let total: usize = lengths.iter().sum();
            for part in parts {
                let tokens: usize = lengths[part].iter().sum();
                prop_assert!(tokens <= total / ranks + 100);
            }
        }
    }
}
