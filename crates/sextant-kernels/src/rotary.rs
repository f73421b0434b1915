use std::sync::Arc;

use crate::{AttentionSpec, Segments};

/// Rotary position embeddings (Su et al. 2021), with the split into halves of GPT-NeoX and Llama.
///
/// With `n` frequencies, the numbers `i` and `i + n` of a head are rotated by the angle `p · frequencies[i]`,
/// where `p` is the token's position in its row. The numbers from `2 n` on are not changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    frequencies: Arc<[f32]>,
}

/// The cosines and sines of the angles, `[positions, frequencies]` each.
pub(crate) struct Angles {
    pub(crate) cosines: Vec<f32>,
    pub(crate) sines: Vec<f32>,
}

impl Rotary {
    /// The usual frequencies `base^(-2 i / dim)` for the first `dim` numbers of a head.
    pub fn new(dim: usize, base: f64) -> Self {
        let frequency = |i: usize| base.powf(-2.0 * i as f64 / dim as f64) as f32;
        Self::from_frequencies((0..dim / 2).map(frequency).collect())
    }

    /// Rotary positions with the given frequencies, in radians per position.
    pub fn from_frequencies(frequencies: Vec<f32>) -> Self {
        Self { frequencies: frequencies.into() }
    }

    /// The frequencies, in radians per position.
    pub fn frequencies(&self) -> &[f32] {
        &self.frequencies
    }

    /// The angles of all positions of the longest row.
    pub(crate) fn angles(&self, segments: &Segments) -> Angles {
        let count = segments.max_len() * self.frequencies.len();
        let mut angles =
            Angles { cosines: Vec::with_capacity(count), sines: Vec::with_capacity(count) };
        for position in 0..segments.max_len() {
            for &frequency in &*self.frequencies {
                let (sine, cosine) = (position as f64 * f64::from(frequency)).sin_cos();
                angles.cosines.push(cosine as f32);
                angles.sines.push(sine as f32);
            }
        }
        angles
    }

    /// Panics when heads have fewer numbers than the frequencies rotate.
    pub(crate) fn check(&self, spec: &AttentionSpec) {
        assert!(
            2 * self.frequencies.len() <= spec.head_dim,
            "rotary: {} frequencies turn more numbers than the {} of a head",
            self.frequencies.len(),
            spec.head_dim
        );
    }
}
