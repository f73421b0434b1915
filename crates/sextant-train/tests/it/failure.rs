//! What cannot work is said, not met with a panic.

use crate::common::{Silent, folder, plan, prepared};
use burn::tensor::Device;
use sextant_data::Dataset;
use sextant_train::{Prepared, TrainError, Trainer};
use tempfile::TempDir;

#[test]
fn all_mistakes_of_a_recipe_are_reported_at_once() {
    let error = plan(&[
        "name=a/b",
        "optimizer.learning_rate=0.0",
        "optimizer.layer_decay=1.5",
        "optimizer.beta2=1.0",
        "schedule.warmup=2.0",
        "batch.rows=0",
        "batch.sampling={temperature=0.0}",
        "dev.every=0",
        "model.backbone=\"elsewhere\"",
    ])
    .unwrap_err();
    let TrainError::Plan(mistakes) = &error else { panic!("{error}") };
    let keys = [
        "name",
        "optimizer.learning_rate",
        "optimizer.layer_decay",
        "optimizer.beta2",
        "schedule.warmup",
        "batch.rows",
        "batch.sampling.temperature",
        "dev.every",
        "model.backbone",
    ];
    for key in keys {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(key)), "{key} in {error}");
    }
    assert_eq!(mistakes.len(), keys.len(), "{error}");
}

#[test]
fn shapes_that_cannot_be_built_are_mistakes_too() {
    for setting in [
        "model.routing.private_layers=5",
        "model.backbone.attention_heads=3",
        "model.head_dropout=1.5",
        "model.backbone.hidden_size=0",
        "text.max_tokens=0",
    ] {
        assert!(matches!(plan(&[setting]), Err(TrainError::Plan(_))), "{setting}");
    }
}

#[test]
fn tasks_without_rows_are_named() {
    let error =
        Prepared::new(plan(&[]).unwrap(), &Dataset::default(), &Device::flex()).unwrap_err();
    let TrainError::Plan(mistakes) = &error else { panic!("{error}") };
    assert_eq!(mistakes.len(), 12, "{error}");
    assert!(error.to_string().contains("no dev rows of task `query-type`"), "{error}");
}

#[test]
fn freezing_what_does_not_exist_is_refused() {
    let plan = plan(&["model.freeze=[\"trunk.9\"]"]).unwrap();
    let error = Prepared::new(plan, crate::common::market(), &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("trunk.9"), "{error}");
}

#[test]
fn divergence_is_an_error() {
    let temporary = TempDir::new().unwrap();
    let prepared = prepared(&[
        "optimizer.learning_rate=1e30",
        "optimizer.weight_decay=0.0",
        "dev.every=100",
        "schedule.warmup=0.0",
    ]);
    let error =
        Trainer::new(prepared, folder(&temporary), false).unwrap().run(&mut Silent).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { step: 2.., .. }), "{error}");
}
