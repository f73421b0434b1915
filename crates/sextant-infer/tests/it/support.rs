//! Small bundles and ensembles, and pairs that they answer.

use sextant_core::{Example, Grade, Pair, Task};
use sextant_eval::Vote;
use sextant_files::Existing;
use sextant_infer::EnsembleManifest;
use sextant_kernels::FrozenFormat;
use sextant_model::{
    BackboneConfig, Device, HeadKind, LoraConfig, ModelSpec, Pooling, RelevanceModel, Routing,
    bundle, initialize, initialize_frozen, load,
};
use sextant_text::{Encoder, TextConfig, train_wordpiece};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEXTS: [&str; 6] =
    ["red sofa", "blue lamp", "cordless drill", "sofas and lamps", "zinnia seed", "garden hose"];

pub(crate) fn encoder() -> Encoder {
    let texts = TEXTS.map(str::to_owned);
    Encoder::new(train_wordpiece(&texts, 80).unwrap(), TextConfig::default()).unwrap()
}

/// Saves a bundle of some tasks. With `lora`, it has adapters over a base that is the same for every seed. With
/// `damaged`, pairs with this text get an answer that is NaN.
pub(crate) fn saved(folder: &Path, tasks: &[Task], seed: u64, lora: bool, damaged: Option<&str>) {
    let encoder = encoder();
    let backbone = BackboneConfig {
        hidden_size: 32,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 48,
        ..BackboneConfig::small(encoder.tokenizer().vocab_size())
    };
    let spec = ModelSpec {
        backbone,
        tasks: tasks.to_vec(),
        routing: Routing::MULTI_HEAD,
        pooling: Pooling::Mean,
        dense: false,
        head: HeadKind::Softmax,
        head_dropout: 0.0,
        lora: lora.then(|| LoraConfig {
            base: FrozenFormat::Int8,
            modules_to_save: vec!["embeddings.word".into()],
            ..LoraConfig::default()
        }),
    };
    let model = initialize(RelevanceModel::zeros(spec, &Device::cpu()).unwrap(), seed);
    let model = initialize_frozen(model, 1);
    // A token of the damaged text that no other pair has.
    let token = damaged.map(|text| {
        let ids = |pair: &Pair| encoder.encode(pair).unwrap().ids;
        let sound: Vec<u32> = pairs().iter().flat_map(ids).collect();
        let mine = ids(&Example::new(tasks[0], text, text, Grade::Partial).pair);
        mine.into_iter().find(|id| !sound.contains(id)).unwrap()
    });
    let values = sextant_model::dump(&model);
    let model = load::<Infallible>(model, |name, shape| {
        let mut data = values[name].data.clone();
        if let (Some(token), "embeddings.word") = (token, name) {
            // The numbers are finite, because the bundle could not be opened otherwise, but the sum in the norm
            // is not.
            data[token as usize * shape[1]..][..shape[1]].fill(f32::MAX);
        }
        Ok(Some(data))
    })
    .unwrap_or_else(|never| match never {});
    bundle::save(folder, Existing::Own, &model, &encoder, serde_json::Value::Null).unwrap();
}

pub(crate) fn pairs() -> Vec<Pair> {
    let pair = |i: usize| {
        let (left, right) = (TEXTS[i % 4], TEXTS[(i * 5 + 1) % 4]);
        Example::new([Task::QueryType, Task::TypeType][i % 2], left, right, Grade::Partial).pair
    };
    (0..20).map(pair).collect()
}

pub(crate) fn ensemble(place: &TempDir, bundles: &[PathBuf], rule: Vote) -> PathBuf {
    let folder = place.path().join(format!("vote-{rule}"));
    EnsembleManifest::of(bundles, rule, &folder).unwrap().write(&folder, Existing::Own).unwrap();
    folder
}
