//! Every family, compared with `transformers` and run with every routing. `scripts/goldens/families.py` wrote
//! the checkpoints and the expected numbers.

use crate::support::{assert_close, floats, forward, gradients, pack, row, spec};
use burn::tensor::Device;
use serde::Deserialize;
use sextant_core::{Grade, Task};
use sextant_model::backbone::Backbone;
use sextant_model::to_checkpoint;
use sextant_model::{
    Archive, HeadKind, LossConfig, ModelSpec, PrivateInit, RelevanceModel, Routing, dump, freeze,
    initialize, load, parameters, row_losses,
};
use sextant_text::EncodedRow;
use std::path::{Path, PathBuf};

/// The encoders.
pub(crate) const FAMILIES: [&str; 7] =
    ["bert", "roberta", "xlm_roberta", "electra", "distilbert", "modernbert", "deberta_v2"];

pub(crate) const DECODERS: [&str; 7] =
    ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"];

pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    FAMILIES.into_iter().chain(DECODERS)
}

#[derive(Deserialize)]
pub(crate) struct Golden {
    rows: Vec<Row>,
    labels: Vec<usize>,
    pub(crate) logits: Vec<Vec<f32>>,
    loss: f32,
    pooled: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Row {
    input_ids: Vec<u32>,
    token_type_ids: Vec<u8>,
}

pub(crate) fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/families").join(family)
}

impl Golden {
    pub(crate) fn read(family: &str) -> Self {
        let text = std::fs::read_to_string(folder(family).join("golden.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn rows(&self, task: impl Fn(usize) -> Task) -> Vec<EncodedRow> {
        let rows = self.rows.iter().enumerate();
        rows.map(|(i, found)| row(task(i), &found.input_ids, &found.token_type_ids)).collect()
    }
}

/// The specification of the golden models: one task and one head.
pub(crate) fn plain(backbone: &Backbone) -> ModelSpec {
    let routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };
    let spec = spec(backbone.config().clone(), routing, backbone.pooling());
    let dense = !backbone.config().block.causal; // decoders have no dense layer before the head
    ModelSpec { tasks: vec![Task::QueryProduct], dense, ..spec }
}

pub(crate) fn loaded(folder: &Path, spec: ModelSpec, device: &Device) -> RelevanceModel {
    let model = initialize(RelevanceModel::zeros(spec, device).unwrap(), 1);
    Backbone::open(folder).unwrap().load_into(model).unwrap()
}

#[test]
fn logits_and_every_gradient_are_those_of_transformers() {
    for family in all() {
        let golden = Golden::read(family);
        let backbone = Backbone::open(&folder(family)).unwrap();
        let device = Device::flex().autodiff();
        let model = loaded(&folder(family), plain(&backbone), &device);
        let model = freeze(model, &[]).unwrap(); // nothing frozen: every parameter takes a gradient
        let logits = forward(&model, &pack(&golden.rows(|_| Task::QueryProduct)));
        assert_close(&floats(logits.clone()), &golden.logits.concat(), 1e-4, family);

        let grades: Vec<_> =
            golden.labels.iter().map(|&label| Grade::from_index(label).unwrap()).collect();
        let ones = vec![1.0; grades.len()];
        let loss = row_losses(logits, &grades, &ones, &LossConfig::default()).mean();
        assert_close(&floats(loss.clone()), &[golden.loss], 1e-4, family);

        let found = gradients(&model, &loss.backward());
        let found = to_checkpoint(model.spec(), "shared", &found);
        let expected =
            Archive::read(&folder(family).join("gradients.safetensors"), |_| false).unwrap();
        let mut compared = 0;
        for name in expected.names() {
            let expected = expected.get(name, expected.shape(name).unwrap()).unwrap();
            let what = format!("{family}: gradient of {name}");
            let found = found.get(name).unwrap_or_else(|| panic!("{what} is missing"));
            let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
            // A gradient that is zero except for rounding, as that of the keys' bias, is compared absolutely.
            assert_close(&found.data, &expected, 1e-4 * largest.max(1e-2), &what);
            compared += 1;
        }
        assert_eq!(compared, found.len(), "{family}: every parameter has its gradient compared");
    }
}

#[test]
fn a_checkpoint_without_head_gives_the_hidden_states_of_transformers() {
    for family in all() {
        let golden = Golden::read(family);
        let base = folder(family).join("base");
        let backbone = Backbone::open(&base).unwrap();
        let spec = ModelSpec { dense: false, ..plain(&backbone) };
        let model = loaded(&base, spec, &Device::flex());
        let hidden = backbone.config().hidden_size;
        // The head is set so that its three logits are three entries of the hidden state.
        for first in 0..hidden / 3 {
            let picks = (0..hidden).flat_map(|row| (0..3).map(move |column| (row, column)));
            let picks: Vec<f32> = picks
                .map(|(row, column)| if row == 3 * first + column { 1.0 } else { 0.0 })
                .collect();
            let model = load::<()>(model.clone(), |name, _| {
                Ok((name == "branches.shared.classifier.weight").then(|| picks.clone()))
            });
            let found = forward(&model.unwrap(), &pack(&golden.rows(|_| Task::QueryProduct)));
            let expected: Vec<f32> =
                golden.pooled.iter().flat_map(|row| row[3 * first..][..3].to_vec()).collect();
            assert_close(&floats(found), &expected, 1e-4, family);
        }
    }
}

#[test]
fn packed_rows_score_as_they_do_alone() {
    for family in all() {
        let backbone = Backbone::open(&folder(family)).unwrap();
        let model = loaded(&folder(family), plain(&backbone), &Device::flex());
        let rows = Golden::read(family).rows(|_| Task::QueryProduct);
        let together = floats(forward(&model, &pack(&rows)));
        for (row, expected) in rows.iter().zip(together.chunks_exact(3)) {
            let alone = floats(forward(&model, &pack(std::slice::from_ref(row))));
            assert_close(&alone, expected, 1e-5, family);
        }
    }
}

/// The three routings of the paper, and one with fresh private blocks.
fn routings() -> [Routing; 4] {
    let fresh = Routing { private_init: PrivateInit::Fresh, ..Routing::mhp(1) };
    [Routing::TEXT_PREFIX, Routing::MULTI_HEAD, Routing::mhp(1), fresh]
}

#[test]
fn every_routing_trains_and_frozen_parts_stay() {
    for family in all() {
        let backbone = Backbone::open(&folder(family)).unwrap();
        for routing in routings() {
            let what = format!("{family}, {}", routing.label());
            let spec = ModelSpec { routing, ..plain(&backbone) };
            let spec = ModelSpec { tasks: vec![Task::QueryProduct, Task::QueryType], ..spec };
            let model = loaded(&folder(family), spec, &Device::flex().autodiff());
            let model = freeze(model, &["embeddings".to_owned()]).unwrap();
            let golden = Golden::read(family);
            // Only one of the two tasks has rows.
            let rows = golden.rows(|_| Task::QueryType);
            let grades: Vec<_> =
                golden.labels.iter().map(|&label| Grade::from_index(label).unwrap()).collect();
            let ones = vec![1.0; grades.len()];
            let losses = |model: &RelevanceModel| {
                let logits = forward(model, &pack(&rows));
                row_losses(logits, &grades, &ones, &LossConfig::default()).mean()
            };
            let loss = losses(&model);
            let found = gradients(&model, &loss.backward());
            for info in parameters(&model) {
                let frozen = info.name.starts_with("embeddings.");
                let idle = info.name.starts_with("branches.query-product.");
                assert_eq!(info.trainable, !frozen, "{what}: {}", info.name);
                assert_eq!(
                    found.contains_key(&info.name),
                    !frozen && !idle,
                    "{what}: {}",
                    info.name
                );
            }
            // A step along the gradient must lower the loss.
            let stepped = load::<()>(model.clone(), |name, shape| {
                let Some(gradient) = found.get(name) else { return Ok(None) };
                assert_eq!(gradient.shape, shape);
                let values = dump(&model)[name].data.clone();
                Ok(Some(values.iter().zip(&gradient.data).map(|(x, g)| x - 1e-2 * g).collect()))
            });
            let (before, after) = (floats(loss)[0], floats(losses(&stepped.unwrap()))[0]);
            assert!(after < before, "{what}: loss {before} became {after}");
        }
    }
}

#[test]
fn private_layers_are_copies_of_the_top_of_the_backbone() {
    for family in all() {
        let backbone = Backbone::open(&folder(family)).unwrap();
        let golden = Golden::read(family);
        for routing in [Routing::MULTI_HEAD, Routing::mhp(1), Routing::mhp(2)] {
            let spec = ModelSpec { routing, tasks: Task::ALL.to_vec(), ..plain(&backbone) };
            let model = loaded(&folder(family), spec, &Device::flex());
            // Each branch starts with the backbone's top blocks and head, so that every task gives the logits
            // of the golden model.
            for task in Task::ALL {
                let found = forward(&model, &pack(&golden.rows(|_| task)));
                let what = format!("{family}, {}, {task}", routing.label());
                assert_close(&floats(found), &golden.logits.concat(), 1e-4, &what);
            }
        }
    }
}

#[test]
fn a_reranker_keeps_its_order_under_either_head() {
    let place = tempfile::tempdir().unwrap();
    let source = folder("xlm_roberta");
    let text = std::fs::read_to_string(source.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["id2label"] = serde_json::json!({ "0": "LABEL_0" });
    config["label2id"] = serde_json::json!({ "LABEL_0": 0 });
    std::fs::write(place.path().join("config.json"), config.to_string()).unwrap();
    // The golden model's third label alone, as the single label of a reranker.
    let archive = Archive::read(&source.join("model.safetensors"), |_| false).unwrap();
    let mut tensors: std::collections::BTreeMap<_, _> = archive
        .names()
        .map(|name| {
            let shape = archive.shape(name).unwrap().to_vec();
            let data = archive.get(name, &shape).unwrap().to_vec();
            (name.to_owned(), sextant_model::Values { shape, data })
        })
        .collect();
    for name in ["classifier.out_proj.weight", "classifier.out_proj.bias"] {
        let values = tensors.get_mut(name).unwrap();
        values.data = values.data[values.data.len() / 3 * 2..].to_vec();
        values.shape[0] = 1;
    }
    Archive::write(&place.path().join("model.safetensors"), &tensors).unwrap();

    let golden = Golden::read("xlm_roberta");
    let rows = pack(&golden.rows(|_| Task::QueryProduct));
    let z: Vec<f32> = golden.logits.iter().map(|row| row[2]).collect();
    let backbone = Backbone::open(place.path()).unwrap();
    for head in [HeadKind::Softmax, HeadKind::Cumulative] {
        let spec = ModelSpec { head, ..plain(&backbone) };
        let model = loaded(place.path(), spec, &Device::flex());
        let logits = forward(&model, &rows);
        match head {
            HeadKind::Softmax => {
                let expected: Vec<f32> = z.iter().flat_map(|z| [-z, 0.0, *z]).collect();
                assert_close(&floats(logits.clone()), &expected, 1e-4, "softmax");
            }
            HeadKind::Cumulative => {
                // The thresholds lie around a relevance of 0, four apart.
                let expected: Vec<f32> = z.iter().flat_map(|z| [z + 2.0, z - 2.0]).collect();
                assert_close(&floats(logits.clone()), &expected, 1e-4, "cumulative");
            }
        }
        let scores: Vec<f32> =
            model.predictions(logits).iter().map(|p| p.probs[1] / 2.0 + p.probs[2]).collect();
        for i in 0..z.len() {
            for j in 0..z.len() {
                assert_eq!(z[i] < z[j], scores[i] < scores[j], "order of rows {i} and {j}");
            }
        }
    }
}

#[test]
fn a_decoder_is_not_pooled_at_its_first_token() {
    let backbone = Backbone::open(&folder("llama")).unwrap();
    let spec = ModelSpec { pooling: sextant_model::Pooling::Cls, ..plain(&backbone) };
    assert!(spec.validate().unwrap_err().to_string().contains("pooling = \"last\""));
}
