//! The gradients of a step's triangles.

use super::Triangles;
use crate::run_pack::backward;
use crate::target::StepOptions;
use crate::{Gradients, TrainError};
use sextant_model::{
    Activations, ForwardContext, PackInput, RelevanceModel, StepShared, contradiction_losses,
};
use sextant_text::{Pack, RowView, fill};
use std::sync::Arc;

/// What the triangles of a step came to.
#[derive(Debug, Default)]
pub(crate) struct Penalty {
    /// The gradients of the weighted mean penalty.
    pub(crate) gradients: Gradients,
    /// The mean penalty, before it is weighed.
    pub(crate) mean: f64,
    /// Tokens of all pairs.
    pub(crate) tokens: usize,
}

/// Keeps the dropout masks of triangles apart from those of rows: tasks have the numbers 1 to 6 in this place
/// (see [`plan_packs`](crate::plan_packs)).
const MARK: u64 = 7 << 48;

/// Runs triangles forward and backward, in as many packs as they fill; a triangle is in one pack as a whole.
/// The loss is the mean of the triangles' penalties times `weight`.
///
/// # Errors
/// The model refuses a pack.
pub(crate) fn gradients(
    model: &RelevanceModel,
    triangles: &Triangles,
    chosen: &[usize],
    weight: f64,
    options: &StepOptions<'_>,
) -> Result<Penalty, TrainError> {
    let rows: Vec<_> = chosen.iter().map(|&triangle| triangles.triangle(triangle)).collect();
    let lengths: Vec<usize> =
        rows.iter().map(|sides| sides.iter().map(RowView::len).sum()).collect();
    let packs = fill(&lengths, options.pack_tokens);
    let shared = Arc::new(StepShared::of(packs.len()));
    let [seed, step] = options.key;
    let divisor = chosen.len() as f64 / weight;
    let head = model.spec().head;
    let mut found = Penalty::default();
    for (place, range) in packs.into_iter().enumerate() {
        let mine = &rows[range];
        let members: Vec<_> = mine.iter().flatten().copied().enumerate().collect();
        let pack = Pack::new(&members);
        // The pack orders rows by task.
        let mut sides = vec![[0; 3]; mine.len()];
        for (at, &row) in pack.rows.iter().enumerate() {
            sides[row / 3][row % 3] = at;
        }
        let input = PackInput::new(&pack, &model.device())?;
        let key = [seed, step | MARK, place as u64];
        let ctx = ForwardContext::training(options.precision, &key).sharing(&shared);
        let losses = backward(
            model,
            (&pack, &input, &ctx),
            options.checkpointing.then_some(Activations::Recomputed),
            divisor,
            |logits| contradiction_losses(logits, &sides, head),
            None,
            |part| found.gradients.add(part),
        )?;
        found.mean += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
        found.tokens += pack.token_count();
    }
    found.mean /= chosen.len().max(1) as f64;
    Ok(found)
}
