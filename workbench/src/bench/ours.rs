//! Our training and scoring, by the functions that `sextant train` and `sextant score` call.

use super::workload::{BATCH, Set, Workload};
use anyhow::Context;
use burn::module::Module;
use burn::tensor::Device;
use sextant_core::{Entity, Grade, Pair, Task};
use sextant_kernels::{FrozenFormat, Precision, ScorePrecision, profile};
use sextant_model::backbone::Backbone;
use sextant_model::{
    HeadKind, LoraConfig, LossConfig, ModelSpec, PackedWeights, Pooling, Predictor, RelevanceModel,
    Routing, freeze, initialize, initialize_frozen, predict_rows,
};
use sextant_text::{EncodedRow, TokenRow};
use sextant_train::{AdamW, OptimizerRecipe, StepOptions, Target, gradients};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    set: &'static str,
    work: Work,
    /// Whether tokenising is measured too.
    from_text: bool,
}

enum Work {
    /// One pass over the set in steps of [`BATCH`] rows, by branches or not.
    Train(Precision, bool),
    /// The same for adapters over a decoder, its base stored so.
    Adapt(FrozenFormat),
    Score(ScorePrecision),
}

const fn train(name: &'static str, set: &'static str, precision: Precision, mhp: bool) -> Case {
    Case { name, set, work: Work::Train(precision, mhp), from_text: false }
}

const fn score(name: &'static str, set: &'static str, precision: ScorePrecision) -> Case {
    Case { name, set, work: Work::Score(precision), from_text: false }
}

const fn adapt(name: &'static str, base: FrozenFormat) -> Case {
    Case { name, set: "few", work: Work::Adapt(base), from_text: false }
}

pub(crate) const CASES: [Case; 15] = [
    train("train equal f32 ours", "equal", Precision::F32, false),
    train("train equal bf16 ours", "equal", Precision::Bf16, false),
    train("train mix f32 ours", "mix", Precision::F32, false),
    train("train mix bf16 ours", "mix", Precision::Bf16, false),
    train("train mix bf16 ours mhp", "mix", Precision::Bf16, true),
    Case {
        name: "train mix bf16 ours text",
        set: "mix",
        work: Work::Train(Precision::Bf16, false),
        from_text: true,
    },
    score("score equal f32 ours", "equal", ScorePrecision::F32),
    score("score equal bf16 ours", "equal", ScorePrecision::Bf16),
    score("score equal int8 ours", "equal", ScorePrecision::Int8),
    score("score mix f32 ours", "mix", ScorePrecision::F32),
    score("score mix bf16 ours", "mix", ScorePrecision::Bf16),
    score("score mix int8 ours", "mix", ScorePrecision::Int8),
    adapt("train few f32 ours lora", FrozenFormat::F32),
    adapt("train few f32 ours qlora", FrozenFormat::Int4),
    Case {
        name: "score mix f32 ours text",
        set: "mix",
        work: Work::Score(ScorePrecision::F32),
        from_text: true,
    },
];

/// Where the time of a step goes.
#[derive(Clone, Copy)]
pub(crate) struct Shares {
    /// Of matrix products of linear layers: their seconds in all threads together, by the seconds that
    /// threads had.
    pub(crate) products: f64,
    /// Of copying and packing their factors.
    pub(crate) packing: f64,
    /// Of matrix products within attention.
    pub(crate) attention: f64,
    /// Operations a second in those of linear layers, all threads together.
    pub(crate) rate: f64,
}

/// Models that learn, one for each routing, and one that scores.
pub(crate) struct Ours {
    workload: Workload,
    learners: [Option<(RelevanceModel, AdamW)>; 2],
    /// Decoders with adapters, by the format of the base; made when they are first wanted.
    adapters: BTreeMap<FrozenFormat, (RelevanceModel, AdamW)>,
    scorer: RelevanceModel,
    packed: [Arc<PackedWeights>; 3],
    step: u64,
    /// Of the last training of each precision.
    pub(crate) shares: [Option<Shares>; 2],
}

impl Ours {
    pub(crate) fn new(folder: &Path, workload: Workload) -> anyhow::Result<Self> {
        let device = Device::flex().autodiff();
        let learner = |routing: Routing| -> anyhow::Result<_> {
            let model = model(folder, routing, &device)?;
            let optimizer = AdamW::new(OptimizerRecipe::default(), &model);
            Ok(Some((model, optimizer)))
        };
        let single = Routing { prefix: false, ..Routing::TEXT_PREFIX };
        let scorer = model(folder, single, &device)?.valid();
        Ok(Self {
            workload,
            learners: [learner(single)?, learner(Routing::mhp(2))?],
            adapters: BTreeMap::new(),
            packed: ScorePrecision::ALL
                .map(|precision| Arc::new(PackedWeights::new(&scorer, precision))),
            scorer,
            step: 0,
            shares: [None; 2],
        })
    }

    /// Milliseconds of a case.
    pub(crate) fn run(&mut self, case: &Case) -> anyhow::Result<f64> {
        let start = Instant::now();
        profile::take();
        let set = self.workload.set(case.set);
        let encoded;
        let rows = if case.from_text {
            encoded = self.workload.encoder.encode_all(&pairs(set))?;
            &encoded
        } else {
            &set.rows
        };
        match case.work {
            Work::Train(precision, mhp) => {
                let learner = &mut self.learners[usize::from(mhp)];
                let (mut model, mut optimizer) = learner.take().context("a case failed before")?;
                for (rows, labels) in rows.chunks(BATCH).zip(set.labels.chunks(BATCH)) {
                    self.step += 1;
                    model = one_step(model, &mut optimizer, rows, labels, precision, self.step)?;
                }
                *learner = Some((model, optimizer));
            }
            Work::Adapt(base) => {
                let (mut model, mut optimizer) = if let Some(known) = self.adapters.remove(&base) {
                    known
                } else {
                    let model = decoder(base)?;
                    let optimizer = AdamW::new(OptimizerRecipe::default(), &model);
                    (model, optimizer)
                };
                for (rows, labels) in rows.chunks(BATCH).zip(set.labels.chunks(BATCH)) {
                    self.step += 1;
                    let precision = Precision::F32;
                    model = one_step(model, &mut optimizer, rows, labels, precision, self.step)?;
                }
                self.adapters.insert(base, (model, optimizer));
            }
            Work::Score(precision) => {
                let packed = &self.packed[precision as usize];
                predict_rows(&self.scorer, rows, packed, Predictor::PACK_TOKENS, |_| {
                    ControlFlow::Continue(())
                })?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        if let (&Work::Train(precision, false), "mix", false) =
            (&case.work, case.set, case.from_text)
        {
            let found = profile::take();
            let threads = std::thread::available_parallelism()?.get() as f64;
            let share = |busy: f64| busy / threads / seconds;
            self.shares[precision as usize] = Some(Shares {
                products: share(found.product_seconds),
                packing: share(found.packing_seconds),
                attention: share(found.attention_seconds),
                rate: found.operations / (found.product_seconds / threads),
            });
        }
        Ok(seconds * 1e3)
    }

    /// Tokens of a set.
    pub(crate) fn tokens(&self, set: &str) -> usize {
        self.workload.set(set).tokens()
    }

    /// Rows of a set.
    pub(crate) fn rows(&self, set: &str) -> usize {
        self.workload.set(set).rows.len()
    }
}

fn one_step(
    model: RelevanceModel,
    optimizer: &mut AdamW,
    rows: &[EncodedRow],
    labels: &[usize],
    precision: Precision,
    step: u64,
) -> anyhow::Result<RelevanceModel> {
    fn target<'a>((row, &label): (&'a EncodedRow, &usize)) -> anyhow::Result<Target<'a>> {
        let row = row.view();
        Ok(Target { row, grade: Grade::from_index(label).context("a label")?, weight: 1.0 })
    }
    let loss = LossConfig::default();
    let batch: Vec<Target<'_>> = rows.iter().zip(labels).map(target).collect::<Result<_, _>>()?;
    let options = StepOptions {
        precision,
        loss: &loss,
        pack_tokens: 8192,
        key: [1, step],
        checkpointing: false,
        divisor: None,
    };
    let found = gradients(&model, &batch, options)?.gradients;
    let factor = (1.0 / (found.norm() + 1e-6)).min(1.0);
    // a rate so small that numbers stay ordinary however long the benchmark runs
    Ok(optimizer.step(model, found, 1e-3, factor))
}

/// A Llama of SmolLM2-135M's shape with random numbers, and adapters of rank 16 on every linear layer of
/// its blocks: what `benches/peers/peft_lora.py` builds.
fn decoder(base: FrozenFormat) -> anyhow::Result<RelevanceModel> {
    let config = serde_json::json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        "max_position_embeddings": 8192, "rope_theta": 100_000.0, "rms_norm_eps": 1e-5,
    });
    let place = tempfile::tempdir()?;
    std::fs::write(place.path().join("config.json"), config.to_string())?;
    let spec = ModelSpec {
        backbone: Backbone::open(place.path())?.config().clone(),
        tasks: Task::ALL.to_vec(),
        routing: Routing { prefix: false, ..Routing::TEXT_PREFIX },
        pooling: Pooling::Last,
        dense: false,
        head: HeadKind::Softmax,
        head_dropout: 0.0,
        lora: Some(LoraConfig { dropout: 0.05, base, ..LoraConfig::default() }),
    };
    let model = RelevanceModel::zeros(spec, &Device::flex().autodiff())?;
    Ok(freeze(initialize_frozen(initialize(model, 1), 1), &[])?)
}

fn pairs(set: &Set) -> Vec<Pair> {
    let pair = |(left, right): &(String, String)| Pair {
        task: Task::QueryQuery,
        left: Entity::from(left.as_str()),
        right: Entity::from(right.as_str()),
    };
    set.pairs.iter().map(pair).collect()
}

fn model(folder: &Path, routing: Routing, device: &Device) -> anyhow::Result<RelevanceModel> {
    let backbone = Backbone::open(folder)?;
    let spec = ModelSpec {
        backbone: backbone.config().clone(),
        tasks: Task::ALL.to_vec(),
        routing,
        pooling: Pooling::Cls,
        dense: true,
        head: HeadKind::Softmax,
        head_dropout: 0.1,
        lora: None,
    };
    let model = initialize(RelevanceModel::zeros(spec, device)?, 1);
    Ok(freeze(backbone.load_into(model)?, &[])?)
}
