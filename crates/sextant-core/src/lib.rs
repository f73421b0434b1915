//! The words that every Sextant crate speaks: six [`Task`]s over three [`EntityKind`]s, three
//! [`Grade`]s, the [`Example`] that carries a labelled pair and the [`Prediction`] that answers it.
//!
//! Nothing here computes: no tensors, no files, no randomness. A type belongs here when two crates
//! must agree on its meaning, and only then; [`guarded`], a function, is here for the same reason.

mod borrowed;
mod entity;
mod example;
mod grade;
mod guard;
mod name;
mod prediction;
mod task;

pub use borrowed::{EntityRef, PairRef};
pub use entity::{Entity, Product};
pub use example::{Example, LabelOrigin, Pair, Split};
pub use grade::Grade;
pub use guard::{guarded, is_guarded};
pub use name::UnknownName;
pub use prediction::Prediction;
pub use task::{EntityKind, Task};
