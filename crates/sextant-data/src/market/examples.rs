//! Pairs the entities of a market, as examples for all six tasks.

use super::error::MarketError;
use super::generate::{Item, Market};
use super::pools::Pools;
use super::truth::{Conflict, Rule};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sextant_core::{Example, Grade, LabelOrigin, Pair, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The intended share of each grade, by [`Grade::index`].
const MIX: [f64; Grade::COUNT] = [0.35, 0.35, 0.30];
/// The share of each split.
const SHARES: [(Split, f64); 3] = [(Split::Train, 0.7), (Split::Dev, 0.1), (Split::Test, 0.2)];
/// How many partners are tried for one row before the row is given up.
const ATTEMPTS: usize = 12;

/// Which examples to draw from a market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExampleConfig {
    /// The most rows of each task, over all splits. There may be fewer, because a market has a limited number
    /// of different pairs and the balance of grades takes precedence. Tasks that are not named get no rows.
    pub rows: BTreeMap<Task, usize>,
    /// About how many rows are drawn for an item at a time; the rows of an item are one group.
    pub slate: usize,
    /// A task whose grades contradict those of the other tasks.
    pub conflict: Option<Conflict>,
}

impl Default for ExampleConfig {
    /// 20,800 rows for a demo, with moderately different numbers per task. They are many because an encoder
    /// that is trained from scratch learns more from many rows that it sees a few times than from few rows
    /// that it sees often and memorizes.
    fn default() -> Self {
        Self::with_rows([6000, 3000, 4200, 3600, 3000, 1000])
    }
}

impl ExampleConfig {
    /// Rows per task, in the order of [`Task::ALL`].
    pub fn with_rows(rows: [usize; Task::COUNT]) -> Self {
        Self { rows: Task::ALL.into_iter().zip(rows).collect(), slate: 5, conflict: None }
    }

    /// The same number of rows for each task.
    pub fn equal(rows: usize) -> Self {
        Self::with_rows([rows; Task::COUNT])
    }

    /// Numbers of rows that differ between tasks as in practice: `rows` for query-product, a tenth of it for
    /// type-type.
    pub fn skewed(rows: usize) -> Self {
        Self::with_rows([rows, rows / 5, rows / 3, rows / 3, rows / 5, rows / 10])
    }

    fn rule(&self, task: Task) -> Rule {
        self.conflict.filter(|conflict| conflict.task == task).map_or(Rule::Standard, |c| c.rule)
    }

    fn check(&self) -> Result<(), MarketError> {
        if self.slate == 0 {
            return Err(MarketError::OutOfRange {
                key: "slate",
                found: "0".to_owned(),
                expected: "1 or more",
            });
        }
        match self.conflict {
            Some(Conflict { task, rule }) if !rule.fits(task) => {
                Err(MarketError::RuleDoesNotFit { rule, task })
            }
            _ => Ok(()),
        }
    }
}

impl Market {
    /// Draws examples, ordered by task and then by split.
    ///
    /// Every row has an id, a group (the item for which partners were sought), its split, the source
    /// `synthetic-market` and a derived label. The rows of a task do not depend on the numbers of rows of
    /// other tasks. Pairs of a symmetric task are given in both orders, one after the other, in one group.
    pub fn examples(&self, config: &ExampleConfig) -> Result<Vec<Example>, MarketError> {
        config.check()?;
        let pools = Pools::new(self.items());
        let mut examples = Vec::new();
        for (&task, &rows) in &config.rows {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(1 + task.index() as u64);
            let first = examples.len();
            for (split, share) in SHARES {
                let wanted = (rows as f64 * share).round() as usize;
                Sampler { pools: &pools, task, rule: config.rule(task), slate: config.slate }.draw(
                    split,
                    wanted,
                    &mut rng,
                    &mut examples,
                );
            }
            for (number, example) in examples[first..].iter_mut().enumerate() {
                example.id = Some(format!("{task}-{number}"));
            }
            let drawn = examples.len() - first;
            if drawn < rows * 9 / 10 {
                tracing::warn!(%task, rows, drawn, "the market holds too few different pairs");
            }
        }
        Ok(examples)
    }
}

/// Draws the pairs of one task.
struct Sampler<'a> {
    pools: &'a Pools<'a>,
    task: Task,
    rule: Rule,
    slate: usize,
}

impl<'a> Sampler<'a> {
    /// Appends up to `rows` examples of one split.
    fn draw(&self, split: Split, rows: usize, rng: &mut ChaCha8Rng, out: &mut Vec<Example>) {
        let pairs = if self.task.is_symmetric() { rows / 2 } else { rows };
        let mut anchors = self.pools.all(split, self.task.kinds().0).to_vec();
        anchors.shuffle(rng);
        let mut seen = BTreeSet::new();
        let mut counts = [0; Grade::COUNT];
        loop {
            let (mut tried, before) = (0, seen.len());
            for anchor in &anchors {
                for _ in 0..self.slate {
                    if seen.len() == pairs {
                        return;
                    }
                    tried += 1;
                    let grade = scarcest(counts);
                    if let Some(found) = self.partner(anchor, grade, &mut seen, rng) {
                        counts[grade.index()] += 1;
                        self.emit(anchor, found, grade, out);
                    }
                }
            }
            // Nearly all pairs of the scarcest grade are taken. Further rows would unbalance the grades.
            if (seen.len() - before) * 20 <= tried {
                return;
            }
        }
    }

    /// An item whose pair with `anchor` has exactly this grade and was not drawn before.
    fn partner(
        &self,
        anchor: &'a Item,
        grade: Grade,
        seen: &mut BTreeSet<(&'a str, &'a str)>,
        rng: &mut ChaCha8Rng,
    ) -> Option<&'a Item> {
        let kind = self.task.kinds().1;
        for _ in 0..ATTEMPTS {
            let Some(found) = self.pools.candidate(anchor, kind, self.rule, grade, rng) else {
                continue;
            };
            let (left, right) = (anchor.name.as_str(), found.name.as_str());
            // Items of different kinds have different names, so sorting the two names cannot make different
            // pairs equal.
            let pair = if left < right { (left, right) } else { (right, left) };
            if left != right
                && self.rule.grade(self.task, &anchor.meaning, &found.meaning) == grade
                && seen.insert(pair)
            {
                return Some(found);
            }
        }
        None
    }

    fn emit(&self, anchor: &Item, found: &Item, grade: Grade, out: &mut Vec<Example>) {
        let mut push = |left: &Item, right: &Item| {
            let (left, right) = (left.entity.clone(), right.entity.clone());
            let mut pair = Pair { task: self.task, left, right };
            if self.task == Task::ProductType
                && let sextant_core::Entity::Product(product) = &mut pair.left
            {
                product.type_path.clear(); // The path contains the answer.
            }
            out.push(Example {
                pair,
                grade,
                id: None,
                group: Some(anchor.name.clone()),
                weight: 1.0,
                source: Some("synthetic-market".to_owned()),
                origin: Some(LabelOrigin::Derived),
                split: Some(anchor.split),
                behaviour: None,
            });
        };
        push(anchor, found);
        if self.task.is_symmetric() {
            push(found, anchor);
        }
    }
}

/// The grade that is furthest behind its share.
fn scarcest(counts: [usize; Grade::COUNT]) -> Grade {
    let filled = |grade: &Grade| counts[grade.index()] as f64 / MIX[grade.index()];
    Grade::ALL.into_iter().min_by(|a, b| filled(a).total_cmp(&filled(b))).unwrap_or(Grade::Partial)
}
