use proptest::prelude::*;

use super::super::floats::Floats;
use super::*;
use crate::Dropout;
use crate::simd::Level;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    })
    .take(count)
    .collect()
}

/// `Σ weights · attention(qkv)` in `f64`, straight from the definition.
fn loss(qkv: &[f64], segments: &Segments, spec: &AttentionSpec, weights: &[f32]) -> f64 {
    let (dim, stride) = (spec.head_dim, spec.qkv_width());
    let mut total = 0.0;
    for row in segments.ranges() {
        for head in 0..spec.heads {
            let key_at = (spec.heads + head / spec.group()) * dim;
            let value_at = key_at + spec.kv_heads * dim;
            for query in 0..row.len() {
                let token = row.start + query;
                let visible = spec.mask.visible(query, row.len());
                let dot = |key: usize| -> f64 {
                    let q = &qkv[token * stride + head * dim..][..dim];
                    let k = &qkv[(row.start + key) * stride + key_at..][..dim];
                    q.iter().zip(k).map(|(q, k)| q * k).sum()
                };
                let scale = f64::from(spec.scale);
                let e: Vec<f64> = visible.clone().map(|key| (scale * dot(key)).exp()).collect();
                let sum: f64 = e.iter().sum();
                for (key, e) in visible.zip(e) {
                    let kept = spec.dropout.map_or(1.0, |dropout| {
                        if dropout.keeps(token * spec.heads + head, key) {
                            f64::from(dropout.keep_scale())
                        } else {
                            0.0
                        }
                    });
                    let v = &qkv[(row.start + key) * stride + value_at..][..dim];
                    let w = &weights[token * spec.width() + head * dim..][..dim];
                    let dot: f64 = v.iter().zip(w).map(|(v, w)| v * f64::from(*w)).sum();
                    total += e / sum * kept * dot;
                }
            }
        }
    }
    total
}

/// Compares with the definition and with finite differences at `samples` places.
fn check(level: Level, lengths: &[usize], spec: &AttentionSpec, samples: usize) {
    let segments = Segments::from_lengths(lengths).unwrap();
    let qkv = numbers(segments.tokens() * spec.qkv_width(), 5);
    let weights = numbers(segments.tokens() * spec.width(), 6);
    let input = Input { qkv: Floats::F32(&qkv), segments: &segments, spec, scores: Scores::Plain };
    let (out, log_sums) = forward(level, input);
    let out = out.into_f32(level);
    let ours: f64 = out.iter().zip(&weights).map(|(o, w)| f64::from(*o) * f64::from(*w)).sum();
    let mut exact: Vec<f64> = qkv.iter().map(|x| f64::from(*x)).collect();
    let truth = loss(&exact, &segments, spec, &weights);
    let bound = 2e-6 * (out.len() as f64).sqrt().max(10.0);
    assert!((ours - truth).abs() < bound, "{level:?} {spec:?}: {ours} is not {truth}");

    let saved = Saved { input, out: Floats::F32(&out), log_sums: &log_sums };
    let gradient = backward(level, saved, Floats::F32(&weights)).qkv.into_f32(level);
    assert!(gradient.iter().all(|x| x.is_finite()));
    for i in (0..gradient.len()).step_by(gradient.len() / samples + 1) {
        let (kept, h) = (exact[i], 1e-5);
        exact[i] = kept + h;
        let above = loss(&exact, &segments, spec, &weights);
        exact[i] = kept - h;
        let below = loss(&exact, &segments, spec, &weights);
        exact[i] = kept;
        let slope = (above - below) / (2.0 * h);
        let ours = f64::from(gradient[i]);
        assert!(
            (ours - slope).abs() < 2e-5 * (1.0 + slope.abs()),
            "{level:?} {spec:?} at {i}: {ours} is not {slope}"
        );
    }
}

fn spec(heads: usize, kv_heads: usize, head_dim: usize, mask: Mask, drop: bool) -> AttentionSpec {
    AttentionSpec {
        kv_heads,
        mask,
        dropout: drop.then_some(Dropout { probability: 0.3, seed: 11 }),
        ..AttentionSpec::new(heads, head_dim)
    }
}

#[test]
fn several_blocks_of_queries() {
    let window = Mask::SlidingWindow { before: 20, after: 7 };
    for level in Level::supported() {
        for mask in [Mask::Bidirectional, Mask::Causal, window] {
            check(level, &[5, 140, 1, 65], &spec(2, 1, 20, mask, false), 25);
            check(level, &[5, 140, 1, 65], &spec(2, 2, 32, mask, true), 25);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn ragged_rows(
        lengths in prop::collection::vec(1usize..40, 1..5),
        group in 1usize..3, kv_heads in 1usize..3, head_dim in 1usize..70,
        kind in 0usize..3, before in 0usize..9, after in 0usize..9, drop: bool,
    ) {
        let mask = [Mask::Bidirectional, Mask::Causal, Mask::SlidingWindow { before, after }][kind];
        for level in Level::supported() {
            check(level, &lengths, &spec(group * kv_heads, kv_heads, head_dim, mask, drop), 8);
        }
    }
}
