//! Opens a trained model and answers pairs. Servers, the command line and bindings for other languages are
//! built on this crate.
//!
//! A [`Scorer`] is an opened bundle or ensemble, whichever its folder holds. It answers in two steps, which a
//! server may call separately. [`Scorer::encode_each`] turns borrowed pairs
//! ([`PairRef`](sextant_core::PairRef)) into rows of tokens; each pair has a result of its own, and each row
//! has a length by which a server can form batches. [`Scorer::answer`] computes the answers of rows, again with
//! a result for each, and can be stopped between packs.
//!
//! An ensemble is a folder whose [`EnsembleManifest`] names bundles and the rule by which they vote. A bundle
//! is treated as an ensemble of one. The manifest may divide the members into two stages of a [`Cascade`].
//!
//! [`Threads`] decides which threads compute: the threads of the process, a pool of the scorer's own, or the
//! calling thread alone. The answers have the same bits in all cases. Several threads may use one scorer at the
//! same time.
//!
//! A scorer keeps in memory only what it needs for answering: the embedding tables in 32 bits, the weights of
//! linear layers once, in the form that the precision multiplies by, and the tokenizer. The original of each
//! packed weight is freed while the bundle is opened. Measurements are in `docs/performance.md`.
//!
//! This crate reads no files of rows and no tables: `sextant-score` does both on top of it.

mod about;
mod cascade;
mod manifest;
mod members;
mod row;
mod scorer;
mod threads;
mod warm_up;

pub use about::{AboutModel, tasks_in};
pub use cascade::{Cascade, confidence};
pub use manifest::{EnsembleManifest, Member};
pub use row::{ScorerRow, Voted};
pub use scorer::Scorer;
pub use threads::Threads;
