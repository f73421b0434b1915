//! Score a few pairs, each of which gets a result of its own:
//!
//! ```sh
//! cargo run --example score_pairs                             # with a small model that is trained first
//! cargo run --example score_pairs -- runs/mine/bundle int8    # with a bundle or an ensemble of yours
//! ```
#![allow(clippy::print_stdout, reason = "an example")]
#![allow(dead_code, reason = "each example uses a part of what they share")]

mod common;

use common::{Failure, market, small_model};
use sextant_core::{PairRef, Product, Task};
use sextant_infer::{Scorer, Threads};
use sextant_model::Device;
use std::ops::ControlFlow;
use std::path::Path;

fn main() -> Result<(), Failure> {
    say_memory("empty");
    let folder = tempfile::tempdir()?;
    let mut arguments = std::env::args().skip(1);
    let scorer = match arguments.next() {
        Some(bundle) => {
            let precision = arguments.next().unwrap_or_else(|| "f32".to_owned()).parse()?;
            Scorer::open(Path::new(&bundle), &Device::cpu(), precision)?
        }
        None => small_model(&market()?, folder.path())?,
    };
    say_memory("opened");
    // Small requests are answered soonest on the calling thread.
    let scorer = scorer.with_threads(Threads::Caller)?;
    scorer.warm_up()?;
    say_memory("warmed up");

    let sofa = Product {
        title: "Red velvet sofa, three seats".into(),
        brand: Some("Acme".into()),
        ..Product::default()
    };
    let pairs = [
        PairRef::new(Task::QueryProduct, "red sofa", &sofa),
        PairRef::new(Task::QueryType, "red sofa", "Sofas & Couches"),
        PairRef::new(Task::TypeType, "Sofas & Couches", "Garden Hoses"),
        PairRef::new(Task::QueryType, "red sofa", " "), // has no text: an error for this row alone
    ];
    let (mut asked, mut rows) = (Vec::new(), Vec::new());
    for (pair, row) in pairs.iter().zip(scorer.encode_each(&pairs)) {
        match row {
            Ok(row) => {
                asked.push(pair);
                rows.push(row);
            }
            Err(error) => println!("{pair}: {error}"),
        }
    }
    let answers = scorer.answer(&rows, |_| ControlFlow::Continue(()))?;
    for ((pair, row), answer) in asked.iter().zip(&rows).zip(answers) {
        match answer {
            Ok(prediction) => println!(
                "{pair}: {} ({:.3}), {} tokens",
                prediction.grade(),
                prediction.score(),
                row.tokens()
            ),
            Err(fault) => println!("{pair}: {fault}"),
        }
    }
    Ok(())
}

/// Prints how much memory the process holds. Only Linux reports it; elsewhere nothing is printed.
fn say_memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmRSS:")) {
        println!("{what}: {}", line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "));
    }
}
