//! The loop.

use crate::checkpoint::{self, State};
use crate::dev_metric::{is_better, look};
use crate::pcgrad;
use crate::step::{self, StepGradients, StepOptions};
use crate::weighting::weigh;
use crate::{
    AdamW, DevEvaluation, Event, Observer, Plan, Prepared, Rows, Sampler, Schedule, StepReport,
    TrainError, Weighting,
};
use burn::module::Module;
use serde::{Deserialize, Serialize};
use sextant_files::{AtomicFile, FolderLock, UNFINISHED};
use sextant_model::{
    ModelError, PackedWeights, ParameterCounts, Predictor, RelevanceModel, bundle, predict_rows,
};
use sextant_text::Encoder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Where a run keeps what it makes.
#[derive(Debug, Clone)]
pub struct RunFolder(pub PathBuf);

impl RunFolder {
    /// The best weights, as a bundle.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The newest state.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// What happened.
    pub fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    /// What came out, as JSON.
    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    /// Refuses a folder whose `checkpoint` is something else, which saving would replace.
    fn check(&self) -> Result<(), TrainError> {
        let path = self.checkpoint();
        let foreign = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some())
            && !path.join(checkpoint::STATE).exists();
        if foreign {
            return Err(TrainError::Run {
                path,
                problem:
                    "is not a checkpoint and would be replaced; choose another folder with `--out`"
                        .into(),
            });
        }
        Ok(())
    }
}

/// Removes what saves that were killed left in a run's folder.
fn remove_unfinished(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if ours && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// What came out of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub name: String,
    /// The routing's short name.
    pub routing: String,
    /// The recipe's seed.
    pub seed: u64,
    /// Identifies recipe and data.
    pub fingerprint: String,
    /// Numbers in the model.
    pub parameters: u64,
    /// Of these, how many were trained.
    pub trainable_parameters: u64,
    /// Steps done.
    pub steps: u64,
    /// Rows trained on, repetitions counted.
    pub rows: u64,
    /// Distinct training rows.
    pub train_rows: usize,
    /// Tokens trained on.
    pub tokens: u64,
    /// Seconds spent in steps.
    pub seconds: f64,
    /// The best value of the dev metric, and its step.
    pub best: Option<(f64, u64)>,
    /// The most memory that the process held, in bytes, where the system says.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

/// How many steps a recipe runs when an epoch has so many.
pub fn steps(recipe: &crate::Recipe, epoch: f64) -> u64 {
    recipe.schedule.steps.unwrap_or((epoch * recipe.schedule.epochs).ceil() as u64).max(1)
}

/// Trains one model.
pub struct Trainer {
    /// Apart from the rest, because each step consumes it: parameters are updated in place.
    model: RelevanceModel,
    job: Job,
}

/// Everything of a run but the weights.
struct Job {
    plan: Plan,
    encoder: Encoder,
    train: Rows,
    dev: Rows,
    folder: RunFolder,
    /// Keeps other runs out of the folder until this one has ended.
    _lock: FolderLock,
    optimizer: AdamW,
    sampler: Sampler,
    schedule: Schedule,
    dev_every: u64,
    state: State,
}

impl Trainer {
    /// A run in `folder`. With `resume` it goes on from the checkpoint there, if there is one;
    /// otherwise the folder must not hold a run already.
    pub fn new(prepared: Prepared, folder: RunFolder, resume: bool) -> Result<Self, TrainError> {
        let fingerprint = prepared.fingerprint();
        let Prepared { plan, mut model, encoder, train, dev } = prepared;
        let recipe = &plan.recipe;
        let batch = &recipe.batch;
        let mut sampler =
            Sampler::new(&train.tasks(), batch.rows, batch.sampling, batch.mixing, recipe.seed);
        let epoch = sampler.batches_per_epoch() as f64;
        let steps = steps(recipe, epoch);
        let mut optimizer = AdamW::new(recipe.optimizer.clone(), &model);
        let mut state = State { fingerprint, ..State::default() };
        std::fs::create_dir_all(&folder.0).map_err(TrainError::io("create", &folder.0))?;
        // Before anything of the folder is read: what another run leaves there must not change below this one.
        let lock = FolderLock::acquire(&folder.0)?;
        folder.check()?;
        let found = checkpoint::read_state(&folder.checkpoint())?;
        match found {
            Some(found) if resume => {
                if found.fingerprint != state.fingerprint {
                    return Err(TrainError::Run {
                        path: folder.checkpoint(),
                        problem: "was made by another recipe or from other data; start again in another folder with `--out`".into(),
                    });
                }
                model = checkpoint::load(&folder.checkpoint(), &found, model, &mut optimizer)?;
                sampler.restore(found.sampler.clone());
                state = found;
            }
            None if resume || !folder.bundle().exists() => {}
            _ => {
                return Err(TrainError::Run {
                    path: folder.0,
                    problem: "holds a run already; add `--resume` to go on with it, or choose another folder with `--out`".into(),
                });
            }
        }
        remove_unfinished(&folder.0).map_err(TrainError::io("clean", &folder.0))?;
        let job = Job {
            schedule: Schedule::new(steps, recipe.schedule.warmup, recipe.schedule.decay),
            dev_every: recipe.dev.every.unwrap_or_else(|| (epoch / 2.0).ceil().max(1.0) as u64),
            plan,
            encoder,
            train,
            dev,
            folder,
            _lock: lock,
            optimizer,
            sampler,
            state,
        };
        Ok(Self { model, job })
    }

    /// Steps done so far: not 0 for a run that was resumed.
    pub fn steps_done(&self) -> u64 {
        self.job.state.step
    }

    /// Trains to the end and leaves the best weights in the run's folder as a bundle.
    pub fn run(self, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
        let Self { mut model, mut job } = self;
        let steps = job.schedule.steps();
        observer.on_event(Event::Started { step: job.state.step, steps });
        let mut early = job.out_of_patience();
        while job.state.step < steps && early.is_none() {
            let report;
            (model, report) = job.step(model)?;
            observer.on_event(Event::Step(&report));
            if job.state.step.is_multiple_of(job.dev_every) || job.state.step == steps {
                let dev = job.look_at_dev(&model)?;
                observer.on_event(Event::Dev(&dev));
                early = job.out_of_patience();
            }
        }
        let early = early.filter(|_| job.state.step < steps);
        observer.on_event(Event::Finished { early: early.as_deref() });
        job.finish(&model)
    }
}

impl Job {
    fn out_of_patience(&self) -> Option<String> {
        let dev = &self.plan.recipe.dev;
        let patience = dev.patience?;
        (self.state.looks_since_best >= patience)
            .then(|| format!("no better dev {} in {patience} looks", dev.metric))
    }

    /// One optimizer step.
    fn step(&mut self, model: RelevanceModel) -> Result<(RelevanceModel, StepReport), TrainError> {
        let start = Instant::now();
        let rows = self.sampler.next_batch();
        let (recipe, train) = (&self.plan.recipe, &self.train);
        let mut batch: Vec<_> = rows.iter().map(|&row| train.learn(row)).collect();
        let weighting = &recipe.task_weighting;
        let task_weights = self.state.weighting.weights(weighting);
        let tasks = task_weights.map(|weights| weigh(&mut batch, &weights));
        let options = StepOptions {
            precision: recipe.precision,
            loss: &recipe.loss,
            pack_tokens: recipe.batch.pack_tokens,
            key: [recipe.seed, self.state.step],
            checkpointing: recipe.model.gradient_checkpointing,
            divisor: tasks.map(|tasks| tasks as f64),
        };
        let found = match weighting.kind {
            Weighting::Pcgrad => pcgrad::gradients(&model, &batch, options)?,
            _ => step::gradients(&model, &batch, options)?,
        };
        let loss = found.loss();
        let StepGradients { gradients, task_losses, tokens, .. } = found;
        let norm = gradients.norm();
        let step = self.state.step + 1;
        if !norm.is_finite() {
            return Err(TrainError::Diverged { step, norm });
        }
        let clip = recipe.optimizer.clip_norm;
        // As PyTorch's clip_grad_norm_, with its 1e-6.
        let gradient_factor = if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let rate_factor = self.schedule.factor(self.state.step);
        let learning_rate = recipe.optimizer.learning_rate * rate_factor;
        let model = self.optimizer.step(model, gradients, rate_factor, gradient_factor);
        let head_rate =
            recipe.optimizer.head_learning_rate.unwrap_or(recipe.optimizer.learning_rate);
        let epoch = self.sampler.batches_per_epoch() as u64;
        self.state.weighting.learn(weighting, &task_losses, head_rate * rate_factor, epoch);
        let seconds = start.elapsed().as_secs_f64();
        self.state.step = step;
        self.state.seconds += seconds;
        self.state.rows += rows.len() as u64;
        self.state.tokens += tokens as u64;
        let report = StepReport {
            step,
            steps: self.schedule.steps(),
            rows: rows.len(),
            tokens,
            loss,
            task_losses,
            task_weights,
            gradient_norm: norm,
            learning_rate,
            seconds,
        };
        Ok((model, report))
    }

    /// Evaluates on the dev rows, keeps the weights if they are the best, and writes a checkpoint.
    fn look_at_dev(&mut self, model: &RelevanceModel) -> Result<DevEvaluation, TrainError> {
        let recipe = &self.plan.recipe;
        let scorer = model.valid();
        let predictions = predict_rows(
            &scorer,
            &self.dev.views().collect::<Vec<_>>(),
            &Arc::new(PackedWeights::new(&scorer, recipe.precision.into())),
            Predictor::PACK_TOKENS,
            |_| {},
        )
        .map_err(|error| self.diverged(error))?;
        let scored: Vec<_> = predictions
            .into_iter()
            .enumerate()
            .map(|(row, prediction)| self.dev.scored(row, prediction))
            .collect();
        let metric = recipe.dev.metric;
        let (report, value) = look(metric, &scored)?;
        let best = is_better(metric, value, self.state.best.map(|(best, _)| best));
        if best {
            self.state.best = Some((value, self.state.step));
            self.state.looks_since_best = 0;
            self.save_bundle(model)?;
        } else {
            self.state.looks_since_best += 1;
        }
        self.state.sampler = self.sampler.state().clone();
        self.state.peak_memory_bytes = self.state.peak_memory_bytes.max(crate::peak_memory());
        checkpoint::save(&self.folder.checkpoint(), model, &self.optimizer, self.state.clone())?;
        Ok(DevEvaluation { step: self.state.step, value, best, report })
    }

    /// A dev row without a number for an answer says that the weights have diverged since the last look.
    fn diverged(&self, error: ModelError) -> TrainError {
        match error {
            ModelError::NonFinite { row, fault } => TrainError::DivergedAtDev {
                step: self.state.step,
                row: self.dev.origin(row),
                fault,
            },
            other => other.into(),
        }
    }

    fn save_bundle(&self, model: &RelevanceModel) -> Result<(), TrainError> {
        let recipe = &self.plan.recipe;
        let provenance = serde_json::json!({
            "recipe": recipe,
            "fingerprint": self.state.fingerprint,
            "step": self.state.step,
            "dev": {"metric": recipe.dev.metric, "value": self.state.best.map(|(value, _)| value)},
            "train_rows": self.train.len(),
            "truncation": self.train.cut(),
        });
        bundle::save(&self.folder.bundle(), model, &self.encoder, provenance)?;
        Ok(())
    }

    fn finish(self, model: &RelevanceModel) -> Result<Summary, TrainError> {
        let counts = ParameterCounts::of(model);
        let recipe = &self.plan.recipe;
        let summary = Summary {
            name: recipe.name.clone(),
            routing: recipe.model.routing.label(),
            seed: recipe.seed,
            fingerprint: self.state.fingerprint.clone(),
            parameters: counts.all,
            trainable_parameters: counts.trainable,
            steps: self.state.step,
            rows: self.state.rows,
            train_rows: self.train.len(),
            tokens: self.state.tokens,
            seconds: self.state.seconds,
            best: self.state.best,
            peak_memory_bytes: self.state.peak_memory_bytes.max(crate::peak_memory()),
        };
        let path = self.folder.summary();
        let mut file = AtomicFile::create(&path)?;
        serde_json::to_writer_pretty(&mut file, &summary)
            .map_err(|error| TrainError::io("write", &path)(error.into()))?;
        file.commit()?;
        Ok(summary)
    }
}
