//! Draws a market: products and their offers, queries, and names of types.

use super::catalogue::LINES;
use super::error::MarketError;
use super::meaning::{Details, Meaning, Node};
use super::surface::{self, pick};
use super::truth::Rule;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sextant_core::{Entity, EntityKind, Grade, Pair, Split};
use std::collections::{BTreeMap, BTreeSet};

/// How large and how noisy a market is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketConfig {
    /// The seed of all random choices.
    pub seed: u64,
    /// How many of the tree's departments the market has, each with twelve leaf types. Fewer departments make
    /// an easier market.
    pub departments: usize,
    /// The number of products; each has two or three offers.
    pub products: usize,
    /// The most queries. There may be fewer, because there are only so many different queries for a few
    /// products.
    pub queries: usize,
    /// How noisy queries are, from 0 (no noise) to 1.
    pub noise: f64,
}

impl Default for MarketConfig {
    /// A market that is large enough for the default [`super::ExampleConfig`], and easy enough for a tiny
    /// encoder that is trained from scratch. Such an encoder is limited by the number of types, since it must
    /// learn all their names from pairs alone.
    fn default() -> Self {
        Self { seed: 7, departments: 2, products: 3600, queries: 5400, noise: 0.3 }
    }
}

/// One entity of the market, with its meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The kind of entity.
    pub kind: EntityKind,
    /// A name that is unique among all items: `query-17`, `product-3-b`, `type-40`.
    pub name: String,
    /// The entity as a model sees it. Its text is unique among items of its kind.
    pub entity: Entity,
    /// The meaning of the entity.
    pub meaning: Meaning,
    /// The index of the product that is offered, or from which the query's intent was drawn; `None` for
    /// types.
    pub product: Option<usize>,
    /// The split in which the item occurs.
    pub split: Split,
}

/// A catalogue of products, with queries and names of types. See the [module](super).
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    pub(super) seed: u64,
    items: Vec<Item>,
    by_text: BTreeMap<(EntityKind, String), usize>,
}

impl Market {
    /// Draws a market; the same configuration gives the same market.
    pub fn generate(config: &MarketConfig) -> Result<Self, MarketError> {
        for (key, found) in [("products", config.products), ("queries", config.queries)] {
            if found == 0 {
                let expected = "1 or more";
                return Err(MarketError::OutOfRange { key, found: found.to_string(), expected });
            }
        }
        if !(1..=Node::DEPARTMENTS).contains(&config.departments) {
            return Err(MarketError::OutOfRange {
                key: "departments",
                found: config.departments.to_string(),
                expected: "a number from 1 to 6",
            });
        }
        if !(0.0..=1.0).contains(&config.noise) {
            return Err(MarketError::OutOfRange {
                key: "noise",
                found: config.noise.to_string(),
                expected: "a number from 0 to 1",
            });
        }
        let mut market = Self { seed: config.seed, items: Vec::new(), by_text: BTreeMap::new() };
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        market.add_types(config.departments, &mut rng);
        let products = market.add_products(config, &mut rng);
        market.add_queries(config, &products, &mut rng);
        Ok(market)
    }

    /// Every entity: types, then product offers, then queries.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item with this kind and text (a product's title).
    pub fn find(&self, kind: EntityKind, text: &str) -> Option<&Item> {
        self.by_text.get(&(kind, text.to_owned())).map(|&index| &self.items[index])
    }

    /// The grade of a pair of this market's entities by the standard rule; `None` if one of them is not in
    /// the market.
    pub fn truth(&self, pair: &Pair) -> Option<Grade> {
        let (left, right) = pair.task.kinds();
        let left = self.find(left, pair.left.text())?;
        let right = self.find(right, pair.right.text())?;
        Some(Rule::Standard.grade(pair.task, &left.meaning, &right.meaning))
    }

    fn add_types(&mut self, departments: usize, rng: &mut ChaCha8Rng) {
        let nodes = Node::leaves(departments).into_iter().chain(Node::categories(departments));
        let mut labels: Vec<(Node, String)> = nodes
            .flat_map(|node| surface::labels(node).into_iter().map(move |label| (node, label)))
            .collect();
        labels.shuffle(rng);
        for (index, (node, label)) in labels.into_iter().enumerate() {
            self.add(Item {
                kind: EntityKind::Type,
                name: format!("type-{index}"),
                entity: label.into(),
                meaning: Meaning { node, details: Details::new() },
                product: None,
                split: split_of(index),
            });
        }
    }

    /// Adds the offers of all products, and returns the meaning and the split of each product.
    fn add_products(
        &mut self,
        config: &MarketConfig,
        rng: &mut ChaCha8Rng,
    ) -> Vec<(Meaning, Split)> {
        // Products get the types in turn, so that small markets have all types. The order of types differs
        // from round to round, so that every split has all types.
        let leaves = Node::leaves(config.departments);
        let mut turns: Vec<Node> = Vec::new();
        let mut known = BTreeSet::new();
        let mut products = Vec::with_capacity(config.products);
        for index in 0..config.products {
            if turns.is_empty() {
                turns.clone_from(&leaves);
                turns.shuffle(rng);
            }
            let node = turns.pop().unwrap_or(leaves[0]);
            let (meaning, split) = (new_product(node, &mut known, rng), split_of(index));
            let first_style = rng.random_range(0..12);
            for offer in 0..rng.random_range(2..=3) {
                self.add(Item {
                    kind: EntityKind::Product,
                    name: format!("product-{index}-{}", ["a", "b", "c"][offer]),
                    entity: surface::offer(&meaning, first_style + offer, rng).into(),
                    meaning: meaning.clone(),
                    product: Some(index),
                    split,
                });
            }
            products.push((meaning, split));
        }
        products
    }

    fn add_queries(
        &mut self,
        config: &MarketConfig,
        products: &[(Meaning, Split)],
        rng: &mut ChaCha8Rng,
    ) {
        let mut home: BTreeMap<Meaning, Split> = BTreeMap::new();
        let (mut added, mut failures) = (0, 0);
        while added < config.queries && failures < 1000 {
            failures += 1; // A query that is added resets the count.
            let index = rng.random_range(0..products.len());
            let (product, split) = &products[index];
            let intent = intent(product, rng);
            if home.entry(intent.clone()).or_insert(*split) != split {
                continue;
            }
            // Several queries have the same intent, so that query-query has pairs of grade 2.
            for _ in 0..rng.random_range(1..=3).min(config.queries - added) {
                let text = surface::query(&intent, config.noise, rng);
                let new = self.add(Item {
                    kind: EntityKind::Query,
                    name: format!("query-{added}"),
                    entity: text.into(),
                    meaning: intent.clone(),
                    product: Some(index),
                    split: *split,
                });
                if new {
                    added += 1;
                    failures = 0;
                }
            }
        }
    }

    /// Adds an item unless an item of its kind has the same text. True if the item was added.
    fn add(&mut self, item: Item) -> bool {
        let key = (item.kind, item.entity.text().to_owned());
        let new = !self.by_text.contains_key(&key);
        if new {
            self.by_text.insert(key, self.items.len());
            self.items.push(item);
        }
        new
    }
}

/// The split of the item with this index: 70 % train, 10 % dev and 20 % test, spread evenly over the indices.
fn split_of(index: usize) -> Split {
    match index % 10 {
        3 | 8 => Split::Test,
        6 => Split::Dev,
        _ => Split::Train,
    }
}

/// A product of this type that is different from all earlier ones.
fn new_product(node: Node, known: &mut BTreeSet<Meaning>, rng: &mut ChaCha8Rng) -> Meaning {
    let (department, category) = node.parts();
    let mut attempt: usize = 0;
    loop {
        let mut details = Details::new();
        details.insert("brand", pick(department.brands, rng).into());
        for attribute in category.attributes {
            let value = attribute.values[rng.random_range(0..attribute.values.len())][0];
            details.insert(attribute.name, value.into());
        }
        // If products keep repeating earlier ones, lines get numbers.
        let line = pick(LINES, rng);
        let line = match attempt / 8 {
            0 => line.into(),
            _ => format!("{line} {}", rng.random_range(2..3 + attempt / 8)).into(),
        };
        details.insert("line", line);
        let meaning = Meaning { node, details };
        if known.insert(meaning.clone()) {
            return meaning;
        }
        attempt += 1;
    }
}

/// The intent of a query for which `product` is relevant: the product's type, and up to three of its details.
fn intent(product: &Meaning, rng: &mut ChaCha8Rng) -> Meaning {
    let mut names: Vec<_> =
        product.details.keys().filter(|&&name| name != "line" || rng.random_bool(0.2)).collect();
    names.shuffle(rng);
    names.truncate([0, 1, 1, 1, 1, 1, 2, 2, 2, 3][rng.random_range(0..10)]);
    let details = names.into_iter().map(|&name| (name, product.details[name].clone())).collect();
    Meaning { node: product.node, details }
}
