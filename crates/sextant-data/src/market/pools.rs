//! Pools of items in which the partner of an item is sought.

use super::generate::Item;
use super::meaning::{Meaning, Node};
use super::surface::pick;
use super::truth::Rule;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use sextant_core::{EntityKind, Grade, Split};
use std::collections::BTreeMap;

/// The property that the items of a pool have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Meaning(&'a Meaning),
    Product(usize),
    Node(Node),
    Category(usize, usize),
    Department(usize),
    Detail(&'a str, &'a str),
    Any,
}

/// A way of choosing a candidate for an item.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// An item that should match it fully.
    Match,
    /// An item of the same type.
    SameType,
    /// An item whose type is the parent, a child or a sibling.
    NearType,
    /// An item of the same department. Some of them have a near type, others have a far one.
    Department,
    /// An item with the same brand, colour or another common detail.
    SharedDetail,
    /// Any item.
    Any,
}

impl Draw {
    /// The ways that are likely to find an item with this grade. The true grade is checked afterwards.
    fn likely(rule: Rule, grade: Grade) -> &'static [&'static Self] {
        use Draw::{Any, Department, Match, NearType, SameType, SharedDetail};
        match (rule, grade) {
            (Rule::Standard, Grade::Relevant) | (Rule::Inverted, Grade::Irrelevant) => &[&Match],
            (Rule::Standard | Rule::Inverted, Grade::Partial) => &[&SameType, &SameType, &NearType],
            (Rule::Standard, Grade::Irrelevant) | (Rule::Inverted, Grade::Relevant) => {
                &[&SharedDetail, &Department, &Any]
            }
            (Rule::DetailsOnly, _) => &[&Match, &SameType, &SharedDetail, &SharedDetail, &Any],
        }
    }
}

/// The items of a market in pools, by the properties that they have in common.
#[derive(Debug)]
pub(super) struct Pools<'a>(BTreeMap<(Split, EntityKind, Key<'a>), Vec<&'a Item>>);

impl<'a> Pools<'a> {
    pub(super) fn new(items: &'a [Item]) -> Self {
        let mut pools: BTreeMap<_, Vec<&'a Item>> = BTreeMap::new();
        for item in items {
            let Meaning { node, details } = &item.meaning;
            let (department, category) = node.position();
            let keys = [
                Key::Any,
                Key::Meaning(&item.meaning),
                Key::Node(*node),
                Key::Category(department, category),
                Key::Department(department),
            ];
            let details = details.iter().map(|(name, value)| Key::Detail(name, value));
            for key in keys.into_iter().chain(details).chain(item.product.map(Key::Product)) {
                pools.entry((item.split, item.kind, key)).or_default().push(item);
            }
        }
        Self(pools)
    }

    /// All items of one kind in a split.
    pub(super) fn all(&self, split: Split, kind: EntityKind) -> &[&'a Item] {
        self.get(split, kind, Key::Any)
    }

    /// An item of this kind that is likely to have this grade with `item`; `None` if the pool from which it
    /// would be drawn is empty.
    pub(super) fn candidate(
        &self,
        item: &'a Item,
        kind: EntityKind,
        rule: Rule,
        grade: Grade,
        rng: &mut ChaCha8Rng,
    ) -> Option<&'a Item> {
        let node = item.meaning.node;
        let (department, category) = node.position();
        let key = match pick(Draw::likely(rule, grade), rng) {
            Draw::Match if kind == EntityKind::Type => Key::Node(node),
            Draw::Match if kind == item.kind => Key::Meaning(&item.meaning),
            Draw::Match => item.product.map_or(Key::Node(node), Key::Product),
            Draw::SameType => Key::Node(node),
            Draw::NearType if node.is_category() => Key::Department(department),
            Draw::NearType => Key::Category(department, category),
            Draw::Department => Key::Department(department),
            Draw::SharedDetail => {
                let details = &item.meaning.details;
                let wanted = rng.random_range(0..details.len().max(1));
                let (name, value) = details.iter().nth(wanted)?;
                Key::Detail(name, value)
            }
            Draw::Any => Key::Any,
        };
        let pool = self.get(item.split, kind, key);
        (!pool.is_empty()).then(|| pick(pool, rng))
    }

    fn get(&self, split: Split, kind: EntityKind, key: Key<'a>) -> &[&'a Item] {
        self.0.get(&(split, kind, key)).map_or(&[], Vec::as_slice)
    }
}
