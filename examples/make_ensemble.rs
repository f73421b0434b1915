//! Combine three models that differ in their seed into one ensemble that votes:
//!
//! ```sh
//! cargo run --example make_ensemble
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, answered, market, recipe, train};
use sextant_eval::{Scored, Vote};
use sextant_files::Existing;
use sextant_infer::{EnsembleManifest, Scorer};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let dataset = market()?;
    let mut bundles = Vec::new();
    for seed in 1..=3 {
        let recipe = recipe(&[&format!("seed={seed}")])?;
        bundles.push(train(recipe, &dataset, place.path().join(format!("seed-{seed}")))?);
    }

    // An ensemble is a folder with a manifest, which names the bundles, with their hashes, and the rule of
    // the vote.
    let folder = place.path().join("ensemble");
    EnsembleManifest::of(&bundles, Vote::Majority, &folder)?.write(&folder, Existing::Refuse)?;

    // An ensemble is opened in the same way as a bundle.
    for path in bundles.iter().chain([&folder]) {
        let scorer = Scorer::open(path, &Device::cpu(), ScorePrecision::F32)?;
        let rows = answered(&scorer, &dataset)?;
        let right = rows.iter().filter(|row| Scored::is_correct(row)).count();
        let name = path.strip_prefix(place.path())?.display();
        println!("{name}: {right} of {} test rows right", rows.len());
    }
    Ok(())
}
