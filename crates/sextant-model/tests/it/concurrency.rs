//! Scoring on any number of threads, including those of the pool that the kernels use, gives the same bits as
//! scoring on one thread.

use crate::support::{rows, spec};
use burn::tensor::Device;
use rayon::prelude::*;
use sextant_core::{Prediction, Task};
use sextant_kernels::{FrozenFormat, ScorePrecision};
use sextant_model::{
    BackboneConfig, LoraConfig, ModelSpec, PackedWeights, Pooling, RelevanceModel, Routing,
    initialize, initialize_frozen, predict_rows,
};
use sextant_text::EncodedRow;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A model whose layers are so large that packing and multiplying them uses several threads.
fn model(lora: bool) -> RelevanceModel {
    let backbone = BackboneConfig {
        hidden_size: 192,
        layers: 2,
        attention_heads: 4,
        intermediate_size: 384,
        ..BackboneConfig::small(50)
    };
    let lora = lora.then(|| LoraConfig { base: FrozenFormat::Int8, ..LoraConfig::default() });
    let spec = ModelSpec { lora, dense: true, ..spec(backbone, Routing::mhp(1), Pooling::Cls) };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 3);
    initialize_frozen(model, 3)
}

fn some_rows() -> Vec<EncodedRow> {
    let shape: Vec<_> = (0..24).map(|i| (Task::ALL[i % 6], 3 + i * 7 % 29)).collect();
    rows(&shape)
}

fn bits(predictions: &[Prediction]) -> Vec<[u32; 3]> {
    predictions.iter().map(|prediction| prediction.probs.map(f32::to_bits)).collect()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn threads_and_pools_of_threads_give_equal_bits() {
    let rows = some_rows();
    for lora in [false, true] {
        let model = model(lora);
        for precision in ScorePrecision::ALL {
            let what = format!("lora {lora}, {precision}");
            let expected = pool(1).install(|| {
                let weights = Arc::new(PackedWeights::new(&model, precision));
                bits(
                    &predict_rows(&model, &rows, &weights, 64, |_| ControlFlow::Continue(()))
                        .unwrap(),
                )
            });
            let weights = Arc::new(PackedWeights::new(&model, precision));
            let score = || {
                bits(
                    &predict_rows(&model, &rows, &weights, 64, |_| ControlFlow::Continue(()))
                        .unwrap(),
                )
            };
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(score)).collect();
                for thread in threads {
                    assert!(thread.join().unwrap() == expected, "{what}: a thread of eight");
                }
            });
            for threads in [1, 3] {
                let found: Vec<_> = pool(threads)
                    .install(|| (0..6).into_par_iter().with_max_len(1).map(|_| score()).collect());
                assert!(found.iter().all(|found| *found == expected), "{what}: pool of {threads}");
            }
        }
    }
}

/// Weights are packed in a task of a thread pool, as in a server that opens a bundle in its pool.
#[test]
fn weights_are_packed_in_a_pool_too() {
    let (model, rows) = (model(false), some_rows());
    let score = || {
        let weights = Arc::new(PackedWeights::new(&model, ScorePrecision::F32));
        bits(&predict_rows(&model, &rows, &weights, 64, |_| ControlFlow::Continue(())).unwrap())
    };
    let expected = score();
    let found: Vec<_> =
        pool(2).install(|| (0..4).into_par_iter().with_max_len(1).map(|_| score()).collect());
    assert!(found.iter().all(|found| *found == expected));
}
