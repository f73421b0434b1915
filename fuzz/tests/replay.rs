//! Every reader answers seeds, inputs that once did harm, and random changes of both: with a value or an
//! error, never with a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sextant_fuzz::{Scratch, TARGETS, Target, mutated};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Changed inputs for each target.
const CHANGED: usize = 300;

fn findings(target: &Target) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(target.findings()) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Whether the reader took the bytes.
fn check(target: &Target, scratch: &Scratch, bytes: &[u8]) -> bool {
    let answered = catch_unwind(AssertUnwindSafe(|| (target.run)(scratch, bytes)));
    answered.unwrap_or_else(|_| {
        let path = std::env::temp_dir().join(format!("sextant-finding-{}", target.name));
        std::fs::write(&path, bytes).unwrap();
        panic!("`{}` panicked; the input is {}", target.name, path.display());
    })
}

fn replay(name: &str) {
    let target = sextant_fuzz::target(name).unwrap();
    let scratch = Scratch::new().unwrap();
    let mut inputs = (target.seeds)();
    // Changes of an input that the reader refuses at once would not reach far into it.
    assert!(check(target, &scratch, &inputs[0]), "{name} refuses its first seed");
    inputs.extend(findings(target));
    for bytes in &inputs {
        check(target, &scratch, bytes);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..CHANGED {
        let (one, other) = (inputs.choose(&mut rng).unwrap(), inputs.choose(&mut rng).unwrap());
        let bytes = mutated(&mut rng, one, other);
        check(target, &scratch, &bytes);
    }
}

macro_rules! replays {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { replay(stringify!($name)); })+

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),+]);
        }
    };
}

replays!(
    separated,
    jsonl,
    parquet,
    judgements,
    map,
    safetensors,
    gguf,
    torch,
    pickle,
    onnx,
    index,
    tokenizer,
    config,
    adapter,
    bundle,
    ensemble,
    recipe,
    lab,
    ledger,
    checkpoint,
    prompt,
    answers,
    report,
);
