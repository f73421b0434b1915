//! Models, rows and comparisons that the tests share.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use sextant_core::Task;
use sextant_kernels::Precision;
use sextant_model::{
    BackboneConfig, ForwardContext, HeadKind, ModelSpec, PackInput, Pooling, RelevanceModel,
    Routing, Values, parameters,
};
use sextant_text::{Cut, EncodedRow, Pack};
use std::collections::{BTreeMap, BTreeSet};

/// The specification of a small model for all tasks.
pub(crate) fn spec(backbone: BackboneConfig, routing: Routing, pooling: Pooling) -> ModelSpec {
    ModelSpec {
        backbone,
        tasks: Task::ALL.to_vec(),
        routing,
        pooling,
        dense: false,
        head: HeadKind::Softmax,
        head_dropout: 0.0,
        lora: None,
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

/// Rows of these tasks and lengths, with ids below 50 that differ from row to row.
pub(crate) fn rows(shape: &[(Task, usize)]) -> Vec<EncodedRow> {
    let row = |(number, &(task, length)): (usize, &(Task, usize))| EncodedRow {
        task,
        ids: (0..length).map(|i| ((i * 7 + number * 13 + 1) % 50) as u32).collect(),
        segments: (0..length).map(|i| u8::from(2 * i >= length)).collect(),
        cut: Cut::default(),
    };
    shape.iter().enumerate().map(row).collect()
}

/// A row of ids, with the segment of each token.
pub(crate) fn row(task: Task, ids: &[u32], segments: &[u8]) -> EncodedRow {
    EncodedRow { task, ids: ids.to_vec(), segments: segments.to_vec(), cut: Cut::default() }
}

/// Rows as one pack.
pub(crate) fn pack(rows: &[EncodedRow]) -> Pack {
    Pack::new(&rows.iter().enumerate().collect::<Vec<_>>())
}

/// The gradient of every parameter that has one, by name.
pub(crate) fn gradients(model: &RelevanceModel, gradients: &Gradients) -> BTreeMap<String, Values> {
    struct Collector<'a> {
        gradients: &'a Gradients,
        found: Vec<Option<Vec<f32>>>,
    }
    impl ModuleVisitor for Collector<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push(param.val().grad(self.gradients).map(floats));
        }
    }
    let mut collector = Collector { gradients, found: Vec::new() };
    model.visit(&mut collector);
    let found = parameters(model).into_iter().zip(collector.found);
    found
        .filter_map(|(info, data)| Some((info.name, Values { shape: info.shape, data: data? })))
        .collect()
}

/// The names of the parameters that a backward pass gave a gradient to.
pub(crate) fn with_gradient(model: &RelevanceModel, found: &Gradients) -> BTreeSet<String> {
    gradients(model, found).into_keys().collect()
}
