//! The rules that turn typed records into graded pairs, one file per task.
//!
//! Deriving has two phases. In the first, every rule file *ties* its entities: it counts them, binds
//! those that must share a split, and states preferences ([`crate::split`]). In the second, when the
//! split of every entity is known, every rule file makes candidates: pairs whose entities are in the same
//! split, negatives included. There are more candidates than are wanted; [`select`] removes duplicates
//! and contradictions and takes rows by quotas. All randomness is seeded by the recipe's seed and the
//! rule's name.

mod draw;
mod product_kinds;
mod product_product;
mod product_product_pricerunner;
mod product_type;
mod query_product;
mod query_query;
mod query_query_home_depot;
mod query_type;
mod query_type_partners;
mod recipe;
mod select;
mod taxonomy;
mod type_type;
mod words;

pub use recipe::{
    NegativeRule, ProductProductRule, QueryProductRule, QueryQueryRule, QueryTypeRule, Recipe,
    RecipeError, SplitRule,
};
pub use select::Selection;
pub use taxonomy::TypeText;

pub(crate) use select::select;

use crate::normalize;
use crate::sources::Sources;
use crate::split::{Assignment, Grouping, seeded_hash};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sextant_core::{Entity, Example, Grade, LabelOrigin, Split, Task};

/// The inputs of every rule.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) recipe: &'a Recipe,
    pub(crate) splits: &'a Assignment,
}

impl Context<'_> {
    /// A random generator for the rule `name`, independent of those of other rules.
    fn rng(&self, name: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(seeded_hash(self.recipe.seed, name))
    }
}

/// Decides the split of every entity.
pub(crate) fn assign(sources: &Sources, recipe: &Recipe) -> Assignment {
    let mut grouping = Grouping::default();
    query_product::tie(&mut grouping, sources, recipe);
    query_query::tie(&mut grouping, sources);
    product_product::tie(&mut grouping, sources);
    product_type::tie(&mut grouping, sources);
    type_type::tie(&mut grouping, sources);
    grouping.assign(recipe.seed, recipe.split.shares(), recipe.split.max_group_share)
}

/// The candidates of one task.
pub(crate) fn candidates(task: Task, context: Context<'_>) -> Vec<Example> {
    match task {
        Task::QueryProduct => query_product::candidates(context),
        Task::QueryType => query_type::candidates(context),
        Task::QueryQuery => query_query::candidates(context),
        Task::ProductProduct => product_product::candidates(context),
        Task::ProductType => product_type::candidates(context),
        Task::TypeType => type_type::candidates(context),
    }
}

/// The name of a query as an entity. Texts that differ only in case or white space have the same name.
fn query_name(text: &str) -> String {
    format!("query:{}", normalize(text))
}

/// The name of a product as an entity, by its title.
fn product_name(title: &str) -> String {
    format!("product:{}", normalize(title))
}

/// Where a row comes from.
#[derive(Clone, Copy)]
struct Provenance {
    task: Task,
    source: &'static str,
    origin: LabelOrigin,
}

impl Provenance {
    const fn derived(task: Task, source: &'static str) -> Self {
        Self { task, source, origin: LabelOrigin::Derived }
    }

    /// A row of this provenance; `group` is the name of the entity for which the row was made.
    fn row(
        self,
        left: impl Into<Entity>,
        right: impl Into<Entity>,
        grade: Grade,
        group: &str,
        split: Split,
    ) -> Example {
        let mut row = Example::new(self.task, left, right, grade);
        row.group = Some(group.to_owned());
        row.source = Some(self.source.to_owned());
        row.origin = Some(self.origin);
        row.split = Some(split);
        row
    }
}
