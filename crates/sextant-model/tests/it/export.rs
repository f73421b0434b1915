//! Exports: reading a Hugging Face folder again, the contents of an ONNX file, and models that cannot be
//! exported. `scripts/check_exports.py` checks that `transformers` and ONNX Runtime compute the same.

use crate::families::{FAMILIES, Golden, folder, loaded, plain};
use crate::support::{assert_close, floats, forward, pack};
use burn::tensor::Device;
use sextant_core::{Pair, Task};
use sextant_files::Existing;
use sextant_kernels::ScorePrecision;
use sextant_model::backbone::Backbone;
use sextant_model::bundle::{self, Bundle};
use sextant_model::export::{Numbers, Rounding, huggingface, onnx};
use sextant_model::{
    HeadKind, MixtureConfig, ModelError, ModelSpec, Pooling, Predictor, PrivateInit, Routing, dump,
    initialize, load,
};
use sextant_text::{Encoder, RowFormat, TextConfig, Tokenizer};
use std::path::Path;

/// A tokenizer of words `w4` … `w39` with a family's special tokens.
pub(crate) fn tokenizer(family: &str) -> Tokenizer {
    let special = if family.ends_with("roberta") {
        ["<s>", "<pad>", "</s>", "<unk>"]
    } else {
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    };
    let words = (4..40).map(|id| (format!("w{id}"), id.into()));
    let vocab: serde_json::Map<String, serde_json::Value> =
        (0..4).map(|id| (special[id].to_owned(), id.into())).chain(words).collect();
    let unknown = special.iter().find(|token| token.to_lowercase().contains("unk")).unwrap();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": unknown },
    });
    let rows = [RowFormat::BERT, RowFormat::ROBERTA];
    Tokenizer::from_bytes(json.to_string().as_bytes(), "the test", &rows).unwrap()
}

/// A bundle of a family's golden checkpoint under a routing, with every parameter moved a little, so
/// that tasks differ.
fn saved(place: &Path, family: &str, change: impl FnOnce(ModelSpec) -> ModelSpec) -> Bundle {
    let backbone = Backbone::open(&folder(family)).unwrap();
    let spec = change(ModelSpec { tasks: Task::ALL.to_vec(), ..plain(&backbone) });
    let model = loaded(&folder(family), spec, &Device::flex());
    let noise = dump(&initialize(model.clone(), 5));
    let moved = load::<()>(model.clone(), |name, shape| {
        let values = &dump(&model)[name].data;
        let noise = noise[name].data.iter();
        let vector = shape.len() == 1;
        Ok(Some(values.iter().zip(noise).map(|(x, n)| if vector { *x } else { x + n }).collect()))
    });
    let config = TextConfig { max_tokens: 40, prefix: true, ..TextConfig::default() };
    let encoder = Encoder::new(tokenizer(family), config).unwrap();
    bundle::save(place, Existing::Own, &moved.unwrap(), &encoder, serde_json::Value::Null).unwrap();
    bundle::open(place, &Device::flex()).unwrap()
}

#[test]
fn every_task_of_every_routing_comes_back_from_its_export() {
    let fresh = Routing { private_init: PrivateInit::Fresh, ..Routing::mhp(1) };
    for family in FAMILIES {
        let golden = Golden::read(family);
        for routing in [Routing::TEXT_PREFIX, Routing::MULTI_HEAD, Routing::mhp(1), fresh] {
            let place = tempfile::tempdir().unwrap();
            let bundle =
                saved(&place.path().join("bundle"), family, |spec| ModelSpec { routing, ..spec });
            let out = place.path().join("export");
            for task in [Task::QueryProduct, Task::TypeType] {
                let what = format!("{family}, {}, {task}", routing.label());
                huggingface(&bundle, task, &out, Existing::Overwrite).unwrap(); // the second replaces the first
                let backbone = Backbone::open(&out).unwrap();
                assert_eq!(backbone.config().layers, bundle.model.spec().depth(), "{what}");
                let model = loaded(&out, plain(&backbone), &Device::flex());
                let rows = pack(&golden.rows(|_| Task::QueryProduct));
                let found = floats(forward(&model, &rows));
                let expected = forward(&bundle.model, &pack(&golden.rows(|_| task)));
                assert_close(&found, &floats(expected), 1e-6, &what);
                assert_eq!(backbone.labels(), ["irrelevant", "partial", "relevant"]);
            }
        }
    }
}

#[test]
fn the_exported_tokenizer_writes_the_rows_of_training() {
    for family in ["bert", "roberta"] {
        let place = tempfile::tempdir().unwrap();
        let bundle = saved(&place.path().join("bundle"), family, |spec| spec);
        let out = place.path().join("export");
        huggingface(&bundle, Task::QueryProduct, &out, Existing::Own).unwrap();
        let task = Task::QueryQuery;
        let pair = Pair { task, left: "w5 w6".to_owned().into(), right: "w7".to_owned().into() };
        let row = bundle.encoder.encode(&pair).unwrap();
        let [left, right] = bundle.encoder.texts(&pair);
        assert_eq!(left, "task: query-query | w5 w6");
        let theirs = tokenizers::Tokenizer::from_file(out.join("tokenizer.json")).unwrap();
        let encoding = theirs.encode((left, right), true).unwrap();
        assert_eq!(encoding.get_ids(), row.ids, "{family}");
        let segments: Vec<u32> = row.segments.iter().map(|&segment| segment.into()).collect();
        assert_eq!(encoding.get_type_ids(), segments, "{family}");
        let card = std::fs::read_to_string(out.join("README.md")).unwrap();
        assert!(card.contains("task: query-product | "), "{card}");
    }
}

fn refusal(result: Result<(), ModelError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_a_class_cannot_express_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let task = Task::QueryProduct;

    let ordinal = saved(&at("a"), "bert", |spec| ModelSpec { head: HeadKind::Cumulative, ..spec });
    assert!(
        refusal(huggingface(&ordinal, task, &at("out"), Existing::Refuse))
            .contains("ordinal heads")
    );
    assert!(
        refusal(onnx(&ordinal, task, Numbers::F32, None, &at("out"), Existing::Refuse))
            .contains("ordinal heads")
    );

    let plain = saved(&at("b"), "bert", |spec| ModelSpec { dense: false, ..spec });
    assert!(
        refusal(huggingface(&plain, task, &at("out"), Existing::Refuse))
            .contains("model.dense = true")
    );
    onnx(&plain, task, Numbers::F32, None, &at("c"), Existing::Refuse).unwrap();

    let mean = saved(&at("d"), "bert", |spec| ModelSpec { pooling: Pooling::Mean, ..spec });
    assert!(
        refusal(huggingface(&mean, task, &at("out"), Existing::Refuse)).contains("pools by `mean`")
    );
    let mean = saved(&at("e"), "modernbert", |spec| ModelSpec { pooling: Pooling::Mean, ..spec });
    huggingface(&mean, task, &at("f"), Existing::Refuse).unwrap();

    let mixture = |name, levels| {
        let config = MixtureConfig { experts: 2, task_experts: 1, levels };
        let routing = Routing::mixture(config);
        saved(&at(name), "bert", |spec| ModelSpec { routing, dense: false, ..spec })
    };
    let level = mixture("h", 1);
    assert!(
        refusal(huggingface(&level, task, &at("out"), Existing::Refuse))
            .contains("mixture of experts")
    );
    onnx(&level, task, Numbers::F32, None, &at("i"), Existing::Refuse).unwrap();
    let levels = mixture("j", 2);
    assert!(
        refusal(onnx(&levels, task, Numbers::F32, None, &at("out"), Existing::Refuse))
            .contains("one level")
    );

    let one = saved(&at("g"), "bert", |spec| ModelSpec { tasks: vec![task], ..spec });
    assert!(
        refusal(huggingface(&one, Task::TypeType, &at("out"), Existing::Refuse))
            .contains("query-product")
    );

    // A folder that is not an export stays as it is.
    std::fs::create_dir(at("mine")).unwrap();
    std::fs::write(at("mine").join("README.md"), "my notes").unwrap();
    assert!(
        refusal(huggingface(&one, task, &at("mine"), Existing::Refuse)).contains("--overwrite")
    );
    assert_eq!(std::fs::read_to_string(at("mine").join("README.md")).unwrap(), "my notes");
    assert!(!at("out").exists());
}

#[test]
fn int8_files_are_smaller_and_both_hold_the_tokenizer() {
    let place = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let bundle = saved(&place.path().join(family), family, |spec| ModelSpec {
            routing: Routing::mhp(1),
            ..spec
        });
        let sizes = [Numbers::F32, Numbers::Int8].map(|numbers| {
            let out = place.path().join("out");
            onnx(&bundle, Task::QueryType, numbers, None, &out, Existing::Own).unwrap();
            assert!(out.join("tokenizer.json").exists());
            std::fs::metadata(out.join("model.onnx")).unwrap().len()
        });
        assert!(sizes[1] < sizes[0], "{family}: {sizes:?}");
    }
}

/// The card of a file in 8 bits states only what was measured on this bundle, or that nothing was measured.
#[test]
fn a_card_states_what_was_measured_on_its_bundle() {
    let place = tempfile::tempdir().unwrap();
    let bundle = saved(&place.path().join("bundle"), "bert", |spec| spec);
    let task = Task::QueryType;
    let card = |rounding: Option<&Rounding>| {
        let out = place.path().join("out");
        onnx(&bundle, task, Numbers::Int8, rounding, &out, Existing::Own).unwrap();
        std::fs::read_to_string(out.join("README.md")).unwrap()
    };
    let unmeasured = card(None);
    assert!(unmeasured.contains("Nothing was measured on this bundle"), "{unmeasured}");
    assert!(!unmeasured.contains("MiniLM"), "{unmeasured}");

    let pairs: Vec<Pair> = ["w5 w6", "w7", "w8 w9 w10"]
        .map(|left| Pair { task, left: left.into(), right: "w11".into() })
        .into();
    let rounding = Rounding::measure(&bundle, &pairs, "pairs.csv").unwrap();
    assert_eq!((rounding.pairs, rounding.source.as_str()), (3, "pairs.csv"));
    // The measurement must be that of scoring in both precisions.
    let answers = [ScorePrecision::F32, ScorePrecision::Int8].map(|precision| {
        let bundle = bundle::open(&place.path().join("bundle"), &Device::flex()).unwrap();
        Predictor::new(bundle, precision).predict(&pairs).unwrap()
    });
    let largest = answers[0]
        .iter()
        .zip(&answers[1])
        .flat_map(|(one, other)| one.probs.into_iter().zip(other.probs))
        .map(|(one, other)| f64::from((one - other).abs()))
        .fold(0.0, f64::max);
    assert!(largest > 0.0 && rounding.largest == largest, "{rounding:?} {largest}");
    let measured = card(Some(&rounding));
    let stated = format!(
        "on 3 pairs of `pairs.csv`: a probability differs from that in `f32` by {:.2e}",
        rounding.mean
    );
    assert!(measured.contains(&stated), "{measured}");
    assert!(measured.contains(&format!("{} of 3 grades change", rounding.flipped)), "{measured}");
    assert!(!measured.contains("Nothing was measured"), "{measured}");

    let error = Rounding::measure(&bundle, &[], "pairs.csv").unwrap_err().to_string();
    assert!(error.contains("no pairs") && error.contains("pairs.csv"), "{error}");
}
