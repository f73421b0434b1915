//! Builds a benchmark from a recipe: `build_public_six RECIPE SOURCE OUT`.
//!
//! `sextant data build` does the same on the command line; this example needs only this crate.

use sextant_data::build::{Recipe, build};
use sextant_data::{Dataset, ReadOptions, check};
use sextant_files::Existing;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, source, out] = arguments.as_slice() else {
        return Err("usage: build_public_six RECIPE SOURCE OUT".into());
    };
    let recipe = Recipe::read(Path::new(recipe))?;
    let report = build(&recipe, Path::new(source), Path::new(out), Existing::Refuse)?;
    let dataset = Dataset::load(out, &ReadOptions::default())?;
    let mut stdout = std::io::stdout().lock();
    std::io::Write::write_all(&mut stdout, serde_json::to_string_pretty(&report)?.as_bytes())?;
    std::io::Write::write_all(&mut stdout, format!("\n{}\n", check(&dataset)).as_bytes())?;
    Ok(())
}
