//! Adapters over frozen weights, in every family and routing.

use crate::families::{DECODERS, Golden, folder, loaded, plain};
use crate::support::{assert_close, floats, forward, gradients, matrix, pack};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sextant_core::Task;
use sextant_files::Existing;
use sextant_kernels::{FrozenFormat, Precision};
use sextant_model::backbone::Backbone;
use sextant_model::{
    Activations, ForwardContext, Heads, LoraConfig, ModelSpec, PackInput, Private, PrivateInit,
    RelevanceModel, Routing, SharedBases, bundle, dump, freeze, frozen_weights, load, merge,
    parameters,
};
use sextant_text::{Encoder, TextConfig};

pub(crate) const ADAPTER: Routing = Routing { private: Private::Adapter, ..Routing::mhp(1) };
pub(crate) const PLAIN: Routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };

pub(crate) fn lora(base: FrozenFormat) -> LoraConfig {
    LoraConfig { rank: 3, alpha: 6.0, base, ..LoraConfig::default() }
}

pub(crate) fn adapted(family: &str, routing: Routing, lora: Option<LoraConfig>) -> RelevanceModel {
    let backbone = Backbone::open(&folder(family)).unwrap();
    let tasks = vec![Task::QueryProduct, Task::QueryType];
    let spec = ModelSpec { routing, tasks, lora, ..plain(&backbone) };
    let model = loaded(&folder(family), spec, &Device::flex().autodiff());
    freeze(model, &[]).unwrap()
}

/// Gives the second factors values other than zero, so that adapters change something.
pub(crate) fn stirred(model: RelevanceModel) -> RelevanceModel {
    load::<()>(model, |name, shape| {
        let stir = |i: usize| ((i * 37 + name.len() * 11) % 19) as f32 / 95.0 - 0.1;
        Ok((name.rsplit('.').next() == Some("b"))
            .then(|| (0..shape.iter().product()).map(stir).collect()))
    })
    .unwrap()
}

pub(crate) fn golden_pack(family: &str) -> sextant_text::Pack {
    let task = |i: usize| [Task::QueryProduct, Task::QueryType][i % 2];
    pack(&Golden::read(family).rows(task))
}

fn logits(model: &RelevanceModel, family: &str) -> Vec<f32> {
    floats(forward(model, &golden_pack(family)).inner())
}

#[test]
fn fresh_adapters_change_nothing() {
    for family in DECODERS.into_iter().chain(["bert", "deberta_v2", "modernbert"]) {
        for routing in [PLAIN, Routing::MULTI_HEAD, Routing::mhp(1), ADAPTER] {
            let full = Routing { private: Private::Full, ..routing };
            let expected = logits(&adapted(family, full, None), family);
            let found = logits(&adapted(family, routing, Some(lora(FrozenFormat::F32))), family);
            assert_close(&found, &expected, 1e-5, &format!("{family} {}", routing.label()));
        }
    }
}

#[test]
fn merging_keeps_the_logits() {
    for family in DECODERS.into_iter().chain(["bert", "deberta_v2"]) {
        for base in FrozenFormat::ALL {
            for routing in [PLAIN, ADAPTER] {
                let model = stirred(adapted(family, routing, Some(lora(base))));
                let expected = logits(&model, family);
                let untouched = logits(&adapted(family, routing, Some(lora(base))), family);
                assert_ne!(expected, untouched, "{family}: adapters do nothing");
                let merged = merge(model).unwrap();
                assert!(merged.spec().lora.is_none() && frozen_weights(&merged).is_empty());
                let what = format!("{family} {base} {}", routing.label());
                assert_close(&logits(&merged, family), &expected, 1e-4, &what);
            }
        }
    }
}

#[test]
fn what_is_trained_is_what_the_configuration_says() {
    let backbone = Backbone::open(&folder("llama")).unwrap();
    let config = backbone.config();
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (queries, keys) =
        (config.attention_heads * config.head_dim(), config.key_value_heads() * config.head_dim());
    let count = |model: &RelevanceModel| -> usize {
        parameters(model)
            .iter()
            .filter(|info| info.trainable)
            .map(sextant_model::ParamInfo::len)
            .sum()
    };
    let rank = 3;
    let sizes = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
        .into_iter()
        .chain([(hidden, inner), (hidden, inner), (inner, hidden)]);
    let of_block: usize = sizes.map(|(inputs, outputs)| rank * (inputs + outputs)).sum();
    let head = 3 * hidden;
    let all = adapted("llama", PLAIN, Some(lora(FrozenFormat::Int4)));
    assert_eq!(count(&all), config.layers * of_block + head);
    let adapters = adapted("llama", ADAPTER, Some(lora(FrozenFormat::Int4)));
    assert_eq!(count(&adapters), (config.layers - 1 + 2) * of_block + 2 * head);
    let some = LoraConfig {
        target_modules: vec!["q_proj".into(), "v_proj".into()],
        modules_to_save: vec!["trunk_norm".into()],
        ..lora(FrozenFormat::Int4)
    };
    let some = adapted("llama", PLAIN, Some(some));
    let of_block = rank * (hidden + queries) + rank * (hidden + keys);
    assert_eq!(count(&some), config.layers * of_block + head + hidden);
    let dense =
        LoraConfig { modules_to_save: vec!["trunk.0.down".into()], ..LoraConfig::default() };
    let names: Vec<_> = parameters(&adapted("llama", PLAIN, Some(dense)))
        .into_iter()
        .filter(|info| info.trainable)
        .map(|info| info.name)
        .collect();
    assert!(names.contains(&"trunk.0.down.weight".to_owned()), "{names:?}");
    assert!(!names.contains(&"trunk.1.down.weight".to_owned()), "{names:?}");
}

/// Trained parameters get a gradient. Frozen ones, and those of a task without rows, get none.
#[test]
fn gradients_reach_adapters_only() {
    for routing in [PLAIN, Routing::mhp(1), ADAPTER] {
        let model = stirred(adapted("llama", routing, Some(lora(FrozenFormat::Int8))));
        let rows = Golden::read("llama").rows(|_| Task::QueryType);
        let loss = forward(&model, &pack(&rows)).sum();
        let found = gradients(&model, &loss.backward());
        for info in parameters(&model) {
            let absent = info.name.starts_with("branches.query-product.");
            let expected = info.trainable && !absent;
            let what = format!("{} in {}", info.name, routing.label());
            assert_eq!(found.contains_key(&info.name), expected, "{what}");
            if let Some(gradient) = found.get(&info.name) {
                assert!(gradient.data.iter().any(|&x| x != 0.0), "{what} is zero");
            }
        }
    }
}

/// Gradients of adapters are compared with finite differences of the loss.
#[test]
fn gradients_are_slopes() {
    let model = stirred(adapted("gemma3", ADAPTER, Some(lora(FrozenFormat::F32))));
    let pack = golden_pack("gemma3");
    let loss = |model: &RelevanceModel| forward(model, &pack).powi_scalar(2).sum();
    let found = gradients(&model, &loss(&model).backward());
    let moved = |by: f32| {
        let model = load::<()>(model.clone(), |name, _| {
            let direction = |i: usize| ((i * 31 + name.len()) % 7) as f32 / 7.0 - 0.4;
            let values = dump(&model).remove(name).unwrap().data;
            let step = |(i, x): (usize, f32)| x + by * direction(i);
            let adapted = name.contains(".lora.");
            Ok(adapted.then(|| values.into_iter().enumerate().map(step).collect()))
        });
        f64::from(floats(loss(&model.unwrap()).inner())[0])
    };
    let step = 2e-3;
    let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
    let mut ours = 0.0;
    for (name, gradient) in found.iter().filter(|(name, _)| name.contains(".lora.")) {
        let direction = |i: usize| f64::from(((i * 31 + name.len()) % 7) as f32 / 7.0 - 0.4);
        let terms = gradient.data.iter().enumerate();
        ours += terms.map(|(i, &g)| f64::from(g) * direction(i)).sum::<f64>();
    }
    assert!((ours - slope).abs() < 1e-2 * slope.abs().max(0.1), "gradient {ours}, slope {slope}");
}

#[test]
fn packed_rows_score_as_single_ones() {
    for base in FrozenFormat::ALL {
        let model = stirred(adapted("llama", ADAPTER, Some(lora(base)))).valid();
        let mut rows = Golden::read("llama").rows(|i| [Task::QueryProduct, Task::QueryType][i % 2]);
        rows[0].ids.truncate(1);
        rows[0].segments.truncate(1);
        let together = pack(&rows);
        let all = matrix(forward(&model, &together));
        for (place, &row) in together.rows.iter().enumerate() {
            let alone = floats(forward(&model, &pack(&rows[row..=row])));
            assert_close(&alone, &all[place], 1e-5, &format!("{base} row {row}"));
        }
    }
}

/// Going through the model block by block gives the same bits as a plain backward pass, also with dropout, whether
/// activations are kept or computed again.
#[test]
fn passes_by_blocks_change_no_bit() {
    let dropping = LoraConfig { dropout: 0.2, ..lora(FrozenFormat::F32) };
    let cases = [
        ("llama", PLAIN, Some(dropping.clone())),
        ("llama", ADAPTER, Some(dropping)),
        ("gemma2", Routing::mhp(1), None),
        ("bert", Routing::MULTI_HEAD, None),
        ("deberta_v2", Routing::mhp(1), None),
    ];
    let cases = cases
        .into_iter()
        .flat_map(|case| Precision::ALL.map(|precision| (case.clone(), precision)));
    for ((family, routing, lora), precision) in cases {
        let model = stirred(adapted(family, routing, lora));
        let what = format!("{family} {} {precision}", routing.label());
        let input = PackInput::new(&golden_pack(family), &model.device()).unwrap();
        let context = || ForwardContext::training(precision, &[3, 1]);
        let loss = |logits: Tensor<2>| logits.powi_scalar(2).sum();
        let plain = loss(model.forward(&input, &context()).unwrap()).backward();
        let expected = gradients(&model, &plain);
        let stages: std::collections::BTreeMap<String, usize> = sextant_model::parameters(&model)
            .into_iter()
            .map(|info| info.name)
            .zip(model.backward_stages())
            .collect();
        for activations in [Activations::Kept, Activations::Recomputed] {
            let mut found = std::collections::BTreeMap::new();
            let mut stage = 0;
            let each = |part| {
                for (name, gradient) in gradients(&model, &part) {
                    let last = stages[&name];
                    let shared = name.starts_with("embeddings.relative");
                    assert!(
                        stage == last || (shared && stage < last),
                        "{what} {name}: {stage} of {last}"
                    );
                    match found.entry(name) {
                        std::collections::btree_map::Entry::Vacant(place) => {
                            place.insert(gradient);
                        }
                        // Every block adds a gradient to the embeddings of relative positions.
                        std::collections::btree_map::Entry::Occupied(mut place) => {
                            let sum = place.get_mut().data.iter_mut().zip(gradient.data);
                            sum.for_each(|(sum, x)| *sum += x);
                        }
                    }
                }
                stage += 1;
            };
            model.backward_by_blocks(&input, &context(), activations, loss, each).unwrap();
            assert_eq!(
                found.keys().collect::<Vec<_>>(),
                expected.keys().collect::<Vec<_>>(),
                "{what}"
            );
            for (name, gradient) in &expected {
                let shared = name.starts_with("embeddings.relative");
                let what = format!("{what} {name}");
                if shared {
                    let bound = if precision == Precision::F32 { 1e-4 } else { 2e-2 };
                    assert_close(&found[name].data, &gradient.data, bound, &what);
                } else {
                    assert!(found[name] == *gradient, "{what}");
                }
            }
        }
    }
}

pub(crate) fn saved(place: &std::path::Path, model: &RelevanceModel) {
    let config = TextConfig { max_tokens: 24, ..TextConfig::default() };
    let encoder = Encoder::new(crate::export::tokenizer("bert"), config).unwrap();
    bundle::save(place, Existing::Own, model, &encoder, serde_json::Value::Null).unwrap();
}

#[test]
fn bundles_come_back_bit_for_bit_and_share_their_base() {
    let place = tempfile::tempdir().unwrap();
    for base in FrozenFormat::ALL {
        let model = stirred(adapted("bert", ADAPTER, Some(lora(base))));
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        saved(&one, &model);
        saved(&two, &adapted("bert", ADAPTER, Some(lora(base))));
        let expected = logits(&model, "bert");
        let device = Device::flex();
        let alone = bundle::open(&one, &device).unwrap().model;
        assert_eq!(logits(&alone.clone().no_grad(), "bert"), expected, "{base}");
        let mut bases = SharedBases::default();
        let first = bundle::open_sharing(&one, &device, &mut bases).unwrap().model;
        let second = bundle::open_sharing(&two, &device, &mut bases).unwrap().model;
        assert_eq!(logits(&first, "bert"), expected);
        assert_ne!(logits(&second, "bert"), expected);
        for (name, weight) in frozen_weights(&first) {
            assert!(weight.shares_memory_with(&frozen_weights(&second)[&name]), "{name}");
            assert!(!weight.shares_memory_with(&frozen_weights(&alone)[&name]), "{name}");
        }
        // The adapters of both tasks share the weights of one block.
        let frozen = |branch: usize| first.branches[branch].layers[0].qkv.frozen().unwrap();
        assert!(frozen(0).shares_memory_with(frozen(1)));
    }
    std::fs::remove_file(place.path().join("one/base.safetensors")).unwrap();
    let error = bundle::open(&place.path().join("one"), &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("base.safetensors"), "{error}");
}

#[test]
fn what_cannot_be_is_refused() {
    let backbone = Backbone::open(&folder("llama")).unwrap();
    let refused = |change: &dyn Fn(&mut ModelSpec), part: &str| {
        let mut spec = ModelSpec { lora: Some(LoraConfig::default()), ..plain(&backbone) };
        spec.routing = ADAPTER;
        change(&mut spec);
        let error = RelevanceModel::zeros(spec, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(&|spec| spec.lora = None, "needs LoRA");
    refused(&|spec| spec.routing.private_init = PrivateInit::Fresh, "private_init");
    refused(&|spec| spec.routing.heads = Heads::Shared, "per_task");
    let zero = |change: &dyn Fn(&mut LoraConfig), part: &str| {
        refused(&|spec| spec.lora.iter_mut().for_each(change), part);
    };
    zero(&|lora| lora.rank = 0, "lora.rank");
    zero(&|lora| lora.alpha = -1.0, "lora.alpha");
    zero(&|lora| lora.dropout = 1.0, "lora.dropout");
    zero(&|lora| lora.target_modules = vec!["query_proj".into()], "query_proj");
}
