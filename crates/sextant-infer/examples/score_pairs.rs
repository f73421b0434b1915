//! Answers a few pairs with a bundle or an ensemble, and says what the model takes in memory:
//!
//! ```sh
//! cargo run --release -p sextant-infer --example score_pairs -- runs/mine/bundle int8
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use sextant_core::{PairRef, Product, Task};
use sextant_infer::{Scorer, Threads};
use sextant_model::Device;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let folder = folder.ok_or("name the folder of a bundle or an ensemble")?;
    let precision = arguments.next().unwrap_or_else(|| "f32".to_owned()).parse()?;
    // Linux keeps the figure; elsewhere nothing is said of it.
    let before = resident_kilobytes();
    let scorer = Scorer::open(&folder, &Device::cpu(), precision)?.with_threads(Threads::Caller)?;
    say_memory("opened", before);
    scorer.warm_up()?;
    say_memory("warmed up", before);

    let sofa = Product {
        title: "Red velvet sofa, three seats".into(),
        brand: Some("Acme".into()),
        ..Product::default()
    };
    let pairs = [
        PairRef::new(Task::QueryProduct, "red sofa", &sofa),
        PairRef::new(Task::QueryType, "red sofa", "Sofas & Couches"),
        PairRef::new(Task::TypeType, "Sofas & Couches", "Garden Hoses"),
        PairRef::new(Task::QueryType, "red sofa", " "), // has no text
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

fn say_memory(what: &str, before: Option<u64>) {
    if let (Some(before), Some(now)) = (before, resident_kilobytes()) {
        println!("{what}: {} kB in memory, beside the empty process", now.saturating_sub(before));
    }
}

fn resident_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
