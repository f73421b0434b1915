//! Exports contain the files that encode pairs as in training.
//!
//! `scripts/check_exports.py` checks that the Python file gives the same ids, and that other programs compute
//! the same probabilities from them. It reads what this test leaves in the folder that `SEXTANT_KEEP_EXPORTS`
//! names: for every family its exports, and rows with Sextant's ids and probabilities.

#[path = "../../../sextant-text/tests/common/hard_pairs.rs"]
mod hard_pairs;

use crate::families::{DECODERS, FAMILIES, folder, plain};
use crate::support::{floats, forward, pack};
use burn::tensor::{Device, activation::softmax};
use hard_pairs::{encoder, hard_pairs, tokenizer};
use serde_json::{Value, json};
use sextant_core::Task;
use sextant_files::Existing;
use sextant_model::backbone::Backbone;
use sextant_model::bundle::{self, Bundle};
use sextant_model::export::{Numbers, huggingface, onnx};
use sextant_model::{ModelSpec, RelevanceModel, Routing, dump, initialize, load};
use std::path::Path;

/// A bundle of a family's shape with a tokenizer of the family's kind, and with weights so large that the
/// answers to different rows differ.
fn bundle(place: &Path, family: &str, prefix: bool) -> Bundle {
    let words = match family {
        "electra" | "distilbert" | "deberta_v2" => "bert",
        "qwen2" | "qwen3" => "llama",
        "gemma2" | "gemma3" => "gemma",
        other => other,
    };
    let backbone = Backbone::open(&folder(family)).unwrap();
    let mut spec = ModelSpec {
        tasks: Task::ALL.to_vec(),
        routing: Routing { prefix, ..Routing::MULTI_HEAD },
        ..plain(&backbone)
    };
    spec.backbone.vocab_size = tokenizer(words).vocab_size();
    spec.backbone.max_positions = 96;
    let device = Device::flex();
    let model = initialize(RelevanceModel::zeros(spec, &device).unwrap(), 7);
    let values = dump(&model);
    let scaled = load::<()>(model, |name, shape| {
        let scale = if shape.len() == 1 { 1.0 } else { 4.0 };
        Ok(Some(values[name].data.iter().map(|x| x * scale).collect()))
    });
    bundle::save(place, Existing::Own, &scaled.unwrap(), &encoder(words, prefix), Value::Null)
        .unwrap();
    bundle::open(place, &device).unwrap()
}

/// Exports a task in every format that the family supports, and writes Sextant's ids and probabilities of its
/// pairs beside the exports.
fn export(bundle: &Bundle, task: Task, place: &Path) -> Vec<&'static str> {
    huggingface(bundle, task, &place.join("hf"), Existing::Refuse).unwrap();
    let mut forms = vec!["hf"];
    if !bundle.model.spec().backbone.block.causal {
        onnx(bundle, task, Numbers::F32, None, &place.join("onnx"), Existing::Refuse).unwrap();
        forms.push("onnx");
    }
    let pairs: Vec<_> = hard_pairs().into_iter().filter(|pair| pair.task == task).collect();
    let rows = bundle.encoder.encode_all(&pairs).unwrap();
    let lines: Vec<Value> = pairs
        .iter()
        .zip(&rows)
        .map(|(pair, row)| {
            let logits = forward(&bundle.model, &pack(std::slice::from_ref(row)));
            json!({
                "left": pair.left, "right": pair.right, "ids": row.ids, "segments": row.segments,
                "probabilities": floats(softmax(logits, 1)),
            })
        })
        .collect();
    std::fs::write(place.join("rows.json"), Value::from(lines).to_string()).unwrap();
    forms
}

#[test]
fn every_export_says_how_pairs_are_written() {
    let kept = std::env::var_os("SEXTANT_KEEP_EXPORTS");
    let temporary = tempfile::tempdir().unwrap();
    let root = kept.as_ref().map_or(temporary.path(), Path::new);
    for (number, family) in FAMILIES.into_iter().chain(DECODERS).enumerate() {
        let place = root.join(family);
        let bundle = bundle(&place.join("bundle"), family, number % 2 == 1);
        // One task of each family is enough to check that the files are there; the script checks every task.
        let tasks = if kept.is_some() { Task::ALL.to_vec() } else { vec![Task::ALL[number % 6]] };
        for task in tasks {
            let place = place.join(task.as_str());
            std::fs::create_dir_all(&place).unwrap();
            for form in export(&bundle, task, &place) {
                let read =
                    |file: &str| std::fs::read_to_string(place.join(form).join(file)).unwrap();
                let config: Value = serde_json::from_str(&read("sextant_pair.json")).unwrap();
                let (encoder, what) = (&bundle.encoder, format!("{family}, {task}, {form}"));
                let layout = encoder.tokenizer().layout();
                let prefix = encoder.config().prefix_of(task).unwrap_or_default();
                let templates = &encoder.config().templates;
                let (left, right) = task.kinds();
                let template = |kind| match kind {
                    sextant_core::EntityKind::Query => &templates.query,
                    sextant_core::EntityKind::Product => &templates.product,
                    sextant_core::EntityKind::Type => &templates.r#type,
                };
                let expected = json!({
                    "format": 1, "task": task, "max_tokens": 64, "prefix": prefix,
                    "left": { "kind": left, "template": template(left) },
                    "right": { "kind": right, "template": template(right) },
                    "open": layout.open, "between": layout.between, "close": layout.close,
                    "right_segment": layout.right_segment,
                    "pad_id": encoder.tokenizer().pad_id(),
                    "inputs": config["inputs"],
                });
                assert_eq!(config, expected, "{what}");
                let two = bundle.model.spec().backbone.segment_types > 1;
                assert_eq!(config["inputs"].as_array().unwrap().len(), 2 + usize::from(two));
                assert!(read("sextant_pair.py").contains("class PairEncoder"), "{what}");
                assert!(read("README.md").contains("encoder = PairEncoder(\".\")"), "{what}");
            }
        }
    }
}
