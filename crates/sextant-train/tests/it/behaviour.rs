//! Models that learn from clicks in place of grades.

use crate::common::{Silent, dataset, folder, market, plan};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sextant_core::{Behaviour, Example, Grade, Split, Task};
use sextant_files::Existing;
use sextant_model::Device;
use sextant_train::{Encoded, Prepared, Start, TrainError, Trainer};
use tempfile::TempDir;

const IMPRESSIONS: u32 = 400;

/// Pairs whose grade can be read from one word. Those for training are shown by a bad ranking, relevant ones low:
/// clicks follow if a pair is looked at, and then by its grade.
fn shown(rows: usize, split: Split, debiased: bool) -> Vec<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    (0..rows)
        .map(|i| {
            let (name, grade, looked_at, rate) = match i % 2 {
                0 => ("sofa", Grade::Irrelevant, 1.0, 0.05),
                _ => ("drill", Grade::Relevant, 0.125, 0.6),
            };
            let clicked = |_: &u32| rng.random_bool(looked_at) && rng.random_bool(rate);
            let clicks = (0..IMPRESSIONS).filter(clicked).count() as f64;
            let counts = [Some(clicks), None, None];
            let behaviour =
                Behaviour::new(f64::from(IMPRESSIONS), counts, debiased.then_some(looked_at));
            let query = ["red", "blue", "green", "cheap"][i / 2 % 4];
            Example {
                split: Some(split),
                behaviour: (split == Split::Train).then(|| Box::new(behaviour.unwrap())),
                ..Example::new(Task::QueryType, query, name, grade)
            }
        })
        .collect()
}

const SETTINGS: [&str; 9] = [
    "tasks=[\"query-type\"]",
    "schedule.steps=60",
    "dev.every=20",
    "batch.rows=16",
    "optimizer.learning_rate=5e-3",
    "model.routing.private_layers=0",
    // Grades do not count.
    "behaviour.share=1.0",
    "behaviour.confidence=0.0",
    "behaviour.rates={ clicks = [0.05, 0.2, 0.6] }",
];

fn accuracy(debiased: bool) -> f64 {
    let examples = [shown(96, Split::Train, debiased), shown(30, Split::Dev, debiased)].concat();
    let prepared =
        Prepared::new(plan(&SETTINGS).unwrap(), &dataset(examples), &Device::cpu()).unwrap();
    let temporary = TempDir::new().unwrap();
    let trainer = Trainer::new(prepared, folder(&temporary), Start::New, Existing::Refuse);
    trainer.unwrap().run(&mut Silent).unwrap().best.unwrap().0
}

#[test]
fn clicks_teach_relevance_with_propensities_and_position_without() {
    let (debiased, naive) = (accuracy(true), accuracy(false));
    assert!(debiased > 0.9, "dev accuracy {debiased}");
    assert!(naive < 0.6, "dev accuracy {naive} without propensities");
}

fn encoded(examples: Vec<Example>, settings: &[&str]) -> Result<Encoded, TrainError> {
    let all = [&["tasks=[\"query-type\"]"], settings].concat();
    Encoded::new(plan(&all).unwrap(), &dataset(examples))
}

#[test]
fn rates_are_measured_on_graded_rows_by_inverse_propensity() {
    let examples = [shown(96, Split::Train, true), shown(30, Split::Dev, true)].concat();
    // No pair is partial, so that its rate cannot be measured.
    let error = encoded(examples.clone(), &["behaviour={}"]).unwrap_err().to_string();
    assert!(error.contains("behaviour.rates.clicks") && error.contains("`partial`"), "{error}");

    let mut partial = Example::new(Task::QueryType, "red", "lamp", Grade::Partial);
    partial.split = Some(Split::Train);
    let behaviour = Behaviour::new(1000.0, [Some(200.0), None, Some(0.0)], None).unwrap();
    partial.behaviour = Some(Box::new(behaviour));
    let examples = [vec![partial], examples].concat();
    let found = encoded(examples.clone(), &["behaviour={ events = { clicks = 1.0 } }"]).unwrap();
    let loss = found.behaviour.unwrap();
    assert_eq!(loss.events, [1.0, 0.0, 0.0]);
    let rates = loss.rates[Task::QueryType.index()][0];
    for (found, expected) in rates.into_iter().zip([0.05, 0.2, 0.6]) {
        assert!((found - expected).abs() < 0.05, "{rates:?}");
    }
    // Another least propensity, share, event or count is another run.
    let fingerprint =
        |settings: &[&str]| encoded(examples.clone(), settings).unwrap().fingerprint();
    let events = "events = { clicks = 1.0 }";
    let all = [
        fingerprint(&[]),
        fingerprint(&[&format!("behaviour={{ {events} }}")]),
        fingerprint(&[&format!("behaviour={{ {events}, least_propensity = 0.5 }}")]),
        fingerprint(&[&format!("behaviour={{ {events}, share = 0.25 }}")]),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[..i].contains(one), "{i}");
    }
}

#[test]
fn a_recipe_that_finds_no_behaviour_is_refused() {
    let error = Encoded::new(plan(&["behaviour={}"]).unwrap(), market()).unwrap_err().to_string();
    assert!(error.contains("no graded training row has `impressions`"), "{error}");
}

#[test]
fn mistakes_name_their_keys() {
    for (setting, expected) in [
        ("behaviour.share=1.5", "behaviour.share = 1.5"),
        ("behaviour.task_shares={ query-type = -1.0 }", "behaviour.task_shares.query-type"),
        ("behaviour.confidence=-1.0", "behaviour.confidence = -1"),
        ("behaviour.least_propensity=0.0", "behaviour.least_propensity = 0"),
        ("behaviour.events={ clicks = -1.0 }", "behaviour.events.clicks"),
        ("behaviour.events={ }", "at least one event"),
        ("behaviour.rates={ clicks = [0.0, 0.2, 0.3] }", "behaviour.rates.clicks"),
    ] {
        let error = plan(&[setting]).unwrap_err().to_string();
        assert!(error.contains(expected), "{setting}: {error}");
    }
}
