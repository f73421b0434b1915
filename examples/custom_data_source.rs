//! Train on rows that are in no file but come from a database, a queue or a program of yours. A source is
//! anything that can give its rows as often as needed, each time in the same order.
//!
//! ```sh
//! cargo run --example custom_data_source
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, recipe, train};
use sextant_core::{Example, Grade, Split, Task};
use sextant_data::RowOrigin;
use sextant_train::{ExampleSource, SourceRow, TrainError, Visit};
use std::borrow::Cow;

/// Clicks on a shop's search results, as the shop's log records them.
struct ClickLog {
    clicks: Vec<Click>,
}

struct Click {
    query: String,
    category: &'static str,
    clicked: bool,
}

impl ClickLog {
    fn generate() -> Self {
        let categories = ["lamps", "sofas", "hoses", "drills"];
        let click = |i: usize| Click {
            query: format!("{} {}", ["red", "small", "cheap"][i % 3], categories[i % 4]),
            category: categories[(i / 4) % 4],
            clicked: i % 4 == (i / 4) % 4,
        };
        Self { clicks: (0..400).map(click).collect() }
    }
}

impl ExampleSource for ClickLog {
    /// How messages name the place of a row: `click log, entry 17`.
    fn files(&self) -> Vec<String> {
        vec!["click log, entry".to_owned()]
    }

    fn visit(&self, splits: &[Split], visit: &mut Visit<'_>) -> Result<(), TrainError> {
        for (entry, click) in self.clicks.iter().enumerate() {
            // Real logs are split by query, so that no query is in two splits; see `split_and_check`.
            let split = if entry % 5 == 0 { Split::Dev } else { Split::Train };
            if !splits.contains(&split) {
                continue;
            }
            let grade = if click.clicked { Grade::Relevant } else { Grade::Irrelevant };
            let (query, category) = (click.query.as_str(), click.category);
            let example = Example::new(Task::QueryType, query, category, grade);
            let origin = RowOrigin::new(0, entry as u64 + 1);
            visit(SourceRow { split, origin, example: Cow::Owned(example) })?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let recipe = recipe(&["tasks=[\"query-type\"]", "model.backbone.vocab_size=100"])?;
    let bundle = train(recipe, &ClickLog::generate(), place.path().join("run"))?;
    println!("trained on the log: {}", bundle.join("bundle.json").is_file());
    Ok(())
}
