//! The types that all Sextant crates share: six [`Task`]s over three [`EntityKind`]s, three [`Grade`]s, the
//! [`Example`], which is a labelled pair, and the [`Prediction`], which is a model's answer to a pair.
//!
//! Nothing here computes: there are no tensors, no files and no randomness. A type belongs here only if two
//! crates must agree on its meaning. The function [`guarded`] is here for the same reason.

mod behaviour;
mod borrowed;
mod decision;
mod entity;
mod example;
mod grade;
mod guard;
mod name;
mod prediction;
mod product_json;
mod task;
mod unrepeated;

pub use behaviour::{Behaviour, BehaviourProblem, Event};
pub use borrowed::{EntityRef, PairRef};
pub use decision::{DecisionRule, Decisions};
pub use entity::{Entity, Product};
pub use example::{Example, LabelOrigin, Pair, Split};
pub use grade::Grade;
pub use guard::{guarded, is_guarded};
pub use name::UnknownName;
pub use prediction::Prediction;
pub use product_json::ProductProblem;
pub use task::{EntityKind, Task};
pub use unrepeated::Unrepeated;
