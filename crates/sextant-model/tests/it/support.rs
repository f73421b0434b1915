//! Models, rows and comparisons that the tests share.

use burn::tensor::Tensor;
use sextant_core::Task;
use sextant_kernels::Precision;
use sextant_model::{
    BackboneConfig, ForwardContext, HeadKind, ModelSpec, PackInput, Pooling, RelevanceModel,
    Routing,
};
use sextant_text::Pack;

/// A shape of every routing, small enough to run in no time.
pub(crate) fn spec(backbone: BackboneConfig, routing: Routing, pooling: Pooling) -> ModelSpec {
    ModelSpec {
        backbone,
        tasks: Task::ALL.to_vec(),
        routing,
        pooling,
        dense: false,
        head: HeadKind::Softmax,
        head_dropout: 0.0,
    }
}

/// Logits in the pack's order.
pub(crate) fn forward(model: &RelevanceModel, pack: &Pack) -> Tensor<2> {
    let input = PackInput::new(pack, &model.device()).unwrap();
    model.forward(&input, &ForwardContext::inference(Precision::F32)).unwrap()
}

/// A matrix as rows of numbers.
pub(crate) fn matrix(x: Tensor<2>) -> Vec<Vec<f32>> {
    let width = x.dims()[1];
    floats(x).chunks_exact(width).map(<[f32]>::to_vec).collect()
}

/// A tensor's numbers, row-major.
pub(crate) fn floats<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

/// Fails if an entry is off by more than `tolerance`.
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}[{i}]: {a} instead of {b}");
    }
}
