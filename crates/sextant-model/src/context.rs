//! What one forward pass needs to know besides its input.

use sextant_kernels::{Dropout, Precision};
use std::cell::Cell;

/// The precision of a forward pass, and its randomness if it is a training one.
///
/// Every dropout of a pass takes the next seed of a sequence that starts from the seed given here, so
/// that masks depend on nothing but that seed: not on threads, and not on what ran before. Resuming a
/// run needs no random state beyond the step number.
#[derive(Debug)]
pub struct ForwardContext {
    precision: Precision,
    seeds: Option<Cell<u64>>,
}

impl ForwardContext {
    /// For scoring: nothing is dropped.
    pub fn inference(precision: Precision) -> Self {
        Self { precision, seeds: None }
    }

    /// For training: dropout masks are a function of `key`, which must differ for every pass: the
    /// run's seed, the step, the pack.
    pub fn training(precision: Precision, key: &[u64]) -> Self {
        let seed = key.iter().fold(0, |seed, part| split_mix(seed ^ part));
        Self { precision, seeds: Some(Cell::new(seed)) }
    }

    /// The precision in which products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The next dropout, or none when scoring or when nothing would be dropped.
    pub(crate) fn dropout(&self, probability: f32) -> Option<Dropout> {
        let seeds = self.seeds.as_ref()?;
        let seed = split_mix(seeds.get());
        seeds.set(seed);
        (probability > 0.0).then_some(Dropout { probability, seed })
    }
}

/// One step of SplitMix64 (Steele, Lea & Flood, 2014).
pub(crate) fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
