//! Draws partners for a pair from a pool.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A partner drawn at random, which `allowed` accepts; `None` if it refuses all of `tries` drawn partners.
pub(super) fn any<'a, T>(
    rng: &mut ChaCha8Rng,
    pool: &'a [T],
    tries: usize,
    allowed: impl Fn(&T) -> bool,
) -> Option<&'a T> {
    if pool.is_empty() {
        return None;
    }
    (0..tries).map(|_| &pool[rng.random_range(0..pool.len())]).find(|candidate| allowed(candidate))
}

/// The partner with the highest `score` above 0 among `tries` drawn at random, of those that `allowed`
/// accepts.
pub(super) fn hardest<'a, T>(
    rng: &mut ChaCha8Rng,
    pool: &'a [T],
    tries: usize,
    score: impl Fn(&T) -> f64,
    allowed: impl Fn(&T) -> bool,
) -> Option<&'a T> {
    if pool.is_empty() {
        return None;
    }
    let mut drawn: Vec<(f64, &T)> = (0..tries)
        .map(|_| &pool[rng.random_range(0..pool.len())])
        .map(|candidate| (score(candidate), candidate))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    drawn.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    drawn.into_iter().map(|(_, candidate)| candidate).find(|candidate| allowed(candidate))
}

/// A pool for each split.
#[derive(Debug, Clone)]
pub(super) struct PerSplit<T>([Vec<T>; 3]);

impl<T> Default for PerSplit<T> {
    fn default() -> Self {
        Self([Vec::new(), Vec::new(), Vec::new()])
    }
}

impl<T> PerSplit<T> {
    pub(super) fn push(&mut self, split: sextant_core::Split, item: T) {
        self.0[split as usize].push(item);
    }

    pub(super) fn of(&self, split: sextant_core::Split) -> &[T] {
        &self.0[split as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_hardest_acceptable_partner_is_taken() {
        let pool: Vec<usize> = (0..50).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = hardest(&mut rng, &pool, 2000, |&n| n as f64, |&n| n < 40);
        assert_eq!(found, Some(&39));
        assert_eq!(hardest(&mut rng, &pool, 20, |_| 0.0, |_| true), None);
        assert_eq!(any(&mut rng, &pool, 50, |&n| n > 60), None);
        assert!(any(&mut rng, &pool, 500, |&n| n > 40).is_some());
        assert_eq!(any::<u8>(&mut rng, &[], 5, |_| true), None);
    }
}
