//! Passes in bf16, for every family. The tests check that they run at all, because burn panics if number
//! formats are mixed, and that their results are close to those in `f32`.

use crate::families::{DECODERS, FAMILIES};
use crate::lora::{ADAPTER, adapted, golden_pack, lora, stirred};
use crate::support::{floats, gradients};
use burn::module::Module;
use burn::tensor::Tensor;
use sextant_kernels::{FrozenFormat, Precision, ScorePrecision};
use sextant_model::{
    ForwardContext, LoraConfig, PackInput, PackedWeights, RelevanceModel, Routing,
};
use std::sync::Arc;

/// The Euclidean distance of `a` and `b`, divided by the norm of `b`.
fn deviation(a: &[f32], b: &[f32]) -> f64 {
    let length =
        |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let difference = length(&mut a.iter().zip(b).map(|(a, b)| a - b));
    difference / length(&mut b.iter().copied()).max(1e-12)
}

/// Logits, and all gradients one after another.
fn run(model: &RelevanceModel, family: &str, precision: Precision) -> (Vec<f32>, Vec<f32>) {
    let input = PackInput::new(&golden_pack(family), &model.device()).unwrap();
    let logits = model.forward(&input, &ForwardContext::inference(precision)).unwrap();
    let found = logits.clone().powi_scalar(2).sum().backward();
    let all = gradients(model, &found).into_values().flat_map(|gradient| gradient.data);
    (floats(logits), all.collect())
}

fn scored(model: &RelevanceModel, family: &str, precision: ScorePrecision) -> Vec<f32> {
    let model = model.valid();
    let input = PackInput::new(&golden_pack(family), &model.device()).unwrap();
    let weights = Arc::new(PackedWeights::new(&model, precision));
    let context = ForwardContext::scoring(weights);
    let logits: Tensor<2> = model.forward(&input, &context).unwrap();
    floats(logits)
}

fn check(family: &str, routing: Routing, lora: Option<LoraConfig>) {
    let what = format!("{family} {} {}", routing.label(), lora.is_some());
    let model = stirred(adapted(family, routing, lora));
    let (exact, slopes) = run(&model, family, Precision::F32);
    let (logits, rounded) = run(&model, family, Precision::Bf16);
    assert!(rounded.iter().all(|x| x.is_finite()), "{what}");
    let far = (deviation(&logits, &exact), deviation(&rounded, &slopes));
    // DistilBERT's head has a ReLU: rounding may move a sum near 0 to the other side of it.
    let bound = if family == "distilbert" { 0.5 } else { 0.1 };
    assert!(far.0 < 0.03 && far.1 < bound, "{what}: logits and gradients off by {far:?}");
    assert!(far.0 > 0.0 && far.1 > 0.0, "{what}: nothing was rounded");
    let bounds = [
        (ScorePrecision::Bf16, 0.03),
        (ScorePrecision::Int8, 0.1),
        (ScorePrecision::Int8Weights, 0.05),
        (ScorePrecision::Int4Weights, 0.5),
    ];
    for (precision, bound) in bounds {
        let far = deviation(&scored(&model, family, precision), &exact);
        assert!(far < bound, "{what}: scored in {precision}, off by {far}");
    }
}

#[test]
fn every_family_runs_in_bf16() {
    for family in FAMILIES.into_iter().chain(DECODERS) {
        check(family, Routing::mhp(1), None);
    }
}

#[test]
fn adapters_run_in_bf16() {
    for family in ["bert", "deberta_v2", "llama", "qwen3", "gemma2"] {
        check(family, ADAPTER, Some(lora(FrozenFormat::F32)));
    }
}
