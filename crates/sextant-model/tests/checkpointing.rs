//! Gradient checkpointing saves memory. This is a program of its own, because it counts the memory of a whole process.

use burn::tensor::{Device, Tensor};
use sextant_core::Task;
use sextant_kernels::{CachingAllocator, Precision};
use sextant_model::{
    Activations, BackboneConfig, ForwardContext, HeadKind, ModelSpec, PackInput, Pooling,
    RelevanceModel, Routing, freeze, initialize,
};
use sextant_text::{Cut, EncodedRow, Pack};
use std::hint::black_box;

/// Keeps nothing, so that what is mapped is in use.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(0);

const LAYERS: usize = 8;

/// Before the backward pass begins, only the inputs of blocks are held, also where all weights are trained.
#[test]
fn blocks_that_run_again_keep_only_their_inputs() {
    let backbone = BackboneConfig {
        hidden_size: 128,
        layers: LAYERS,
        attention_heads: 4,
        intermediate_size: 512,
        ..BackboneConfig::small(50)
    };
    let spec = ModelSpec {
        backbone,
        tasks: vec![Task::QueryProduct],
        routing: Routing { prefix: false, ..Routing::TEXT_PREFIX },
        pooling: Pooling::Cls,
        dense: false,
        head: HeadKind::Softmax,
        head_dropout: 0.0,
        lora: None,
    };
    let device = Device::flex().autodiff();
    let model = initialize(RelevanceModel::zeros(spec, &device).unwrap(), 1);
    let model = freeze(model, &[]).unwrap();
    let row = EncodedRow {
        task: Task::QueryProduct,
        ids: (0..64).map(|i| i % 50).collect(),
        segments: vec![0; 64],
        cut: Cut::default(),
    };
    let rows = vec![row; 16];
    let members: Vec<_> = rows.iter().enumerate().collect();
    let input = PackInput::new(&Pack::new(&members), &device).unwrap();
    let held = |activations| {
        let before = ALLOCATOR.mapped();
        let mut held = 0;
        let ctx = ForwardContext::training(Precision::F32, &[1]);
        let loss = |logits: Tensor<2>| {
            held = ALLOCATOR.mapped() - before;
            logits.powi_scalar(2).sum()
        };
        let each = |gradients| drop(black_box(gradients));
        model.backward_by_blocks(&input, &ctx, activations, loss, each).unwrap();
        held
    };
    let [kept, recomputed] = [Activations::Kept, Activations::Recomputed].map(held);
    let input_of_a_block = 16 * 64 * 128 * size_of::<f32>();
    // The embeddings and the last block, which runs once, have graphs of their own.
    let most = (LAYERS + 8) * input_of_a_block;
    assert!(recomputed <= most, "{recomputed} bytes, {kept} with all activations, at most {most}");
    assert!(kept > 3 * most, "{kept} bytes with all activations, more than {}", 3 * most);
}
