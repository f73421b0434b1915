//! Our training and scoring, by the functions that `sextant train` and `sextant score` call.

use super::shapes;
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
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A case that is measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    set: &'static str,
    work: Work,
    /// Whether tokenising is measured too.
    from_text: bool,
}

enum Work {
    /// One pass over the set in steps of [`BATCH`] rows.
    Train(Precision, Model),
    Score(ScorePrecision, Model),
}

/// The model that learns or scores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Model {
    /// The backbone with one head.
    Single,
    /// The backbone with two private layers for each task.
    Mhp,
    /// Adapters over a decoder whose base is stored in this format.
    Adapted(FrozenFormat),
    /// A DeBERTa with one head.
    Deberta,
    /// A ModernBERT with one head.
    ModernBert,
    /// The small encoder of `sextant demo`, whose steps show what a step costs beside its products.
    Tiny,
}

/// The decoder that scores: adapters over a base in full precision, as training leaves it.
const DECODER: Model = Model::Adapted(FrozenFormat::F32);

const fn case(name: &'static str, set: &'static str, work: Work) -> Case {
    Case { name, set, work, from_text: false }
}

const fn train(name: &'static str, set: &'static str, precision: Precision, model: Model) -> Case {
    case(name, set, Work::Train(precision, model))
}

const fn score(name: &'static str, set: &'static str, precision: ScorePrecision) -> Case {
    case(name, set, Work::Score(precision, Model::Single))
}

const fn from_text(case: Case) -> Case {
    Case { from_text: true, ..case }
}

pub(crate) const CASES: [Case; 37] = [
    train("train equal f32 ours", "equal", Precision::F32, Model::Single),
    train("train equal bf16 ours", "equal", Precision::Bf16, Model::Single),
    train("train mix f32 ours", "mix", Precision::F32, Model::Single),
    train("train mix bf16 ours", "mix", Precision::Bf16, Model::Single),
    train("train mix f32 ours mhp", "mix", Precision::F32, Model::Mhp),
    train("train mix bf16 ours mhp", "mix", Precision::Bf16, Model::Mhp),
    from_text(train("train mix f32 ours text", "mix", Precision::F32, Model::Single)),
    from_text(train("train mix bf16 ours text", "mix", Precision::Bf16, Model::Single)),
    score("score equal f32 ours", "equal", ScorePrecision::F32),
    score("score equal bf16 ours", "equal", ScorePrecision::Bf16),
    score("score equal int8 ours", "equal", ScorePrecision::Int8),
    score("score mix f32 ours", "mix", ScorePrecision::F32),
    score("score mix bf16 ours", "mix", ScorePrecision::Bf16),
    score("score mix int8 ours", "mix", ScorePrecision::Int8),
    score("score request f32 ours", "request", ScorePrecision::F32),
    score("score request int8 ours", "request", ScorePrecision::Int8),
    score("score mix int8-weights ours", "mix", ScorePrecision::Int8Weights),
    score("score mix int4-weights ours", "mix", ScorePrecision::Int4Weights),
    train("train few f32 ours lora", "few", Precision::F32, Model::Adapted(FrozenFormat::F32)),
    train("train few f32 ours qlora", "few", Precision::F32, Model::Adapted(FrozenFormat::Int4)),
    from_text(score("score mix f32 ours text", "mix", ScorePrecision::F32)),
    train("train mix f32 ours tiny", "mix", Precision::F32, Model::Tiny),
    train("train mix f32 ours deberta", "mix", Precision::F32, Model::Deberta),
    train("train mix bf16 ours deberta", "mix", Precision::Bf16, Model::Deberta),
    case("score mix f32 ours deberta", "mix", Work::Score(ScorePrecision::F32, Model::Deberta)),
    case("score mix bf16 ours deberta", "mix", Work::Score(ScorePrecision::Bf16, Model::Deberta)),
    case("score mix int8 ours deberta", "mix", Work::Score(ScorePrecision::Int8, Model::Deberta)),
    train("train mix f32 ours modernbert", "mix", Precision::F32, Model::ModernBert),
    train("train mix bf16 ours modernbert", "mix", Precision::Bf16, Model::ModernBert),
    case(
        "score mix f32 ours modernbert",
        "mix",
        Work::Score(ScorePrecision::F32, Model::ModernBert),
    ),
    case(
        "score mix bf16 ours modernbert",
        "mix",
        Work::Score(ScorePrecision::Bf16, Model::ModernBert),
    ),
    case(
        "score mix int8 ours modernbert",
        "mix",
        Work::Score(ScorePrecision::Int8, Model::ModernBert),
    ),
    case("score queries f32 ours decoder", "queries", Work::Score(ScorePrecision::F32, DECODER)),
    case("score queries bf16 ours decoder", "queries", Work::Score(ScorePrecision::Bf16, DECODER)),
    case("score queries int8 ours decoder", "queries", Work::Score(ScorePrecision::Int8, DECODER)),
    case(
        "score queries int4-weights ours decoder",
        "queries",
        Work::Score(ScorePrecision::Int4Weights, DECODER),
    ),
    case(
        "score queries int8-weights ours decoder",
        "queries",
        Work::Score(ScorePrecision::Int8Weights, DECODER),
    ),
];

/// Where the time of a step goes.
#[derive(Clone, Copy)]
pub(crate) struct Shares {
    /// The share of time in matrix products of linear layers: their seconds in all threads together,
    /// divided by the wall time of all threads.
    pub(crate) products: f64,
    /// The share of time in copying and packing the factors of these products.
    pub(crate) packing: f64,
    /// The share of time in matrix products within attention.
    pub(crate) attention: f64,
    /// Operations per second in matrix products of linear layers, all threads together.
    pub(crate) rate: f64,
}

/// A model that scores, with its weights packed for each precision.
struct Scoring {
    model: RelevanceModel,
    packed: BTreeMap<ScorePrecision, Arc<PackedWeights>>,
}

/// Models that learn and models that score, made when they are first needed.
pub(crate) struct Ours {
    workload: Workload,
    /// The folder of the backbone.
    folder: PathBuf,
    learners: BTreeMap<Model, (RelevanceModel, AdamW)>,
    scorers: BTreeMap<Model, Scoring>,
    step: u64,
    /// Where the time went in the last pass of each case.
    pub(crate) shares: BTreeMap<&'static str, (ScorePrecision, Shares)>,
}

impl Ours {
    pub(crate) fn new(folder: &Path, workload: Workload) -> Self {
        Self {
            workload,
            folder: folder.to_owned(),
            learners: BTreeMap::new(),
            scorers: BTreeMap::new(),
            step: 0,
            shares: BTreeMap::new(),
        }
    }

    /// Makes the model that a case runs, if it is not there yet.
    fn prepare(&mut self, case: &Case) -> anyhow::Result<()> {
        match case.work {
            Work::Train(_, kind) if !self.learners.contains_key(&kind) => {
                let model = model(kind, &self.folder)?;
                let optimizer = AdamW::new(OptimizerRecipe::default(), &model);
                self.learners.insert(kind, (model, optimizer));
            }
            Work::Train(..) => {}
            Work::Score(precision, kind) => {
                let scoring = match self.scorers.entry(kind) {
                    Entry::Occupied(found) => found.into_mut(),
                    Entry::Vacant(place) => {
                        let model = model(kind, &self.folder)?.valid();
                        place.insert(Scoring { model, packed: BTreeMap::new() })
                    }
                };
                let Scoring { model, packed } = scoring;
                let pack = || Arc::new(PackedWeights::new(model, precision));
                packed.entry(precision).or_insert_with(pack);
            }
        }
        Ok(())
    }

    /// Runs a case, and returns its time in milliseconds.
    pub(crate) fn run(&mut self, case: &Case) -> anyhow::Result<f64> {
        self.prepare(case)?;
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
            Work::Train(precision, kind) => {
                let learner = self.learners.remove(&kind);
                let (mut model, mut optimizer) = learner.context("a case failed before")?;
                for (rows, labels) in rows.chunks(BATCH).zip(set.labels.chunks(BATCH)) {
                    self.step += 1;
                    model = one_step(model, &mut optimizer, rows, labels, precision, self.step)?;
                }
                self.learners.insert(kind, (model, optimizer));
            }
            Work::Score(precision, kind) => {
                let scoring = self.scorers.get(&kind).context("a case failed before")?;
                let packed = scoring.packed.get(&precision).context("packed before")?;
                predict_rows(&scoring.model, rows, packed, Predictor::PACK_TOKENS, |_| {
                    ControlFlow::Continue(())
                })?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let precision = match case.work {
            Work::Train(precision, _) => Some(precision.into()),
            // Products with weights of few bits are not counted.
            Work::Score(precision, _) => Some(precision).filter(|p| p.stored().is_none()),
        };
        if let Some(precision) = precision {
            let found = profile::take();
            let threads = std::thread::available_parallelism()?.get() as f64;
            let share = |busy: f64| busy / threads / seconds;
            let shares = Shares {
                products: share(found.product_seconds),
                packing: share(found.packing_seconds),
                attention: share(found.attention_seconds),
                rate: found.operations / (found.product_seconds / threads),
            };
            self.shares.insert(case.name, (precision, shares));
        }
        Ok(seconds * 1e3)
    }

    /// Number of tokens of a set.
    pub(crate) fn tokens(&self, set: &str) -> usize {
        self.workload.set(set).tokens()
    }

    /// Number of rows of a set.
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
        Ok(Target::graded(row.view(), Grade::from_index(label).context("a label")?))
    }
    let loss = LossConfig::default();
    let batch: Vec<Target<'_>> = rows.iter().zip(labels).map(target).collect::<Result<_, _>>()?;
    let options = StepOptions {
        precision,
        loss: &loss,
        distillation: None,
        behaviour: None,
        layers: None,
        pack_tokens: 8192,
        key: [1, step],
        checkpointing: false,
        divisor: None,
    };
    let found = gradients(&model, &batch, options)?.gradients;
    let factor = (1.0 / (found.norm() + 1e-6)).min(1.0);
    // The rate is so small that numbers stay ordinary however long the benchmark runs.
    Ok(optimizer.step(model, found, 1e-3, factor))
}

fn model(kind: Model, folder: &Path) -> anyhow::Result<RelevanceModel> {
    let single = Routing { prefix: false, ..Routing::TEXT_PREFIX };
    let (routing, head_dropout) = match kind {
        Model::Mhp => (Routing::mhp(2), 0.1),
        Model::Single | Model::Deberta | Model::Tiny => (single, 0.1),
        Model::Adapted(_) | Model::ModernBert => (single, 0.0),
    };
    let decoder = matches!(kind, Model::Adapted(_));
    let place = tempfile::tempdir()?;
    let shape = match kind {
        Model::Single | Model::Mhp => None,
        Model::Adapted(_) => Some(shapes::smollm()),
        Model::Deberta => Some(shapes::deberta()),
        Model::ModernBert => Some(shapes::modernbert()),
        Model::Tiny => Some(shapes::tiny()),
    };
    if let Some(shape) = &shape {
        std::fs::write(place.path().join("config.json"), shape.to_string())?;
    }
    let random = shape.is_some();
    let backbone = Backbone::open(if random { place.path() } else { folder })?;
    let lora = match kind {
        Model::Adapted(base) => Some(LoraConfig { dropout: 0.05, base, ..LoraConfig::default() }),
        _ => None,
    };
    let spec = ModelSpec {
        backbone: backbone.config().clone(),
        tasks: Task::ALL.to_vec(),
        routing,
        pooling: if decoder { Pooling::Last } else { Pooling::Cls },
        dense: !decoder,
        head: HeadKind::Softmax,
        head_dropout,
        lora,
    };
    let model = initialize(RelevanceModel::zeros(spec, &Device::flex().autodiff())?, 1);
    let model = if random { initialize_frozen(model, 1) } else { backbone.load_into(model)? };
    Ok(freeze(model, &[])?)
}

fn pairs(set: &Set) -> Vec<Pair> {
    let pair = |(left, right): &(String, String)| Pair {
        task: Task::QueryQuery,
        left: Entity::from(left.as_str()),
        right: Entity::from(right.as_str()),
    };
    set.pairs.iter().map(pair).collect()
}
