//! The synthetic market: a small plausible catalogue in which the true grade of every pair is known. It is
//! for demos, tests and experiments with methods.
//!
//! [`Market::generate`] draws products and their offers (with titles as of different shops), queries and
//! names of types, from a fixed tree of six departments, eighteen categories and 72 leaf types.
//! [`MarketConfig::departments`] says how many of the departments are used, which decides most about the
//! difficulty. [`Market::examples`] pairs the entities for all six tasks. The same configuration gives the
//! same rows on every machine.
//!
//! # The truth
//! Every entity has a [`Meaning`]: a node of the tree and details. A product's details are its brand,
//! its line (a model name) and two attributes. A query's details are those that it asks for. A name of a
//! type has no details. One [`Rule`] grades all six tasks:
//!
//! | types | details | grade |
//! |---|---|---|
//! | same node, whatever its name | all agree | 2 |
//! | same node | some disagree | 1 |
//! | parent and child, or siblings | (not compared) | 1 |
//! | any others | (not compared) | 0 |
//!
//! Details agree
//! * in `query-product` if the product has all details that the query asks for;
//! * in `query-query` if both queries ask for the same details;
//! * in `product-product` if all details are equal, which means that both are offers of one product;
//! * always in `query-type`, `product-type` and `type-type`.
//!
//! So the grades of a query, a product and a type never contradict each other.
//!
//! # What makes the tasks hard
//! Equivalent names share few words ("sofa", "couch", "settee"); names of different branches share
//! many ("coffee table", "coffee maker"). Irrelevant pairs often share a brand, a colour or the
//! department. Descriptions name other types, and titles name things that come "with" the product. Queries
//! are reordered, in the plural, abbreviated and mistyped. Yet every detail can be read in the text: a
//! title states all details of its product, and a query all details that it asks for.
//!
//! # Splits
//! Products are divided 70/10/20 into train, dev and test. A query is in the split of the product from
//! which its intent (type and details) was drawn, and an intent occurs in one split only. Names of types are
//! divided in the same way. So no entity and no group is in two splits, while nearly all words are in all
//! splits.
//!
//! # Controls for experiments
//! [`ExampleConfig::rows`] sets the number of rows of each task ([`ExampleConfig::skewed`] gives
//! query-product ten times as many as type-type), and [`ExampleConfig::conflict`] makes one task grade by a
//! rule that contradicts the other tasks.

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
