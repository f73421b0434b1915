//! Results do not depend on the number of threads: those of a whole training step and of scoring are the
//! same, bit for bit, in each precision.

use crate::common::prepared;
use burn::module::Module;
use sextant_kernels::{MomentFormat, Precision, ScorePrecision};
use sextant_model::{PackedWeights, RelevanceModel, Values, dump, predict_rows};
use sextant_train::{AdamW, OptimizerRecipe, StepOptions, gradients};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A model with dropout that is wide enough for every kernel to divide its work among threads.
const SETTINGS: &[&str] = &[
    "model.backbone.hidden_size=128",
    "model.backbone.intermediate_size=512",
    "model.hidden_dropout=0.1",
    "model.attention_dropout=0.1",
    "text.max_tokens=64",
];

fn on<T: Send>(threads: usize, body: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(body)
}

/// The weights after two steps of two packs each.
fn train(precision: Precision, moments: MomentFormat) -> BTreeMap<String, Values> {
    let prepared = prepared(SETTINGS);
    let mut model: RelevanceModel = prepared.model;
    let recipe = OptimizerRecipe { moments, ..OptimizerRecipe::default() };
    let mut optimizer = AdamW::new(recipe, &model);
    let loss = &prepared.plan.recipe.loss;
    let batch: Vec<_> = (0..64).map(|row| prepared.train.learn(row)).collect();
    let tokens: usize = batch.iter().map(|target| target.row.len()).sum();
    for step in 0..2 {
        let options = StepOptions {
            precision,
            loss,
            distillation: None,
            behaviour: None,
            layers: None,
            pack_tokens: tokens * 2 / 3,
            key: [1, step],
            checkpointing: false,
            divisor: None,
        };
        let found = gradients(&model, &batch, options).unwrap().gradients;
        let factor = 1.0 / found.norm();
        model = optimizer.step(model, found, 1.0, factor);
    }
    dump(&model)
}

#[test]
fn training_steps_do_not_depend_on_threads() {
    let formats = MomentFormat::ALL.map(|moments| (Precision::F32, moments));
    for (precision, moments) in formats.into_iter().chain([(Precision::Bf16, MomentFormat::F32)]) {
        let train = || train(precision, moments);
        assert!(on(1, train) == on(2, train), "{precision}, {moments}");
    }
}

#[test]
fn scores_do_not_depend_on_threads() {
    let prepared = prepared(SETTINGS);
    let model = prepared.model.valid();
    for precision in ScorePrecision::ALL {
        let score = |threads| {
            on(threads, || {
                let packed = Arc::new(PackedWeights::new(&model, precision));
                predict_rows(
                    &model,
                    &prepared.dev.views().collect::<Vec<_>>(),
                    &packed,
                    512,
                    |_| std::ops::ControlFlow::Continue(()),
                )
                .unwrap()
            })
        };
        assert!(score(1) == score(2), "{precision}");
    }
}
