//! Token lengths of real rows, for benchmarks.

use clap::Args;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sextant_data::{Dataset, Labels, ReadOptions};
use sextant_model::backbone::Backbone;
use sextant_text::{Encoder, TextConfig};
use std::path::PathBuf;

/// `lengths`
#[derive(Debug, Args)]
pub(crate) struct Lengths {
    /// A data set
    data: PathBuf,
    /// A backbone's folder
    model: PathBuf,
    /// How many rows of its training part to take at random
    #[arg(long, default_value_t = 256)]
    rows: usize,
    /// Cut longer rows
    #[arg(long, default_value_t = 96)]
    max_tokens: usize,
}

impl Lengths {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let options = ReadOptions { labels: Labels::Required, ..ReadOptions::default() };
        let mut examples = Dataset::load(&self.data, &options)?.train;
        examples.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        examples.truncate(self.rows);
        let tokenizer = Backbone::open(&self.model)?.tokenizer()?;
        let config = TextConfig { max_tokens: self.max_tokens, ..TextConfig::default() };
        let encoder = Encoder::new(tokenizer, config)?;
        for example in &examples {
            println!("{}", encoder.encode(&example.pair)?.len());
        }
        Ok(())
    }
}
