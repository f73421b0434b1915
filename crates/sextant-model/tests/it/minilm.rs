//! The real all-MiniLM-L6-v2, compared with `transformers`. `scripts/goldens/minilm.py` wrote the expected
//! numbers.
//!
//! The weights are not part of the repository: `sextant get minilm` fetches them, and `SEXTANT_MINILM` may
//! name their folder. Without the weights, the test prints that it is skipped and passes.

use crate::support::assert_close;
use burn::tensor::Device;
use serde::Deserialize;
use sextant_core::{Pair, Task};
use sextant_model::backbone::Backbone;
use sextant_model::{Pooling, RelevanceModel, Routing, initialize, load};
use sextant_text::{Cut, EncodedRow, Encoder, Pack, RowFormat, TextConfig, Tokenizer};
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    pairs: Vec<GoldenPair>,
}

#[derive(Deserialize)]
struct GoldenPair {
    left: String,
    right: String,
    input_ids: Vec<u32>,
    token_type_ids: Vec<u8>,
    cls: Vec<f32>,
    cls_norm: f32,
    mean: Vec<f32>,
}

/// The rows of the golden pairs, as `transformers` encoded them.
pub(crate) fn golden_rows() -> Vec<EncodedRow> {
    let golden: Golden = serde_json::from_str(include_str!("../goldens/minilm.json")).unwrap();
    let row = |pair: GoldenPair| EncodedRow {
        task: Task::QueryQuery,
        ids: pair.input_ids,
        segments: pair.token_type_ids,
        cut: Cut::default(),
    };
    golden.pairs.into_iter().map(row).collect()
}

pub(crate) fn weights() -> Option<PathBuf> {
    let folder = std::env::var_os("SEXTANT_MINILM").map(PathBuf::from).or_else(|| {
        let cache = PathBuf::from(std::env::var_os("HOME")?).join(".cache");
        Some(cache.join("sextant/backbones/minilm"))
    })?;
    folder.join("model.safetensors").exists().then_some(folder)
}

/// The hidden state that the head reads, obtained through heads that each copy three of its entries.
fn pooled(folder: &std::path::Path, pooling: Pooling, pack: &Pack) -> Vec<Vec<f32>> {
    let backbone = Backbone::open(folder).unwrap();
    let spec = sextant_model::ModelSpec {
        tasks: vec![Task::QueryQuery],
        ..crate::support::spec(
            backbone.config().clone(),
            Routing { prefix: false, ..Routing::TEXT_PREFIX },
            pooling,
        )
    };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 1);
    let mut model = backbone.load_into(model).unwrap();
    let mut found = vec![Vec::new(); pack.row_count()];
    for first in (0..backbone.config().hidden_size).step_by(3) {
        model = load::<()>(model, |name, shape| {
            Ok((name == "branches.shared.classifier.weight").then(|| {
                let mut weight = vec![0.0; shape[0] * 3];
                (0..3).for_each(|i| weight[(first + i) * 3 + i] = 1.0);
                weight
            }))
        })
        .unwrap();
        for (row, numbers) in
            crate::support::matrix(crate::support::forward(&model, pack)).into_iter().enumerate()
        {
            found[row].extend(numbers);
        }
    }
    found
}

#[test]
fn hidden_states_are_those_of_transformers() {
    let Some(folder) = weights() else {
        println!("skipped: no weights here; `sextant get minilm` fetches them");
        return;
    };
    let path = crate::goldens::folder("minilm.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let tokenizer =
        Tokenizer::from_file(folder.join("tokenizer.json"), &[RowFormat::BERT]).unwrap();
    let encoder = Encoder::new(tokenizer, TextConfig::default()).unwrap();
    let rows: Vec<_> = golden
        .pairs
        .iter()
        .map(|pair| {
            let pair = Pair {
                task: Task::QueryQuery,
                left: pair.left.as_str().into(),
                right: pair.right.as_str().into(),
            };
            encoder.encode(&pair).unwrap()
        })
        .collect();
    for (row, expected) in rows.iter().zip(&golden.pairs) {
        assert_eq!(row.ids, expected.input_ids, "{}", expected.left);
        assert_eq!(row.segments, expected.token_type_ids, "{}", expected.left);
    }
    let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
    for (found, expected) in pooled(&folder, Pooling::Cls, &pack).iter().zip(&golden.pairs) {
        assert_close(&found[..expected.cls.len()], &expected.cls, 1e-4, &expected.left);
        let norm = found.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert_close(&[norm], &[expected.cls_norm], 1e-4 * expected.cls_norm, "norm");
    }
    for (found, expected) in pooled(&folder, Pooling::Mean, &pack).iter().zip(&golden.pairs) {
        assert_close(&found[..expected.mean.len()], &expected.mean, 1e-4, &expected.left);
    }
}
