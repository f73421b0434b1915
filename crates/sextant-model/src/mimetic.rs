//! Initial weights that look like those of a trained transformer.

use crate::RelevanceModel;
use crate::params::{deviation, generator, load, normal};

/// The score that a token has for an equal one, on average and before training; it is about 0 for any other. Of 5,
/// 8 and 12, a model with 8 learned the most in three epochs of the synthetic market.
const EQUAL_SCORE: f32 = 8.0;
/// The deviation of the embeddings of positions, as a share of that of other embeddings: what tells equal words
/// apart stands back.
const POSITION_SHARE: f32 = 0.3;

/// Changes what [`initialize`](crate::initialize) drew with the same seed, so that every token attends to its
/// equals: the projection of keys starts as a copy of that of queries, and positions count for less than words.
///
/// This is the part of mimetic initialization that concerns queries and keys, whose product resembles the
/// identity in trained transformers (Trockman & Kolter 2023, "Mimetic Initialization of Self-Attention Layers").
/// A cross-encoder has to find out which words both texts share, and with unrelated projections that takes a small
/// model thousands of steps. Blocks in which several heads share keys stay as they are.
pub fn initialize_mimetic(model: RelevanceModel, seed: u64) -> RelevanceModel {
    let deviation = deviation(&model);
    let backbone = &model.spec().backbone;
    let width = backbone.attention_heads * backbone.head_dim();
    // A token that was normalised is a vector of `hidden_size` numbers of variance 1. Where both projections are
    // the same, its score for itself is on average:
    let score =
        backbone.hidden_size as f32 * deviation.powi(2) * (backbone.head_dim() as f32).sqrt();
    let factor = (EQUAL_SCORE / score).sqrt();
    let filled = load::<std::convert::Infallible>(model, |name, shape| {
        let is_qkv = name.ends_with("qkv.weight") && shape[1] == 3 * width;
        if !is_qkv && name != "embeddings.position" {
            return Ok(None);
        }
        let mut values = normal(deviation, shape.iter().product(), &mut generator(seed, name));
        if is_qkv {
            for input in values.chunks_exact_mut(3 * width) {
                let (queries, rest) = input.split_at_mut(width);
                for value in queries.iter_mut() {
                    *value *= factor;
                }
                rest[..width].copy_from_slice(queries);
            }
        } else {
            for value in &mut values {
                *value *= POSITION_SHARE;
            }
        }
        Ok(Some(values))
    });
    match filled {
        Ok(model) => model,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BackboneConfig, HeadKind, ModelSpec, Pooling, Routing, dump, initialize};
    use sextant_core::Task;

    /// Scores of one head between random tokens, of the weights `[hidden, 3 * width]`.
    fn scores(qkv: &[f32], hidden: usize, head_dim: usize, tokens: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let part = |token: &[f32], first: usize| -> Vec<f32> {
            let column = |c: usize| (0..hidden).map(|i| token[i] * qkv[i * 3 * hidden + c]).sum();
            (first..first + head_dim).map(column).collect()
        };
        let dot = |q: &[f32], k: &[f32]| q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>();
        let scale = (head_dim as f32).sqrt();
        let of = |q: &Vec<f32>| {
            tokens.iter().map(|k| dot(&part(q, 0), &part(k, hidden)) / scale).collect()
        };
        tokens.iter().map(of).collect()
    }

    #[test]
    fn a_token_attends_to_its_equals_and_nothing_else_changes() {
        let backbone = BackboneConfig { hidden_size: 64, ..BackboneConfig::small(50) };
        let spec = ModelSpec {
            backbone,
            tasks: Task::ALL.to_vec(),
            routing: Routing::mhp(1),
            pooling: Pooling::Mean,
            dense: false,
            head: HeadKind::Softmax,
            head_dropout: 0.0,
            lora: None,
        };
        let model = initialize(RelevanceModel::zeros(spec, &crate::Device::cpu()).unwrap(), 3);
        let before = dump(&model);
        let after = dump(&initialize_mimetic(model, 3));
        let tokens: Vec<Vec<f32>> =
            (0..40).map(|i| normal(1.0, 64, &mut generator(i, "token"))).collect();
        let mut changed = 0;
        for (name, old) in &before {
            let new = &after[name];
            if name.ends_with("qkv.weight") {
                changed += 1;
                let found = scores(&new.data, 64, 16, &tokens);
                let own = (0..40).map(|i| found[i][i]).sum::<f32>() / 40.0;
                assert!((own / EQUAL_SCORE - 1.0).abs() < 0.25, "{name}: {own}");
                let all: f32 = found.iter().flatten().sum();
                let other = (all - 40.0 * own) / (40.0 * 39.0);
                assert!(other.abs() < 0.5, "{name}: {other}");
            } else if name == "embeddings.position" {
                let shares: Vec<f32> =
                    old.data.iter().map(|value| value * POSITION_SHARE).collect();
                assert_eq!(new.data, shares, "{name}");
            } else {
                assert_eq!(old.data, new.data, "{name}");
            }
        }
        assert_eq!(changed, 2 + 6, "two shared blocks, and a private one for each task");
    }
}
