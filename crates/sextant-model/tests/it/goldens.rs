//! A tiny BERT, compared with `transformers` and PyTorch. `scripts/goldens/bert_tiny.py` wrote the expected
//! numbers.

use crate::support::{assert_close, floats, forward, gradients, spec};
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use sextant_core::{Grade, Task};
use sextant_model::backbone::Backbone;
use sextant_model::to_checkpoint;
use sextant_model::{
    Archive, LossConfig, ModelSpec, Pooling, RelevanceModel, Routing, freeze, initialize, load,
    row_losses,
};
use sextant_text::{Cut, EncodedRow, Pack};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Row>,
    head: Head,
}

#[derive(Deserialize)]
struct Row {
    input_ids: Vec<u32>,
    token_type_ids: Vec<u8>,
    last_hidden_state: Vec<Vec<f32>>,
    pooler_output: Vec<f32>,
}

#[derive(Deserialize)]
struct Head {
    weight: Vec<Vec<f32>>,
    bias: Vec<f32>,
    labels: Vec<usize>,
    logits: Vec<Vec<f32>>,
    loss: f32,
    gradients: BTreeMap<String, Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    shape: Vec<usize>,
    values: Vec<f32>,
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn golden() -> Golden {
    let text = std::fs::read_to_string(folder("bert_tiny").join("golden.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn pack(golden: &Golden) -> Pack {
    let rows: Vec<_> = golden
        .rows
        .iter()
        .map(|row| EncodedRow {
            task: Task::QueryProduct,
            ids: row.input_ids.clone(),
            segments: row.token_type_ids.clone(),
            cut: Cut::default(),
        })
        .collect();
    Pack::new(&rows.iter().enumerate().collect::<Vec<_>>())
}

/// The specification of the golden models: one head, no prefix.
pub(crate) fn shape(pooling: Pooling, dense: bool) -> ModelSpec {
    let backbone = Backbone::open(&folder("bert_tiny")).unwrap();
    let routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };
    let spec = spec(backbone.config().clone(), routing, pooling);
    ModelSpec { tasks: vec![Task::QueryProduct], dense, ..spec }
}

/// The golden backbone with a head that is given in PyTorch's layout.
fn with_head(
    folder: &Path,
    spec: ModelSpec,
    weight: &[Vec<f32>],
    bias: &[f32],
    device: &Device,
) -> RelevanceModel {
    let model = initialize(RelevanceModel::zeros(spec, device).unwrap(), 1);
    let model = Backbone::open(folder).unwrap().load_into(model).unwrap();
    load::<()>(model, |name, _| {
        Ok(match name {
            "branches.shared.classifier.weight" => Some(transposed(weight)),
            "branches.shared.classifier.bias" => Some(bias.to_vec()),
            _ => None,
        })
    })
    .unwrap()
}

fn transposed(rows: &[Vec<f32>]) -> Vec<f32> {
    (0..rows[0].len()).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

/// `vector · weightᵀ + bias`.
fn head(head: &Head, vector: &[f32]) -> Vec<f32> {
    let dot = |row: &Vec<f32>| row.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    head.weight.iter().zip(&head.bias).map(|(row, bias)| dot(row) + bias).collect()
}

fn assert_rows(found: Tensor<2>, expected: &[Vec<f32>], what: &str) {
    assert_close(&floats(found), &expected.concat(), 1e-4, what);
}

#[test]
fn logits_loss_and_gradients_are_those_of_pytorch() {
    let golden = golden();
    let device = Device::flex().autodiff();
    let spec = shape(Pooling::Cls, false);
    let (weight, bias) = (&golden.head.weight, &golden.head.bias);
    let model = with_head(&folder("bert_tiny"), spec, weight, bias, &device);
    let model = freeze(model, &[]).unwrap(); // nothing frozen: every parameter takes a gradient
    let logits = forward(&model, &pack(&golden));
    assert_rows(logits.clone(), &golden.head.logits, "logits");

    let grades: Vec<_> =
        golden.head.labels.iter().map(|&label| Grade::from_index(label).unwrap()).collect();
    let ones = vec![1.0; grades.len()];
    let loss = row_losses(logits, &grades, &ones, &LossConfig::default()).mean();
    assert_close(&floats(loss.clone()), &[golden.head.loss], 1e-4, "loss");

    let found = gradients(&model, &loss.backward());
    let found = to_checkpoint(model.spec(), "shared", &found);
    assert!(golden.head.gradients.len() >= 15);
    for (name, expected) in &golden.head.gradients {
        let place = match name.strip_prefix("head.") {
            Some(kind) => format!("classifier.{kind}"),
            None => format!("bert.{name}"),
        };
        let found = &found[&place].data;
        let largest = expected.values.iter().fold(0f32, |m, x| m.max(x.abs()));
        // A gradient that is zero except for rounding, as that of the keys' bias, is compared absolutely.
        assert_close(found, &expected.values, 1e-4 * largest.max(1e-2), name);
        assert_eq!(found.len(), expected.shape.iter().product::<usize>());
    }
}

#[test]
fn mean_and_last_pooling_read_the_hidden_states_of_transformers() {
    let golden = golden();
    let (weight, bias) = (&golden.head.weight, &golden.head.bias);
    for pooling in [Pooling::Mean, Pooling::Last] {
        let expected: Vec<_> = golden
            .rows
            .iter()
            .map(|row| {
                let tokens = &row.last_hidden_state;
                let vector: Vec<f32> = match pooling {
                    Pooling::Last => tokens.last().unwrap().clone(),
                    _ => (0..tokens[0].len())
                        .map(|i| tokens.iter().map(|t| t[i]).sum::<f32>() / tokens.len() as f32)
                        .collect(),
                };
                head(&golden.head, &vector)
            })
            .collect();
        let spec = shape(pooling, false);
        let model = with_head(&folder("bert_tiny"), spec, weight, bias, &Device::flex());
        assert_rows(forward(&model, &pack(&golden)), &expected, &format!("{pooling:?}"));
    }
}

#[test]
fn the_dense_layer_is_berts_pooler() {
    let golden = golden();
    let expected: Vec<_> =
        golden.rows.iter().map(|row| head(&golden.head, &row.pooler_output)).collect();
    let (weight, bias) = (&golden.head.weight, &golden.head.bias);
    let spec = shape(Pooling::Cls, true);
    let model = with_head(&folder("bert_tiny"), spec, weight, bias, &Device::flex());
    assert_rows(forward(&model, &pack(&golden)), &expected, "pooled logits");
}

#[test]
fn names_under_bert_are_read_and_the_classifier_is_left_out() {
    #[derive(Deserialize)]
    struct Prefixed {
        logits: Vec<Vec<f32>>,
    }
    let source = folder("bert_tiny_prefixed");
    let text = std::fs::read_to_string(source.join("golden.json")).unwrap();
    let expected: Prefixed = serde_json::from_str(&text).unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::copy(folder("bert_tiny").join("config.json"), place.path().join("config.json"))
        .unwrap();
    let weights = place.path().join("model.safetensors");
    std::fs::copy(source.join("model.safetensors"), &weights).unwrap();

    let archive = Archive::read(&weights, |_| false).unwrap();
    let weight = archive.get("classifier.weight", &[3, 32]).unwrap();
    let weight: Vec<_> = weight.chunks_exact(32).map(<[f32]>::to_vec).collect();
    let bias = archive.get("classifier.bias", &[3]).unwrap();
    let spec = shape(Pooling::Cls, true);
    let model = with_head(place.path(), spec, &weight, &bias, &Device::flex());
    assert_rows(forward(&model, &pack(&golden())), &expected.logits, "logits");
}
