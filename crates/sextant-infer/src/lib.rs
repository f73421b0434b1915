//! Opens a trained model and answers pairs: what a server, a command line and other languages stand on.
//!
//! A [`Scorer`] is a bundle or an ensemble, whichever its folder holds. It turns pairs into rows of
//! tokens, runs the rows, and gives one prediction for each. An ensemble is a folder whose
//! [`EnsembleManifest`] names bundles and the rule by which they vote.
//!
//! Nothing here knows files of rows or tables: `sextant-score` brings both on top of this crate.

mod ensemble;
mod manifest;
mod scorer;

pub use ensemble::Ensemble;
pub use manifest::{EnsembleManifest, Member};
pub use scorer::{Scorer, ScorerRow};
