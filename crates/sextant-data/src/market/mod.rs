//! The synthetic market: a small believable catalogue whose truth is known, for demos, tests and
//! experiments about method.
//!
//! [`Market::generate`] draws products and their offers (titles of different shops), queries and
//! names of types, from a fixed tree of six departments, eighteen categories and 72 leaf types.
//! [`MarketConfig::departments`] says how many of the departments are open, which is the main measure
//! of difficulty. [`Market::examples`] pairs them up for all six tasks. The same configuration gives the same rows
//! on every machine.
//!
//! # The truth
//! Every entity has a [`Meaning`]: a node of the tree and details. A product's details are its
//! brand, its line (a model name) and two attributes; a query's are those that it asks for; a name
//! of a type has none. One [`Rule`] grades all six tasks:
//!
//! | types | details | grade |
//! |---|---|---|
//! | same node, whatever its name | all agree | 2 |
//! | same node | some disagree | 1 |
//! | parent and child, or siblings | (not asked) | 1 |
//! | any others | (not asked) | 0 |
//!
//! Details agree
//! * in `query-product` when the product has all that the query asks for;
//! * in `query-query` when both ask for the same; in `product-product` when all are equal, which
//!   means that both are offers of one product;
//! * always in `query-type`, `product-type` and `type-type`.
//!
//! So the grades of a query, a product and a type never contradict each other.
//!
//! # What makes it hard
//! Equivalent names share few words ("sofa", "couch", "settee"); names of different branches share
//! many ("coffee table", "coffee maker"). Irrelevant pairs often share a brand, a colour or the
//! department. Descriptions name other types; titles come "with" things. Queries are reordered, in
//! the plural, abbreviated and mistyped. Yet every detail can be read from the words: a title states
//! all, and a query never drops a word that matters.
//!
//! # Splits
//! Products are divided 70/10/20. A query belongs where the product is from which its intent was
//! drawn; one intent (type and details) occurs in one split only. Names of types are divided too.
//! So no entity, and no group, is in two splits, while nearly all words are in all of them.
//!
//! # Controls for experiments
//! [`ExampleConfig::rows`] sets each task's volume ([`ExampleConfig::skewed`] makes query-product
//! ten times as large as type-type), and [`ExampleConfig::conflict`] lets one task grade by a rule
//! at odds with the others.

mod attributes;
mod catalogue;
mod error;
mod examples;
mod generate;
mod meaning;
mod pools;
mod surface;
mod truth;

pub use error::MarketError;
pub use examples::ExampleConfig;
pub use generate::{Item, Market, MarketConfig};
pub use meaning::{Agreement, Details, Meaning, Node, Relation};
pub use truth::{Conflict, Rule};

#[cfg(test)]
mod tests;
