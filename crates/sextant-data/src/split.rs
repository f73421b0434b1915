//! Groups entities that belong together, and gives each group a split.
//!
//! Splitting rows at random leaks: the same query, or the same product under another title, would
//! be in the training split and in the test split. Here every *entity* gets a split before any pair is
//! made. Entities that must not be separated are bound (union-find over their names). Entities that
//! should preferably not be separated are joined, strongest preference first, as long as the group
//! stays small. The size limit matters because the entities of a search log are nearly all connected:
//! taking every shared product as a bond would put four fifths of Home Depot into one split.
//!
//! Groups are visited in the order of a seeded hash of their name. Each goes to the split that is
//! furthest behind its share of the records in groups of that size so far, in the strata (data sets)
//! that the group has records of. So the shares hold for every data set, and for large groups as well
//! as for small ones: without size classes all large groups would go to the largest split. The result
//! does not depend on the order in which entities are added.

mod rows;
mod union_find;

pub use rows::{SplitOptions, SplitReport, split_rows};
pub use union_find::UnionFind;

use sextant_core::Split;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The share of each split; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// The share of the rows for training.
    pub train: f64,
    /// The share of the rows for making choices.
    pub dev: f64,
    /// The share of the rows for reporting.
    pub test: f64,
}

impl Shares {
    /// Checks that the shares are between 0 and 1 and sum to 1.
    ///
    /// # Errors
    /// A message that says what is wrong with the shares.
    pub fn new(train: f64, dev: f64, test: f64) -> Result<Self, String> {
        let sum = train + dev + test;
        if ![train, dev, test].iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err("the shares of train, dev and test must be between 0 and 1".to_owned());
        }
        if (sum - 1.0).abs() > 1e-6 {
            return Err(format!("the shares of train, dev and test sum to {sum}, not to 1"));
        }
        Ok(Self { train, dev, test })
    }

    /// The share of one split.
    pub const fn of(&self, split: Split) -> f64 {
        match split {
            Split::Train => self.train,
            Split::Dev => self.dev,
            Split::Test => self.test,
        }
    }
}

/// The weight of a group: for each stratum (a data set, or a task and grade), how many of its records
/// the group holds.
type Weight<S> = BTreeMap<S, f64>;

/// How much of a stratum the groups of one size class have had so far, in all and for each split.
#[derive(Debug, Clone, Default)]
struct Book {
    seen: f64,
    held: [f64; 3],
}

/// Collects entities and their connections, then gives every entity a split.
#[derive(Debug, Clone)]
pub struct Grouping<S = &'static str> {
    numbers: BTreeMap<String, usize>,
    sets: UnionFind,
    weights: Vec<Weight<S>>,
    totals: Weight<S>,
    preferences: Vec<(u32, String, String)>,
}

impl<S> Default for Grouping<S> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            sets: UnionFind::default(),
            weights: Vec::new(),
            totals: Weight::new(),
            preferences: Vec::new(),
        }
    }
}

impl<S: Ord + Copy> Grouping<S> {
    fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.sets.push();
        self.weights.push(Weight::new());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// Counts one record of `stratum` for the entity `name`.
    pub fn add(&mut self, name: &str, stratum: S) {
        let number = self.number(name);
        let root = self.sets.find(number);
        *self.weights[root].entry(stratum).or_default() += 1.0;
        *self.totals.entry(stratum).or_default() += 1.0;
    }

    /// States that two entities must be in one split.
    pub fn bind(&mut self, a: &str, b: &str) {
        let (a, b) = (self.number(a), self.number(b));
        self.join(a, b);
    }

    /// States that two entities should be in one split, if their group stays small.
    pub fn prefer(&mut self, a: &str, b: &str, strength: u32) {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        self.preferences.push((strength, a.to_owned(), b.to_owned()));
    }

    fn join(&mut self, a: usize, b: usize) {
        if let Some((kept, lost)) = self.sets.union(a, b) {
            for (stratum, weight) in std::mem::take(&mut self.weights[lost]) {
                *self.weights[kept].entry(stratum).or_default() += weight;
            }
        }
    }

    /// The largest share of any stratum that the group of `a` and `b` would hold.
    fn joint_share(&self, a: usize, b: usize) -> f64 {
        let strata = self.weights[a].keys().chain(self.weights[b].keys());
        strata
            .map(|stratum| {
                let part = |root: usize| self.weights[root].get(stratum).copied().unwrap_or(0.0);
                (part(a) + part(b)) / self.totals.get(stratum).copied().unwrap_or(1.0)
            })
            .fold(0.0, f64::max)
    }

    /// Joins entities by the preferences as long as a group has no more than `max_group_share` of any
    /// stratum, then gives every group its split.
    pub fn assign(mut self, seed: u64, shares: Shares, max_group_share: f64) -> Assignment {
        let mut preferences = std::mem::take(&mut self.preferences);
        preferences.sort_by(|x, y| y.0.cmp(&x.0).then_with(|| (&x.1, &x.2).cmp(&(&y.1, &y.2))));
        preferences.dedup();
        for (_, a, b) in preferences {
            let (a, b) = (self.number(&a), self.number(&b));
            let (a, b) = (self.sets.find(a), self.sets.find(b));
            if a != b && self.joint_share(a, b) <= max_group_share {
                self.join(a, b);
            }
        }
        self.place(seed, shares)
    }

    fn place(mut self, seed: u64, shares: Shares) -> Assignment {
        // A group has the name of its entity that is first in the order of names.
        let mut names: BTreeMap<usize, &str> = BTreeMap::new();
        let mut roots = Vec::with_capacity(self.numbers.len());
        for (name, &number) in &self.numbers {
            let root = self.sets.find(number);
            names.entry(root).or_insert(name);
            roots.push(root);
        }
        let mut order: Vec<([u8; 32], usize)> =
            names.iter().map(|(&root, name)| (seeded_hash(seed, name), root)).collect();
        order.sort_unstable();

        let mut books: BTreeMap<(S, u32), Book> = BTreeMap::new();
        let mut split_of_root = BTreeMap::new();
        for (hash, root) in order {
            let weight = &self.weights[root];
            let class = weight.values().sum::<f64>().max(1.0).log2() as u32;
            for (stratum, amount) in weight {
                books.entry((*stratum, class)).or_default().seen += amount;
            }
            let split = if weight.is_empty() {
                by_hash(&hash, shares)
            } else {
                let behind = |split: Split| -> f64 {
                    let part = |(stratum, amount): (&S, &f64)| {
                        let book = &books[&(*stratum, class)];
                        let missing = shares.of(split) * book.seen - book.held[split as usize];
                        let total = self.totals[stratum];
                        amount / total * missing / total
                    };
                    weight.iter().map(part).sum()
                };
                let mut best = Split::Train;
                for split in [Split::Test, Split::Dev] {
                    if behind(split) > behind(best) {
                        best = split;
                    }
                }
                best
            };
            for (stratum, amount) in weight {
                books.entry((*stratum, class)).or_default().held[split as usize] += amount;
            }
            split_of_root.insert(root, split);
        }
        let largest =
            self.weights.iter().enumerate().map(|(root, _)| self.joint_share(root, root) / 2.0);
        Assignment {
            largest_group_share: largest.fold(0.0, f64::max),
            groups: split_of_root.len(),
            splits: self
                .numbers
                .into_keys()
                .zip(roots)
                .map(|(name, root)| (name, split_of_root[&root]))
                .collect(),
        }
    }
}

/// A split by the hash alone: each split takes its share of the range of hashes.
fn by_hash(hash: &[u8; 32], shares: Shares) -> Split {
    let head = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let point = f64::from(head) / (f64::from(u32::MAX) + 1.0);
    if point < shares.train {
        Split::Train
    } else if point < shares.train + shares.dev {
        Split::Dev
    } else {
        Split::Test
    }
}

/// SHA-256 of the seed and a text, which gives a fixed pseudorandom order of names.
pub(crate) fn seeded_hash(seed: u64, text: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(text.as_bytes());
    hasher.finalize().into()
}

/// The split of every entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    splits: BTreeMap<String, Split>,
    /// How many groups there are.
    pub groups: usize,
    /// The largest share of any stratum that one group holds.
    pub largest_group_share: f64,
}

impl Assignment {
    /// The split of an entity; `None` if it was never added.
    pub fn split(&self, name: &str) -> Option<Split> {
        self.splits.get(name).copied()
    }

    /// The split of both entities, if they are in the same one.
    pub fn common(&self, a: &str, b: &str) -> Option<Split> {
        self.split(a).filter(|&split| self.split(b) == Some(split))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARES: Shares = Shares { train: 0.7, dev: 0.1, test: 0.2 };

    proptest! {
        #[test]
        fn bound_entities_share_a_split_in_any_order(
            bonds in prop::collection::vec((0_u8..40, 0_u8..40), 0..30),
            wishes in prop::collection::vec((0_u8..40, 0_u8..40), 0..30),
            seed in any::<u64>(),
        ) {
            let build = |reverse: bool| {
                let mut grouping = Grouping::default();
                let mut names: Vec<u8> = (0..40).collect();
                let mut pairs = bonds.clone();
                if reverse { names.reverse(); pairs.reverse(); }
                for name in names { grouping.add(&format!("e{name}"), "set"); }
                for &(a, b) in &pairs { grouping.bind(&format!("e{a}"), &format!("e{b}")); }
                for &(a, b) in &wishes { grouping.prefer(&format!("e{a}"), &format!("e{b}"), 1); }
                grouping.assign(seed, SHARES, 0.1)
            };
            let (forward, backward) = (build(false), build(true));
            prop_assert_eq!(&forward, &backward);
            for (a, b) in bonds {
                let common = forward.common(&format!("e{a}"), &format!("e{b}"));
                prop_assert!(common.is_some());
            }
        }
    }

    #[test]
    fn shares_hold_in_every_stratum() {
        let mut grouping = Grouping::default();
        for group in 0..2000 {
            for member in 0..=group % 7 {
                grouping.add(&format!("g{group}"), if member % 2 == 0 { "a" } else { "b" });
            }
        }
        let assignment = grouping.assign(3, SHARES, 0.1);
        for (stratum, parity) in [("a", 0), ("b", 1)] {
            let mut counts = [0.0; 3];
            for group in 0..2000 {
                let split = assignment.split(&format!("g{group}")).unwrap();
                counts[split as usize] +=
                    (0..=group % 7).filter(|m| m % 2 == parity).count() as f64;
            }
            let total: f64 = counts.iter().sum();
            for split in Split::ALL {
                let share = counts[split as usize] / total;
                assert!((share - SHARES.of(split)).abs() < 0.01, "{stratum} {split}: {share}");
            }
        }
    }

    #[test]
    fn large_groups_are_shared_out_too() {
        let mut grouping = Grouping::default();
        for group in 0..200 {
            for _ in 0..if group < 20 { 100 } else { 1 } {
                grouping.add(&format!("g{group}"), "set");
            }
        }
        let assignment = grouping.assign(8, SHARES, 1.0);
        let large =
            |split| (0..20).filter(|g| assignment.split(&format!("g{g}")) == Some(split)).count();
        assert_eq!(Split::ALL.map(large), [14, 2, 4]);
    }

    #[test]
    fn preferences_stop_at_the_largest_group() {
        let mut grouping = Grouping::default();
        for i in 0..100 {
            grouping.add(&format!("{i:03}"), "set");
            grouping.prefer(&format!("{i:03}"), &format!("{:03}", (i + 1) % 100), 1);
        }
        let assignment = grouping.assign(1, SHARES, 0.05);
        assert!(assignment.largest_group_share <= 0.05 + 1e-12);
        assert!(assignment.groups >= 20 && assignment.groups < 40, "{}", assignment.groups);
    }
}
