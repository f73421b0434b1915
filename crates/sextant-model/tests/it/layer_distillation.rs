//! The losses of layers, compared with their definition in plain `f64` arithmetic and with finite differences.

use crate::support::{assert_close, floats, gradients, matrix, pack, rows, spec};
use burn::tensor::{Device, Tensor, TensorData};
use sextant_core::Task;
use sextant_kernels::Precision;
use sextant_model::{
    BackboneConfig, ForwardContext, KeptLayers, LayerDistillation, LayerLesson, LayerMap,
    PackInput, Pooling, RelevanceModel, Routing, Values, WantedLayers, dump, freeze,
    initial_projection, initialize, layer_losses, load,
};
use sextant_text::Pack;
use std::collections::BTreeMap;

const ALL: LayerDistillation = LayerDistillation { hidden: 0.7, embeddings: 0.4, attention: 1.3 };
const WEIGHTS: [f32; 4] = [1.0, 0.5, 2.0, 0.25];

fn backbone(hidden_size: usize, layers: usize, attention_heads: usize) -> BackboneConfig {
    BackboneConfig {
        hidden_size,
        layers,
        attention_heads,
        intermediate_size: 2 * hidden_size,
        max_positions: 64,
        initializer_range: Some(0.3),
        ..BackboneConfig::small(50)
    }
}

fn model(backbone: BackboneConfig, routing: Routing, device: &Device) -> RelevanceModel {
    let spec = spec(backbone, routing, Pooling::Cls);
    initialize(RelevanceModel::zeros(spec, device).unwrap(), 5)
}

/// Two tasks, so that private blocks run in two parts; lengths that are padded to each other in scores.
fn some_pack() -> Pack {
    pack(&rows(&[
        (Task::QueryProduct, 5),
        (Task::TypeType, 9),
        (Task::QueryProduct, 3),
        (Task::TypeType, 20),
    ]))
}

/// The input of a pass, its logits, and what it kept.
fn run(
    model: &RelevanceModel,
    pack: &Pack,
    wanted: WantedLayers,
) -> (PackInput, Tensor<2>, KeptLayers) {
    let input = PackInput::new(pack, &model.device()).unwrap();
    let ctx = ForwardContext::inference(Precision::F32).keeping(wanted);
    let logits = model.forward(&input, &ctx).unwrap();
    let kept = ctx.take_layers();
    (input, logits, kept)
}

/// The losses of the rows of a student, and the pieces they were computed from.
fn losses(
    student: &RelevanceModel,
    teacher: &RelevanceModel,
    projection: &Tensor<2>,
    lesson: &LayerLesson,
) -> Tensor<1> {
    let pack = some_pack();
    let (input, _, ours) = run(student, &pack, lesson.of_student());
    let (_, _, theirs) = run(teacher, &pack, lesson.of_teacher());
    layer_losses(&ours, &theirs, &input.segments, projection, &WEIGHTS, lesson)
}

fn projection(student: usize, teacher: usize, device: &Device) -> Tensor<2> {
    let values = initial_projection(student, teacher, 3);
    Tensor::from_data(TensorData::new(values, [student, teacher]), device)
}

#[test]
fn layers_are_mapped_evenly_or_to_the_last() {
    let pairs = |map, ours, theirs| {
        LayerLesson::new(ALL, map, &backbone(8, ours, 2), &backbone(8, theirs, 2)).unwrap().pairs
    };
    assert_eq!(pairs(LayerMap::Uniform, 3, 6), [(1, 2), (2, 4), (3, 6)]);
    assert_eq!(pairs(LayerMap::Uniform, 4, 6), [(1, 2), (2, 3), (3, 5), (4, 6)]);
    assert_eq!(pairs(LayerMap::Uniform, 2, 2), [(1, 1), (2, 2)]);
    assert_eq!(pairs(LayerMap::Last, 3, 6), [(1, 4), (2, 5), (3, 6)]);
}

#[test]
fn what_does_not_fit_is_refused_with_the_key_that_mends_it() {
    let refused = |config, student, teacher| {
        LayerLesson::new(config, LayerMap::Uniform, &student, &teacher).unwrap_err().to_string()
    };
    let fits = || (backbone(8, 2, 2), backbone(12, 4, 2));
    let error = refused(ALL, backbone(8, 5, 2), backbone(12, 4, 2));
    assert!(error.contains("the teacher has 4 layers and the student 5"), "{error}");
    let error = refused(ALL, backbone(8, 2, 2), backbone(12, 4, 3));
    assert!(
        error.contains("3 attention heads and the student 2")
            && error.contains("set `attention` to 0"),
        "{error}"
    );
    let hidden_alone = LayerDistillation { attention: 0.0, ..ALL };
    let lesson =
        LayerLesson::new(hidden_alone, LayerMap::Uniform, &backbone(8, 2, 2), &backbone(12, 4, 3));
    assert!(lesson.unwrap().of_teacher().attention.is_empty());
    for (config, expected) in [
        (LayerDistillation { hidden: -1.0, ..ALL }, "`hidden` -1"),
        (LayerDistillation { attention: f32::NAN, ..ALL }, "`attention` NaN"),
        (LayerDistillation { hidden: 0.0, embeddings: 0.0, attention: 0.0 }, "are all 0"),
    ] {
        let (student, teacher) = fits();
        let error = refused(config, student, teacher);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_pass_that_keeps_its_layers_answers_as_any_other() {
    for routing in [Routing::MULTI_HEAD, Routing::mhp(1)] {
        let model = model(backbone(8, 2, 2), routing, &Device::flex());
        let pack = some_pack();
        let (_, plain, nothing) = run(&model, &pack, WantedLayers::default());
        let wanted = WantedLayers { hidden: [0, 1, 2].into(), attention: [1, 2].into() };
        let (input, kept, layers) = run(&model, &pack, wanted);
        assert_close(&floats(kept), &floats(plain), 1e-6, "logits");
        assert!(nothing.hidden(2).is_none() && nothing.scores(1, &input.segments).is_none());
        for layer in 0..=2 {
            assert_eq!(layers.hidden(layer).unwrap().dims(), [37, 8]);
        }
        if routing.private_layers == 0 {
            let ctx = ForwardContext::inference(Precision::F32);
            let last = floats(model.hidden_states(&input, &ctx));
            assert_close(&floats(layers.hidden(2).unwrap()), &last, 1e-6, "the last layer");
        }
    }
}

/// The queries and keys of a layer, from its input and its weights.
fn queries_and_keys(
    values: &BTreeMap<String, Values>,
    block: &str,
    x: &[Vec<f32>],
) -> Vec<Vec<f64>> {
    let (weight, bias) =
        (&values[&format!("{block}.qkv.weight")], &values[&format!("{block}.qkv.bias")]);
    let columns = weight.shape[1];
    let line = |x: &Vec<f32>| {
        let entry = |column: usize| {
            let terms = x.iter().enumerate();
            terms.fold(f64::from(bias.data[column]), |sum, (i, &x)| {
                sum + f64::from(x) * f64::from(weight.data[i * columns + column])
            })
        };
        (0..2 * columns / 3).map(entry).collect()
    };
    x.iter().map(line).collect()
}

/// The score of each head for each pair of tokens of a row: `[head][query][key]`.
fn scores(qk: &[Vec<f64>], heads: usize) -> Vec<Vec<Vec<f64>>> {
    let width = qk[0].len() / 2;
    let dim = width / heads;
    let score = |head: usize, query: &[f64], key: &[f64]| {
        let terms = (head * dim..(head + 1) * dim).map(|i| query[i] * key[width + i]);
        terms.sum::<f64>() / (dim as f64).sqrt()
    };
    let of_head = |head| {
        qk.iter().map(|query| qk.iter().map(|key| score(head, query, key)).collect()).collect()
    };
    (0..heads).map(of_head).collect()
}

fn mean_square(differences: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    differences.for_each(|x| {
        sum += x * x;
        count += 1.0;
    });
    sum / count
}

#[test]
fn losses_are_those_of_their_definition() {
    let device = Device::flex();
    let student = model(backbone(8, 2, 2), Routing::mhp(1), &device);
    let teacher = model(backbone(12, 4, 2), Routing::MULTI_HEAD, &device);
    let lesson = LayerLesson::new(
        ALL,
        LayerMap::Uniform,
        &student.spec().backbone,
        &teacher.spec().backbone,
    )
    .unwrap();
    let projection = projection(8, 12, &device);
    let found = floats(losses(&student, &teacher, &projection, &lesson));

    let pack = some_pack();
    let all =
        |layers: usize| WantedLayers { hidden: (0..=layers).collect(), ..WantedLayers::default() };
    let (input, _, ours) = run(&student, &pack, all(2));
    let (_, _, theirs) = run(&teacher, &pack, all(4));
    let (ours_dump, theirs_dump) = (dump(&student), dump(&teacher));
    let w = matrix(projection);
    for row in 0..4 {
        let range = input.segments.range(row);
        let task = if range.start < 8 { "query-product" } else { "type-type" };
        let part =
            |kept: &KeptLayers, layer| matrix(kept.hidden(layer).unwrap())[range.clone()].to_vec();
        let mut expected = 0.0;
        for (weight, (a, b)) in [(0.4, (0, 0)), (0.7, (1, 2)), (0.7, (2, 4))] {
            let (a, b) = (part(&ours, a), part(&theirs, b));
            let projected = |x: &Vec<f32>, column: usize| {
                x.iter().zip(&w).map(|(x, w)| f64::from(*x) * f64::from(w[column])).sum::<f64>()
            };
            let differences = a.iter().zip(&b).flat_map(|(a, b)| {
                b.iter().enumerate().map(move |(i, b)| projected(a, i) - f64::from(*b))
            });
            expected += weight * mean_square(differences);
        }
        let blocks = [
            ("trunk.0".to_owned(), "trunk.1", 0, 1),
            (format!("branches.{task}.layers.0"), "trunk.3", 1, 3),
        ];
        for (block, other, input_of, input_of_other) in blocks {
            let a = scores(&queries_and_keys(&ours_dump, &block, &part(&ours, input_of)), 2);
            let b =
                scores(&queries_and_keys(&theirs_dump, other, &part(&theirs, input_of_other)), 2);
            let flat = |x: Vec<Vec<Vec<f64>>>| x.into_iter().flatten().flatten();
            expected += 1.3 * mean_square(flat(a).zip(flat(b)).map(|(a, b)| a - b));
        }
        let expected = f64::from(WEIGHTS[row]) * expected;
        let apart = (f64::from(found[row]) - expected).abs();
        assert!(apart < 1e-4 * expected, "row {row}: {}, expected {expected}", found[row]);
    }
}

#[test]
fn a_student_that_is_its_teacher_has_nothing_to_learn() {
    let device = Device::flex();
    let one = model(backbone(8, 3, 2), Routing::MULTI_HEAD, &device);
    let lesson = LayerLesson::new(ALL, LayerMap::Last, &one.spec().backbone, &one.spec().backbone);
    let found = floats(losses(&one, &one, &projection(8, 8, &device), &lesson.unwrap()));
    assert!(found.iter().all(|loss| loss.abs() < 1e-8), "{found:?}");
}

#[test]
fn gradients_are_slopes() {
    let plain = Device::flex();
    let device = Device::flex().autodiff();
    let teacher = model(backbone(12, 4, 2), Routing::MULTI_HEAD, &plain);
    let student = freeze(model(backbone(8, 2, 2), Routing::mhp(1), &device), &[]).unwrap();
    let lesson = LayerLesson::new(
        ALL,
        LayerMap::Uniform,
        &student.spec().backbone,
        &teacher.spec().backbone,
    )
    .unwrap();
    let values = initial_projection(8, 12, 3);
    let matrix = |values: Vec<f32>, device: &Device| {
        Tensor::<2>::from_data(TensorData::new(values, [8, 12]), device)
    };
    let projection = matrix(values.clone(), &device).require_grad();
    let found = losses(&student, &teacher, &projection, &lesson).sum().backward();
    let of_projection = floats(projection.grad(&found).unwrap());
    let of_student = gradients(&student, &found);
    // What the answer alone needs has no gradient, and everything below does.
    assert!(!of_student.keys().any(|name| name.contains("classifier")));

    let total = |student: &RelevanceModel, values: Vec<f32>| {
        let found = losses(student, &teacher, &matrix(values, &student.device()), &lesson);
        floats(found).into_iter().map(f64::from).sum::<f64>()
    };
    let step = 1e-2_f32;
    let check = |what: &str, slope: f64, found: f32| {
        let apart = (slope - f64::from(found)).abs();
        assert!(apart < 1e-2 * slope.abs().max(0.2), "{what}: gradient {found}, slope {slope}");
    };
    let inference = model(backbone(8, 2, 2), Routing::mhp(1), &plain);
    for entry in [0, 17, 95] {
        let moved = |by: f32| {
            let mut values = values.clone();
            values[entry] += by;
            total(&inference, values)
        };
        check(
            "projection",
            (moved(step) - moved(-step)) / f64::from(2.0 * step),
            of_projection[entry],
        );
    }
    for (name, entry) in [
        ("embeddings.word", 8),
        ("trunk.0.qkv.weight", 3),
        ("trunk.0.qkv.weight", 11),
        ("trunk.0.down.weight", 5),
        ("branches.type-type.layers.0.qkv.weight", 2),
        ("branches.type-type.layers.0.up.weight", 7),
        ("branches.query-product.layers.0.output_norm.gamma", 1),
    ] {
        let moved = |by: f32| {
            let current = dump(&inference);
            let moved = load(inference.clone(), |found, _| {
                let mut data = current[found].data.clone();
                if found == name {
                    data[entry] += by;
                }
                Ok::<_, std::convert::Infallible>(Some(data))
            });
            total(&moved.unwrap(), values.clone())
        };
        let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        check(name, slope, of_student[name].data[entry]);
    }
}
