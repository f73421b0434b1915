//! Answers of bundles and ensembles: none that is no number, and the same from any number of threads.

use burn::tensor::Device;
use rayon::prelude::*;
use sextant_core::{Example, Grade, Pair, Task};
use sextant_eval::Vote;
use sextant_files::Existing;
use sextant_infer::{EnsembleManifest, Scorer};
use sextant_kernels::{FrozenFormat, ScorePrecision};
use sextant_model::{
    BackboneConfig, HeadKind, LoraConfig, ModelError, ModelSpec, Pooling, RelevanceModel, Routing,
    bundle, initialize, initialize_frozen, load,
};
use sextant_text::{Encoder, TextConfig, train_wordpiece};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEXTS: [&str; 6] =
    ["red sofa", "blue lamp", "cordless drill", "sofas and lamps", "zinnia seed", "garden hose"];

fn encoder() -> Encoder {
    let texts = TEXTS.map(str::to_owned);
    Encoder::new(train_wordpiece(&texts, 80).unwrap(), TextConfig::default()).unwrap()
}

/// A bundle of some tasks; `lora` adapts a base that is the same for every seed.
fn saved(folder: &Path, tasks: &[Task], seed: u64, lora: bool, damaged: Option<&str>) {
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
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), seed);
    let model = initialize_frozen(model, 1);
    // A token of this text that the sound pairs lack.
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
            // Finite, or the bundle would be refused at opening; the sum that the norm takes is not.
            data[token as usize * shape[1]..][..shape[1]].fill(f32::MAX);
        }
        Ok(Some(data))
    })
    .unwrap_or_else(|never| match never {});
    bundle::save(folder, Existing::Own, &model, &encoder, serde_json::Value::Null).unwrap();
}

fn pairs() -> Vec<Pair> {
    let pair = |i: usize| {
        let (left, right) = (TEXTS[i % 4], TEXTS[(i * 5 + 1) % 4]);
        Example::new([Task::QueryType, Task::TypeType][i % 2], left, right, Grade::Partial).pair
    };
    (0..20).map(pair).collect()
}

fn ensemble(place: &TempDir, bundles: &[PathBuf], rule: Vote) -> PathBuf {
    let folder = place.path().join(format!("vote-{rule}"));
    EnsembleManifest::of(bundles, rule, &folder).unwrap().write(&folder, Existing::Own).unwrap();
    folder
}

/// A member whose answer is no number is not outvoted, by no rule; the row is the caller's, not the member's.
#[test]
fn no_rule_hides_a_member_without_a_number() {
    let place = tempfile::tempdir().unwrap();
    let (both, one) = ([Task::QueryType, Task::TypeType], [Task::TypeType]);
    let bundles: Vec<PathBuf> =
        ["sound", "other", "damaged"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &both, 1, false, None);
    saved(&bundles[1], &both, 2, false, None);
    saved(&bundles[2], &one, 3, false, Some("zinnia"));
    let mut pairs = pairs();
    pairs[9] = Example::new(Task::TypeType, "zinnia seed", "red sofa", Grade::Partial).pair;
    pairs[12] = Example::new(Task::QueryType, "zinnia seed", "red sofa", Grade::Partial).pair;
    for rule in Vote::ALL {
        let folder = ensemble(&place, &bundles, rule);
        for precision in ScorePrecision::ALL {
            let scorer = Scorer::open(&folder, &Device::flex(), precision).unwrap();
            let encoded = pairs.iter().map(|pair| scorer.encode(pair).unwrap()).collect();
            for found in [scorer.predict(&pairs), scorer.predict_rows(encoded)] {
                let Err(error @ ModelError::NonFinite { row: 9, .. }) = &found else {
                    panic!("{rule} {precision}: {found:?}");
                };
                let said = error.to_string();
                assert!(said.contains("damaged") && said.contains("type-type"), "{said}");
            }
            assert!(scorer.predict(&pairs[10..]).is_ok(), "the row of the other task is sound");
        }
    }
}

/// Members that share a frozen base, asked from several threads and from inside a pool.
#[test]
fn an_ensemble_over_a_shared_base_answers_alike_from_any_thread() {
    let place = tempfile::tempdir().unwrap();
    let both = [Task::QueryType, Task::TypeType];
    let bundles: Vec<PathBuf> = ["a", "b"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &both, 1, true, None);
    saved(&bundles[1], &both, 2, true, None);
    let folder = ensemble(&place, &bundles, Vote::Soft);
    let pairs = pairs();
    for precision in ScorePrecision::ALL {
        let open = || Scorer::open(&folder, &Device::flex(), precision).unwrap();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let expected = pool(1).install(|| open().predict(&pairs).unwrap());
        let scorer = open();
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| scorer.predict(&pairs).unwrap())).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), expected, "{precision}");
            }
        });
        let found: Vec<_> = pool(3).install(|| {
            let jobs = (0..6).into_par_iter().with_max_len(1);
            jobs.map(|_| scorer.predict(&pairs).unwrap()).collect()
        });
        assert!(found.iter().all(|found| *found == expected), "{precision}");
    }
}
