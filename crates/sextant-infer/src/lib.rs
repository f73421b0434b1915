//! Opens a trained model and answers pairs: what a server, a command line and other languages stand on.
//!
//! A [`Scorer`] is a bundle or an ensemble, whichever its folder holds. It answers in two steps, which a
//! server takes apart. [`Scorer::encode_each`] turns borrowed pairs ([`PairRef`](sextant_core::PairRef))
//! into rows of tokens, each with a result of its own and a length that a batcher can see.
//! [`Scorer::answer`] runs rows, again with a result for each, and can be stopped between packs.
//!
//! An ensemble is a folder whose [`EnsembleManifest`] names bundles and the rule by which they vote. A
//! bundle is treated as an ensemble of one.
//!
//! [`Threads`] says who computes: the threads of the process, a pool of the scorer's own, or the calling
//! thread alone. The bits of the answers are the same. Any number of threads may ask one scorer at once.
//!
//! What stays in memory is what answering reads: the tables of embeddings in 32 bits, the weights of
//! linear layers once, in the form that the precision multiplies by, and the tokenizer. The originals of
//! packed weights are freed while the bundle is opened. Measured figures are in `docs/performance.md`.
//!
//! Nothing here knows files of rows or tables: `sextant-score` brings both on top of this crate.

mod manifest;
mod members;
mod row;
mod scorer;
mod threads;
mod warm_up;

pub use manifest::{EnsembleManifest, Member};
pub use row::ScorerRow;
pub use scorer::Scorer;
pub use threads::Threads;
