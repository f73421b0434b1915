//! An answer that is infinite or not a number is an error that names the row, in every precision.

use crate::support::{rows, spec};
use burn::tensor::Device;
use sextant_core::Task;
use sextant_kernels::ScorePrecision;
use sextant_model::{
    BackboneConfig, LoraConfig, ModelError, ModelSpec, PackedWeights, Pooling, RelevanceModel,
    Routing, Values, dump, initialize, initialize_frozen, load, predict_rows,
};
use sextant_text::EncodedRow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

const TASKS: [Task; 2] = [Task::QueryProduct, Task::TypeType];

fn model(routing: Routing, pooling: Pooling, lora: bool) -> RelevanceModel {
    let backbone = BackboneConfig {
        hidden_size: 24,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 40,
        ..BackboneConfig::small(50)
    };
    let lora = lora.then(|| LoraConfig {
        modules_to_save: vec!["embeddings.word".into()],
        ..LoraConfig::default()
    });
    let spec = ModelSpec { lora, dense: true, ..spec(backbone, routing, pooling) };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 3);
    initialize_frozen(model, 3)
}

/// The model after a change to its values by name.
fn changed(
    model: RelevanceModel,
    change: impl FnOnce(&mut BTreeMap<String, Values>),
) -> RelevanceModel {
    let mut values = dump(&model);
    change(&mut values);
    let found =
        load::<std::convert::Infallible>(model, |name, _| Ok(Some(values[name].data.clone())));
    found.unwrap_or_else(|never| match never {})
}

/// Rows of which only those at the positions `at` hold `token`.
fn rows_with(token: u32, at: &[usize]) -> Vec<EncodedRow> {
    let lengths = [9, 4, 21, 13, 5, 30, 2];
    let shape: Vec<_> =
        lengths.iter().enumerate().map(|(i, &length)| (TASKS[i % 2], length)).collect();
    let mut rows = rows(&shape);
    for (row, encoded) in rows.iter_mut().enumerate() {
        encoded.ids.iter_mut().filter(|id| **id == token).for_each(|id| *id = 1);
        if at.contains(&row) {
            *encoded.ids.last_mut().unwrap() = token;
        }
    }
    rows
}

fn fault(
    model: &RelevanceModel,
    rows: &[EncodedRow],
    precision: ScorePrecision,
) -> (usize, String) {
    let weights = Arc::new(PackedWeights::new(model, precision));
    // The fault must be the same in packs of few rows and with all rows in one pack.
    let [few, all] = [16, 4096].map(|pack_tokens| {
        match predict_rows(model, rows, &weights, pack_tokens, |_| ControlFlow::Continue(())) {
            Err(error @ ModelError::NonFinite { row, .. }) => (row, error.to_string()),
            other => panic!("{precision}: {other:?}"),
        }
    });
    assert_eq!(few, all, "{precision}");
    few
}

/// If the embedding of one token is damaged, rows with that token have no answer, and all other rows have the
/// same answers as before, bit for bit.
#[test]
fn a_damaged_embedding_is_found_where_it_is_read() {
    for (routing, lora) in
        [(Routing::MULTI_HEAD, false), (Routing::mhp(1), false), (Routing::MULTI_HEAD, true)]
    {
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let whole = model(routing, pooling, lora);
            for damage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7f80_0001)]
            {
                let damaged = changed(whole.clone(), |values| {
                    let word = values.get_mut("embeddings.word").unwrap();
                    word.data[49 * 24 + 5] = damage;
                });
                for precision in ScorePrecision::ALL {
                    let what = format!("{} {pooling:?} {damage} {precision}", routing.label());
                    let (row, message) = fault(&damaged, &rows_with(49, &[5, 2]), precision);
                    assert_eq!(row, 2, "{what}");
                    assert!(
                        message.contains("row 2") && message.contains("NaN"),
                        "{what}: {message}"
                    );
                    let clean = rows_with(49, &[]);
                    let answers = |model: &RelevanceModel| {
                        let weights = Arc::new(PackedWeights::new(model, precision));
                        predict_rows(model, &clean, &weights, 16, |_| ControlFlow::Continue(()))
                            .unwrap()
                    };
                    assert_eq!(answers(&damaged), answers(&whole), "{what}");
                }
            }
        }
    }
}

/// If one number of a weight is damaged, every row that uses the weight has no answer, in every precision.
#[test]
fn a_damaged_weight_is_found_in_every_precision() {
    let whole = model(Routing::MULTI_HEAD, Pooling::Cls, false);
    let names = [
        "trunk.0.qkv.weight",
        "trunk.1.qkv.bias",
        "trunk.0.up.weight",
        "trunk.1.down.weight",
        "trunk.1.output_norm.gamma",
        "embeddings.norm.beta",
        "branches.type-type.dense.weight",
        "branches.type-type.classifier.weight",
        "branches.type-type.classifier.bias",
    ];
    let all = dump(&whole);
    for name in names {
        assert!(all.contains_key(name), "{name} is none of {:?}", all.keys());
        // The head's tanh maps an infinite input to ±1, which is correct, so that only NaN is a fault there.
        let bounded = name.contains("dense") || name.contains("output_norm");
        let damages = if bounded { &[f32::NAN][..] } else { &[f32::NAN, f32::INFINITY] };
        for &damage in damages {
            let damaged = changed(whole.clone(), |values| {
                let data = &mut values.get_mut(name).unwrap().data;
                let last = data.len() - 1;
                data[last] = damage;
            });
            for precision in ScorePrecision::ALL {
                let (row, message) = fault(&damaged, &rows_with(49, &[]), precision);
                let first = usize::from(name.starts_with("branches"));
                assert_eq!(row, first, "{name} {damage} {precision}: {message}");
                let advice = message.contains("--precision f32");
                assert_eq!(advice, precision != ScorePrecision::F32, "{message}");
            }
        }
    }
}
