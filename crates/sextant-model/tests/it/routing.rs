//! What each routing shares, keeps private, and leaves unchanged.

use crate::goldens::folder;
use crate::support::{assert_close, floats, forward, matrix, rows, spec};
use burn::tensor::Device;
use proptest::prelude::*;
use sextant_core::{Grade, Task};
use sextant_kernels::{Precision, ScorePrecision};
use sextant_model::backbone::Backbone;
use sextant_model::{
    BackboneConfig, Heads, LossConfig, LossKind, MixtureConfig, ModelSpec, PackInput,
    PackedWeights, Pooling, PrivateInit, RelevanceModel, Routing, dump, freeze, initialize,
    parameters, predict_rows, row_losses,
};
use sextant_text::{EncodedRow, Pack};
use std::collections::BTreeSet;
use std::ops::ControlFlow::Continue;
use std::sync::Arc;

const FRESH: Routing = Routing { private_init: PrivateInit::Fresh, ..Routing::mhp(1) };
const SHARED: Routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };
const MMOE: Routing = Routing::mixture(MixtureConfig { experts: 3, task_experts: 0, levels: 1 });
const MHP_PLE: Routing = Routing {
    mixture: Some(MixtureConfig { experts: 2, task_experts: 1, levels: 1 }),
    ..Routing::mhp(1)
};
const ALL: [Routing; 7] =
    [SHARED, Routing::MULTI_HEAD, Routing::mhp(1), Routing::mhp(2), FRESH, MMOE, MHP_PLE];

fn backbone() -> BackboneConfig {
    BackboneConfig {
        hidden_size: 32,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 48,
        max_positions: 64,
        ..BackboneConfig::small(50)
    }
}

fn model(routing: Routing, pooling: Pooling, device: &Device) -> RelevanceModel {
    let model = RelevanceModel::zeros(spec(backbone(), routing, pooling), device).unwrap();
    initialize(model, 3)
}

fn pack(rows: &[EncodedRow]) -> Pack {
    Pack::new(&rows.iter().enumerate().collect::<Vec<_>>())
}

fn packed(model: &RelevanceModel) -> Arc<PackedWeights> {
    Arc::new(PackedWeights::new(model, ScorePrecision::F32))
}

/// A change that makes a specification invalid.
type Change = fn(&mut ModelSpec);

/// Logits in the order of `rows`, run as one pack.
fn logits(model: &RelevanceModel, rows: &[EncodedRow]) -> Vec<Vec<f32>> {
    let pack = pack(rows);
    let mut found = vec![Vec::new(); rows.len()];
    for (&row, logits) in pack.rows.iter().zip(matrix(forward(model, &pack))) {
        found[row] = logits;
    }
    found
}

/// The same bits: whoever scores a pair twice, in other company, gets one answer.
#[test]
fn a_mixed_pack_gives_what_each_row_gives_alone() {
    let rows = rows(&[
        (Task::TypeType, 5),
        (Task::QueryProduct, 17),
        (Task::QueryProduct, 1),
        (Task::QueryType, 9),
        (Task::TypeType, 30),
        (Task::ProductProduct, 12),
    ]);
    for routing in ALL {
        for pooling in [Pooling::Cls, Pooling::Mean, Pooling::Last] {
            let model = model(routing, pooling, &Device::flex());
            let together = logits(&model, &rows);
            for (row, expected) in rows.iter().zip(&together) {
                let alone = logits(&model, std::slice::from_ref(row));
                let what = format!("{} {pooling:?} {}", routing.label(), row.task);
                assert_eq!(&alone[0], expected, "{what}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn predictions_do_not_depend_on_order_or_pack_size(
        shape in prop::collection::vec((0..Task::COUNT, 1_usize..40), 1..24),
        pack_tokens in 1_usize..200,
        turn in 0_usize..24,
    ) {
        let shape: Vec<_> = shape.into_iter().map(|(task, n)| (Task::ALL[task], n)).collect();
        let mut rows = rows(&shape);
        let model = model(Routing::mhp(1), Pooling::Cls, &Device::flex());
        let predict = |rows: &[EncodedRow], tokens| {
            predict_rows(&model, rows, &packed(&model), tokens, |_| Continue(())).unwrap()
        };
        let mut expected = predict(&rows, 4096);
        let turn = turn % rows.len();
        rows.rotate_left(turn);
        expected.rotate_left(turn);
        for (a, b) in predict(&rows, pack_tokens).iter().zip(&expected) {
            assert_close(&a.probs, &b.probs, 1e-5, "probabilities");
        }
    }
}

#[test]
fn a_step_reaches_the_trunk_and_the_branches_of_its_tasks_only() {
    let device = Device::flex().autodiff();
    let rows = rows(&[(Task::QueryProduct, 7), (Task::TypeType, 4)]);
    for routing in ALL {
        let model = freeze(model(routing, Pooling::Cls, &device), &[]).unwrap();
        let input = forward(&model, &pack(&rows));
        let grades = [Grade::Relevant, Grade::Irrelevant];
        let loss = row_losses(input, &grades, &[1.0, 1.0], &LossConfig::default()).sum();
        let reached = crate::support::with_gradient(&model, &loss.backward());
        for info in parameters(&model) {
            let absent = info.name.strip_prefix("branches.").is_some_and(|rest| {
                !["shared.", "query-product.", "type-type."].iter().any(|b| rest.starts_with(b))
            });
            assert_eq!(reached.contains(&info.name), !absent, "{}: {}", routing.label(), info.name);
        }
    }
}

#[test]
fn frozen_parameters_take_no_gradient() {
    let device = Device::flex().autodiff();
    let prefixes = ["embeddings", "trunk.0", "branches.query-product.layers"].map(str::to_owned);
    let model = freeze(model(Routing::mhp(1), Pooling::Cls, &device), &prefixes).unwrap();
    let rows = rows(&[(Task::QueryProduct, 7)]);
    let loss = forward(&model, &pack(&rows)).sum();
    let reached = crate::support::with_gradient(&model, &loss.backward());
    let expected: BTreeSet<String> =
        ["weight", "bias"].map(|kind| format!("branches.query-product.classifier.{kind}")).into();
    assert_eq!(reached, expected);
    let error = freeze(model, &["trunk.7".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("trunk.7"), "{error}");
}

#[test]
fn private_blocks_start_as_the_backbones_top_blocks() {
    let source = folder("bert_tiny");
    let config = Backbone::open(&source).unwrap().config().clone();
    let device = Device::flex();
    let load = |routing| {
        let spec = spec(config.clone(), routing, Pooling::Cls);
        let model = initialize(RelevanceModel::zeros(spec, &device).unwrap(), 1);
        dump(&Backbone::open(&source).unwrap().load_into(model).unwrap())
    };
    let plain = load(SHARED);
    let (private, fresh) = (load(Routing::mhp(1)), load(FRESH));
    let top = config.layers - 1;
    let mut compared = 0;
    for (name, values) in &plain {
        if let Some(rest) = name.strip_prefix(&format!("trunk.{top}.")) {
            assert!(!private.contains_key(name), "{name} left the trunk");
            for task in Task::ALL {
                assert_eq!(private[&format!("branches.{task}.layers.0.{rest}")], *values, "{rest}");
            }
            assert_eq!(fresh[name], *values, "fresh blocks leave the trunk whole");
            if rest.ends_with(".weight") {
                assert_ne!(fresh[&format!("branches.query-type.layers.0.{rest}")], *values);
            }
            compared += 1;
        } else if name.starts_with("trunk.") || name.starts_with("embeddings.") {
            assert_eq!((&private[name], &fresh[name]), (values, values), "{name}");
        }
    }
    assert_eq!(compared, 12, "a block has 12 parameters");
}

#[test]
fn with_copied_private_blocks_all_tasks_start_as_one_model() {
    let source = folder("bert_tiny");
    let config = Backbone::open(&source).unwrap().config().clone();
    let hidden = |routing: Routing, task| {
        let spec = ModelSpec { dense: false, ..spec(config.clone(), routing, Pooling::Cls) };
        let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 1);
        let model = Backbone::open(&source).unwrap().load_into(model).unwrap();
        // All heads get the same weights, so that only the blocks can make tasks differ.
        let weight = |name: &str, shape: &[usize]| {
            let n: usize = shape.iter().product();
            Ok::<_, ()>(
                name.ends_with("classifier.weight")
                    .then(|| (0..n).map(|i| (i as f32 * 0.7).sin()).collect()),
            )
        };
        let model = sextant_model::load(model, weight).unwrap();
        logits(&model, &rows(&[(task, 11)]))
    };
    let expected = hidden(SHARED, Task::QueryQuery);
    for task in Task::ALL {
        assert_close(&hidden(Routing::mhp(2), task)[0], &expected[0], 1e-5, task.as_str());
    }
}

#[test]
fn parameters_of_one_name_start_equal_in_every_routing() {
    let device = Device::flex();
    let (one, two) =
        (model(Routing::MULTI_HEAD, Pooling::Cls, &device), model(FRESH, Pooling::Cls, &device));
    let (one, two) = (dump(&one), dump(&two));
    assert!(one.len() > 20);
    for (name, values) in &one {
        assert_eq!(two[name], *values, "{name}");
    }
    assert_ne!(
        two["branches.query-type.classifier.weight"],
        two["branches.type-type.classifier.weight"]
    );
}

#[test]
fn a_task_without_a_branch_is_refused_by_name() {
    let spec = ModelSpec {
        tasks: vec![Task::QueryType],
        ..spec(backbone(), Routing::MULTI_HEAD, Pooling::Cls)
    };
    let model = RelevanceModel::zeros(spec, &Device::flex()).unwrap();
    let pack = pack(&rows(&[(Task::TypeType, 3)]));
    let input = PackInput::new(&pack, &Device::flex()).unwrap();
    let context = sextant_model::ForwardContext::inference(Precision::F32);
    let error = model.forward(&input, &context).unwrap_err().to_string();
    assert!(error.contains("type-type") && error.contains("query-type"), "{error}");
}

#[test]
fn shapes_that_cannot_be_are_refused_by_key() {
    let bad = |change: fn(&mut ModelSpec)| {
        let mut spec = spec(backbone(), Routing::MULTI_HEAD, Pooling::Cls);
        change(&mut spec);
        RelevanceModel::zeros(spec, &Device::flex()).unwrap_err().to_string()
    };
    let cases: [(Change, &str); 7] = [
        (|spec| spec.backbone.attention_heads = 5, "attention_heads"),
        (
            |spec| spec.routing = Routing { heads: Heads::Shared, ..Routing::mhp(1) },
            "private_layers",
        ),
        (|spec| spec.routing = Routing::mhp(3), "private_layers"),
        (
            |spec| {
                let private_init = PrivateInit::Fresh;
                spec.routing = Routing { private_init, ..Routing::mhp(1 << 40) };
            },
            "`private_layers` is 1099511627776; no model has more than",
        ),
        (|spec| spec.backbone.layers = 1 << 27, "`layers` is 134217728; no model has more than"),
        (|spec| spec.tasks.clear(), "tasks"),
        (|spec| spec.head_dropout = 1.0, "head_dropout"),
    ];
    for (change, key) in cases {
        let error = bad(change);
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn ordinal_heads_give_probabilities_in_order() {
    let spec = ModelSpec {
        head: LossKind::Ordinal.head(),
        ..spec(backbone(), Routing::MULTI_HEAD, Pooling::Mean)
    };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex()).unwrap(), 5);
    let rows = rows(&[(Task::QueryType, 9), (Task::TypeType, 4), (Task::QueryProduct, 13)]);
    for prediction in predict_rows(&model, &rows, &packed(&model), 64, |_| Continue(())).unwrap() {
        assert!((prediction.probs.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(prediction.probs.iter().all(|&p| p >= 0.0), "{prediction:?}");
    }
    let one = floats(forward(&model, &pack(&rows[..1])));
    assert!(one[0] >= one[1], "P(grade >= 1) is at least P(grade >= 2): {one:?}");
    // A new head calls what it knows nothing about partially relevant; thresholds at one place would never do so.
    let middle = model.predictions(forward(&model, &pack(&rows)));
    assert!(middle.iter().all(|p| (0.7..0.8).contains(&p.probs[1])), "{middle:?}");
}
