//! Mixtures of experts, compared with their definition in plain `f64` arithmetic.

use crate::support::{assert_close, floats, forward, gradients, matrix, pack, rows, spec};
use burn::tensor::Device;
use sextant_core::{Grade, Task};
use sextant_kernels::Precision;
use sextant_model::{
    BackboneConfig, ForwardContext, LossConfig, MixtureConfig, PackInput, Pooling, RelevanceModel,
    Routing, Values, dump, freeze, initialize, load, row_losses,
};
use sextant_text::EncodedRow;
use std::collections::BTreeMap;

const HIDDEN: usize = 16;
const MIXTURES: [MixtureConfig; 4] = [
    MixtureConfig { experts: 3, task_experts: 0, levels: 1 },
    MixtureConfig { experts: 2, task_experts: 1, levels: 1 },
    MixtureConfig { experts: 2, task_experts: 2, levels: 3 },
    MixtureConfig { experts: 1, task_experts: 0, levels: 2 },
];

fn model(mixture: MixtureConfig, device: &Device) -> RelevanceModel {
    let backbone = BackboneConfig {
        hidden_size: HIDDEN,
        layers: 1,
        attention_heads: 2,
        intermediate_size: 24,
        max_positions: 64,
        // The weights are large, so that experts and gates differ.
        initializer_range: Some(0.3),
        ..BackboneConfig::small(50)
    };
    let spec = spec(backbone, Routing::mixture(mixture), Pooling::Cls);
    initialize(RelevanceModel::zeros(spec, device).unwrap(), 5)
}

fn some_rows() -> Vec<EncodedRow> {
    rows(&[
        (Task::QueryProduct, 7),
        (Task::TypeType, 4),
        (Task::QueryProduct, 12),
        (Task::ProductType, 9),
    ])
}

/// `x · W + b`, with the weight and bias of this name.
fn linear(values: &BTreeMap<String, Values>, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = &values[&format!("{name}.weight")];
    let columns = weight.shape[1];
    let bias = values.get(&format!("{name}.bias"));
    (0..columns)
        .map(|column| {
            let start = bias.map_or(0.0, |bias| f64::from(bias.data[column]));
            let terms = x.iter().enumerate();
            terms.fold(start, |sum, (i, x)| sum + x * f64::from(weight.data[i * columns + column]))
        })
        .collect()
}

/// The outputs of the experts of this name; empty if there are none.
fn experts(values: &BTreeMap<String, Values>, name: &str, x: &[f64]) -> Vec<Vec<f64>> {
    if !values.contains_key(&format!("{name}.weight")) {
        return Vec::new();
    }
    let gelu = |x: f64| 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2));
    let all: Vec<f64> = linear(values, name, x).into_iter().map(gelu).collect();
    all.chunks(HIDDEN).map(<[f64]>::to_vec).collect()
}

fn weigh(values: &BTreeMap<String, Values>, gate: &str, x: &[f64], all: &[Vec<f64>]) -> Vec<f64> {
    let shares: Vec<f64> = linear(values, gate, x).into_iter().map(f64::exp).collect();
    assert_eq!(shares.len(), all.len(), "{gate} weighs every expert");
    let total: f64 = shares.iter().sum();
    (0..HIDDEN)
        .map(|i| shares.iter().zip(all).map(|(share, y)| share / total * y[i]).sum())
        .collect()
}

/// The logits of a row, from its pooled vector.
fn expected(
    values: &BTreeMap<String, Values>,
    mixture: &MixtureConfig,
    task: Task,
    pooled: &[f64],
) -> Vec<f64> {
    let mut shared = pooled.to_vec();
    let mut own: BTreeMap<Task, Vec<f64>> =
        Task::ALL.into_iter().map(|task| (task, pooled.to_vec())).collect();
    for level in 0..mixture.levels {
        let path = |task: Task, part| format!("branches.{task}.task_mixture.{level}.{part}");
        let common = experts(values, &format!("mixture.{level}.experts"), &shared);
        let owns: BTreeMap<Task, Vec<Vec<f64>>> = own
            .iter()
            .map(|(&task, x)| (task, experts(values, &path(task, "experts"), x)))
            .collect();
        if level + 1 < mixture.levels {
            let all: Vec<_> = Task::ALL
                .iter()
                .flat_map(|task| owns[task].clone())
                .chain(common.clone())
                .collect();
            shared = weigh(values, &format!("mixture.{level}.gate"), &shared, &all);
        }
        for (&task, x) in &mut own {
            let all: Vec<_> = owns[&task].iter().chain(&common).cloned().collect();
            *x = weigh(values, &path(task, "gate"), x, &all);
        }
    }
    linear(values, &format!("branches.{task}.classifier"), &own[&task])
}

#[test]
fn logits_are_those_of_the_definition() {
    for mixture in MIXTURES {
        let model = model(mixture, &Device::flex());
        let values = dump(&model);
        for row in some_rows() {
            let pack = pack(std::slice::from_ref(&row));
            let input = PackInput::new(&pack, &model.device()).unwrap();
            let ctx = ForwardContext::inference(Precision::F32);
            let pooled: Vec<f64> =
                matrix(model.hidden_states(&input, &ctx))[0].iter().map(|&x| x.into()).collect();
            let expected: Vec<f32> = expected(&values, &mixture, row.task, &pooled)
                .into_iter()
                .map(|x| x as f32)
                .collect();
            let found = floats(forward(&model, &pack));
            assert_close(&found, &expected, 2e-5, &format!("{} {}", mixture.label(), row.task));
        }
    }
}

/// The sum of the rows' losses.
fn loss(model: &RelevanceModel) -> burn::tensor::Tensor<1> {
    let pack = pack(&some_rows());
    let grades: Vec<Grade> = pack.rows.iter().map(|&row| Grade::ALL[row % Grade::COUNT]).collect();
    row_losses(forward(model, &pack), &grades, &[1.0; 4], &LossConfig::default()).sum()
}

#[test]
fn gradients_are_differences() {
    for mixture in MIXTURES {
        let whole = freeze(model(mixture, &Device::flex().autodiff()), &[]).unwrap();
        let found = gradients(&whole, &loss(&whole).backward());
        let plain = model(mixture, &Device::flex());
        let of_mixture = found.iter().filter(|(name, _)| name.contains("mixture."));
        let mut checked = 0;
        for (name, gradient) in of_mixture {
            // The entry with the largest gradient is checked.
            let size = |i: &usize| gradient.data[*i].abs();
            let at = (0..gradient.data.len()).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap();
            let moved = |step: f32| {
                let change = |parameter: &str, _: &[usize]| {
                    let mut data = dump(&plain).remove(parameter).unwrap().data;
                    if parameter == name {
                        data[at] += step;
                    }
                    Ok::<_, std::convert::Infallible>(Some(data))
                };
                let Ok(model) = load(plain.clone(), change);
                f64::from(floats(loss(&model))[0])
            };
            let step = 1e-2;
            let difference = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            let gradient = f64::from(gradient.data[at]);
            assert!(
                (difference - gradient).abs() < 2e-3 + 0.02 * gradient.abs(),
                "{} {name}[{at}]: {gradient}, but differences say {difference}",
                mixture.label()
            );
            checked += 1;
        }
        assert!(checked >= 4, "{}: {checked}", mixture.label());
    }
}

#[test]
fn other_tasks_experts_learn_from_a_row_only_below_the_last_level() {
    for mixture in MIXTURES {
        let model = freeze(model(mixture, &Device::flex().autodiff()), &[]).unwrap();
        let reached = gradients(&model, &loss(&model).backward());
        let absent = "branches.product-product.task_mixture.";
        let levels: Vec<usize> = reached
            .keys()
            .filter_map(|name| name.strip_prefix(absent)?.strip_suffix(".experts.weight"))
            .map(|level| level.parse().unwrap())
            .collect();
        let below: Vec<usize> = match mixture.task_experts {
            0 => Vec::new(),
            _ => (0..mixture.levels - 1).collect(),
        };
        assert_eq!(levels, below, "{}", mixture.label());
    }
}
