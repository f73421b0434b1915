//! A model whose weights were packed and freed gives the same bits as the whole model. Of its own parameters
//! it keeps only those that are read unpacked.

use crate::support::{rows, spec};
use burn::tensor::Device;
use sextant_core::{Prediction, Task};
use sextant_kernels::{FrozenFormat, ScorePrecision};
use sextant_model::{
    BackboneConfig, BlockConfig, LoraConfig, MixtureConfig, ModelError, ModelSpec, PackedWeights,
    Pooling, RelativeConfig, RelevanceModel, Routing, dump, frozen_weights, initialize,
    initialize_frozen, load, predict_rows,
};
use std::ops::ControlFlow;
use std::sync::Arc;

fn backbone() -> BackboneConfig {
    BackboneConfig {
        hidden_size: 24,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 40,
        ..BackboneConfig::small(50)
    }
}

fn relative() -> BackboneConfig {
    let small = backbone();
    let relative = RelativeConfig { span: 8, bucketed_up_to: None, norm: true };
    let block = BlockConfig { relative: Some(relative), ..small.block.clone() };
    BackboneConfig { block, ..small }
}

fn models() -> [(&'static str, RelevanceModel); 4] {
    let mixture = MixtureConfig { experts: 2, task_experts: 1, levels: 2 };
    let lora = LoraConfig { base: FrozenFormat::Int8, ..LoraConfig::default() };
    let plain = ModelSpec { dense: true, ..spec(backbone(), Routing::mhp(1), Pooling::Cls) };
    [
        ("private layers", plain.clone()),
        ("adapters", ModelSpec { lora: Some(lora), ..plain }),
        ("mixture", spec(backbone(), Routing::mixture(mixture), Pooling::Mean)),
        ("relative positions", spec(relative(), Routing::MULTI_HEAD, Pooling::Cls)),
    ]
    .map(|(what, spec)| {
        let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 3);
        (what, initialize_frozen(model, 3))
    })
}

fn bits(model: &RelevanceModel, weights: PackedWeights) -> Vec<[u32; 3]> {
    let shape: Vec<_> = (0..18).map(|i| (Task::ALL[i % 6], 3 + i * 7 % 29)).collect();
    let go_on = |_| ControlFlow::Continue(());
    let answers = predict_rows(model, &rows(&shape), &Arc::new(weights), 64, go_on).unwrap();
    answers.into_iter().map(|Prediction { probs, .. }| probs.map(f32::to_bits)).collect()
}

#[test]
fn taken_weights_answer_alike_and_are_not_held_twice() {
    for (what, model) in models() {
        for precision in ScorePrecision::ALL {
            let expected = bits(&model, PackedWeights::new(&model, precision));
            let (rest, taken) = PackedWeights::taking(model.clone(), precision);
            assert_eq!(bits(&rest, taken), expected, "{what}, {precision}");
            for (name, values) in dump(&rest) {
                let gone = values.data.iter().all(|x| x.is_nan());
                let multiplied = name.ends_with(".weight");
                // With weights in few bits, the table of words is freed as well.
                let few_bits = !matches!(precision, ScorePrecision::F32 | ScorePrecision::Bf16);
                let words = few_bits && name == "embeddings.word";
                let read_otherwise = name.contains("gate.weight")
                    || name.contains("classifier.weight")
                    || (what == "relative positions" && name.ends_with("qkv.weight"));
                assert_eq!(gone, words || multiplied && !read_otherwise, "{what}: {name}");
                assert_eq!(values.shape, dump(&model)[&name].shape, "{what}: {name}");
            }
            // Frozen weights, which have 8 bits here, are freed where they are packed with their adapters, or stored in
            // fewer bits.
            for (name, weight) in frozen_weights(&rest) {
                let packed =
                    matches!(precision, ScorePrecision::Int8 | ScorePrecision::Int4Weights)
                        && name != "embeddings.word";
                let gone = weight.values().iter().all(|x| x.is_nan());
                assert_eq!(gone, packed, "{what}: {name}");
            }
        }
    }
}

#[test]
fn adapters_are_part_of_what_is_packed_in_8_bits() {
    let [_, (_, model), ..] = models();
    let probs = |model: &RelevanceModel, precision| {
        let bits = bits(model, PackedWeights::new(model, precision));
        bits.into_iter().flatten().map(f32::from_bits).collect::<Vec<_>>()
    };
    let far =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Second factors of zeros would change nothing.
    let adapted = load(model.clone(), |name, _| {
        let mut values = dump(&model)[name].data.clone();
        if name.contains(".lora.") && name.rsplit('.').next() == Some("b") {
            values.iter_mut().enumerate().for_each(|(i, x)| *x = ((i * 37) % 11) as f32 - 5.0);
        }
        Ok::<_, ModelError>(Some(values))
    })
    .unwrap();
    let exact = probs(&adapted, ScorePrecision::F32);
    let rounded = probs(&adapted, ScorePrecision::Int8);
    let without = probs(&model, ScorePrecision::F32);
    let (change, rounding) = (far(&exact, &without), far(&exact, &rounded));
    assert!(change > 5.0 * rounding, "adapters change {change}, 8 bits {rounding}");
    assert_ne!(exact, rounded);
}
