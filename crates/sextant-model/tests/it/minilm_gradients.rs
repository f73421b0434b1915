//! Loss and gradients of the real all-MiniLM-L6-v2, compared with PyTorch.
//! `scripts/goldens/minilm_gradients.py` wrote the expected numbers. As in `minilm.rs`, the weights are
//! needed, which are not in the repository.

use crate::minilm::{golden_rows, weights};
use crate::support::{floats, spec};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use serde::Deserialize;
use sextant_core::{Grade, Task};
use sextant_kernels::Precision;
use sextant_model::backbone::Backbone;
use sextant_model::{
    ForwardContext, LossConfig, ModelSpec, PackInput, Pooling, RelevanceModel, Routing, freeze,
    initialize, load, parameters, row_losses,
};
use sextant_text::Pack;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Golden {
    labels: Vec<usize>,
    loss: f64,
    autocast_loss: f64,
    parameters: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    norm: f64,
    entries: Vec<f32>,
    autocast: f64,
}

fn model(folder: &Path) -> RelevanceModel {
    let backbone = Backbone::open(folder).unwrap();
    let routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };
    let spec = spec(backbone.config().clone(), routing, Pooling::Cls);
    let spec = ModelSpec { tasks: vec![Task::QueryQuery], ..spec };
    let model = RelevanceModel::zeros(spec, &Device::flex().autodiff()).unwrap();
    let model = backbone.load_into(initialize(model, 1)).unwrap();
    let model = load::<()>(model, |name, shape| {
        Ok((name == "branches.shared.classifier.weight").then(|| {
            let width = shape[0];
            let number = |i: usize| ((i * 7919 % 997) as f64 / 997.0 - 0.5) * 0.2;
            // In the script, the head's weight is [3, width].
            (0..width * 3).map(|i| number(i % 3 * width + i / 3) as f32).collect()
        }))
    });
    freeze(model.unwrap(), &[]).unwrap()
}

/// The gradients of all parameters, in the order of the model.
struct Collector<'a>(&'a Gradients, Vec<Vec<f32>>);

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1.push(param.val().grad(self.0).map(floats).unwrap_or_default());
    }
}

/// The loss, and the gradients by name.
fn run(
    model: &RelevanceModel,
    pack: &Pack,
    labels: &[usize],
    precision: Precision,
) -> (f64, BTreeMap<String, Vec<f32>>) {
    let input = PackInput::new(pack, &model.device()).unwrap();
    let logits = model.forward(&input, &ForwardContext::inference(precision)).unwrap();
    let grades: Vec<Grade> =
        labels.iter().map(|&label| Grade::from_index(label).unwrap()).collect();
    let loss = row_losses(logits, &grades, &vec![1.0; grades.len()], &LossConfig::default()).mean();
    let value = f64::from(floats(loss.clone())[0]);
    let gradients = loss.backward();
    let mut collector = Collector(&gradients, Vec::new());
    model.visit(&mut collector);
    let names = parameters(model).into_iter().map(|info| info.name);
    (value, names.zip(collector.1).collect())
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn loss_and_gradients_of_the_real_model_are_those_of_pytorch() {
    let Some(folder) = weights() else {
        eprintln!("no weights: `sextant get minilm`, or SEXTANT_MINILM=FOLDER");
        return;
    };
    let text = include_str!("../goldens/minilm_gradients.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    let rows = golden_rows();
    let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
    let model = model(&folder);
    let (loss, exact) = run(&model, &pack, &golden.labels, Precision::F32);
    assert!((loss / golden.loss - 1.0).abs() < 1e-4, "loss {loss} instead of {}", golden.loss);
    assert_eq!(exact.len(), golden.parameters.len());
    for (name, expected) in &golden.parameters {
        let found = &exact[name];
        let length = norm(found.iter().copied());
        let relative = (length / expected.norm - 1.0).abs();
        assert!(relative < 1e-4, "{name}: norm {length} instead of {}", expected.norm);
        // The bound on an entry's difference is relative to the entry or to the root mean square of its
        // tensor, whichever is larger.
        let scale = (expected.norm / (found.len() as f64).sqrt()).max(1e-12);
        for (i, entry) in expected.entries.iter().enumerate() {
            let place = (2 * i + 1) * found.len() / (2 * expected.entries.len());
            let difference = f64::from((found[place] - entry).abs());
            let bound = 1e-4 * f64::from(entry.abs()).max(scale);
            assert!(difference <= bound, "{name}[{place}]: {} instead of {entry}", found[place]);
        }
    }

    let (loss, rounded) = run(&model, &pack, &golden.labels, Precision::Bf16);
    let allowed = (golden.autocast_loss / golden.loss - 1.0).abs().max(1e-3);
    assert!((loss / golden.loss - 1.0).abs() <= 2.0 * allowed, "bf16 loss {loss}");
    let (mut ours, mut theirs, mut worst) = (0.0, 0.0, 0.0_f64);
    for (name, expected) in &golden.parameters {
        let pairs = rounded[name].iter().zip(&exact[name]);
        let deviation = norm(pairs.map(|(a, b)| a - b)) / expected.norm;
        ours += (deviation * expected.norm).powi(2);
        theirs += (expected.autocast * expected.norm).powi(2);
        worst = worst.max(deviation / expected.autocast);
        // By chance, the rounding errors of a single tensor may be larger than PyTorch's, up to twice as
        // large.
        let bound = 2.0 * expected.autocast;
        assert!(deviation <= bound, "{name}: off by {deviation} in bf16, PyTorch {bound}/2");
    }
    let (ours, theirs) = (ours.sqrt(), theirs.sqrt());
    eprintln!(
        "bf16 gradients are off by {ours:.5}, PyTorch's by {theirs:.5}; worst tensor {worst:.2} times"
    );
    assert!(ours <= theirs, "bf16 gradients are off by {ours}, PyTorch's by {theirs}");
}
