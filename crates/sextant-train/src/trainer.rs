//! The training loop.

use crate::best::particulars;
use crate::checkpoint::{self, TrainingState};
use crate::consistency::{self, Penalty};
use crate::dev_metric::{failed_look, is_better, look};
use crate::pcgrad;
use crate::step::{self, StepGradients};
use crate::target::StepOptions;
use crate::weighting::weigh;
use crate::{
    AdamW, BehaviourLoss, DevEvaluation, Event, LayerTeacher, Observer, Plan, Prepared, Rows,
    RunFolder, Sampler, Schedule, Start, StepReport, Summary, TeacherRecipe, TrainError, Triangles,
    Weighting,
};
use burn::module::Module;
use sextant_eval::Scored;
use sextant_files::{Existing, Lock};
use sextant_kernels::{release_free_blocks, within_pool};
use sextant_model::{
    ModelError, PackedWeights, ParameterCounts, Predictor, RelevanceModel, bundle, predict_rows,
};
use sextant_text::Encoder;
use std::sync::Arc;
use std::time::Instant;

/// The number of steps that a recipe runs if an epoch has `epoch` steps.
pub fn steps(recipe: &crate::Recipe, epoch: f64) -> u64 {
    recipe.schedule.steps.unwrap_or((epoch * recipe.schedule.epochs).ceil() as u64).max(1)
}

/// Trains one model.
pub struct Trainer {
    /// Kept apart from the rest, because each step consumes the model to update its parameters in place.
    model: RelevanceModel,
    job: Job,
}

/// Everything of a run except its weights.
struct Job {
    plan: Plan,
    encoder: Encoder,
    train: Rows,
    dev: Rows,
    triangles: Triangles,
    folder: RunFolder,
    /// Keeps other runs out of the folder until this one has ended.
    _lock: Arc<Lock>,
    optimizer: AdamW,
    layers: Option<LayerTeacher>,
    behaviour: Option<BehaviourLoss>,
    sampler: Sampler,
    schedule: Schedule,
    dev_every: u64,
    state: TrainingState,
    /// When the newest checkpoint was saved; before the first, when the run began.
    saved: Instant,
}

impl Trainer {
    /// Prepares a run in `folder`. `start` decides what happens to a run that is there already, and
    /// `existing` what happens to the user's own files that are in the way.
    ///
    /// # Errors
    /// Another process trains in the folder; the folder holds a run that must stay, a run of another recipe
    /// or data, or a run whose best weights are lost; or the user's own files have names that the run needs.
    pub fn new(
        prepared: Prepared,
        folder: RunFolder,
        start: Start,
        existing: Existing,
    ) -> Result<Self, TrainError> {
        let lock = folder.lock()?;
        Self::locked(prepared, folder, lock, start, existing)
    }

    /// Does the same as [`Trainer::new`] in a folder that the caller has already locked with
    /// [`RunFolder::lock`], and may keep locked after the run has ended.
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub fn locked(
        prepared: Prepared,
        folder: RunFolder,
        lock: Arc<Lock>,
        start: Start,
        existing: Existing,
    ) -> Result<Self, TrainError> {
        let fingerprint = prepared.fingerprint();
        let Prepared { mut plan, mut model, encoder, train, dev, triangles, mut layers, behaviour } =
            prepared;
        let recipe = plan.recipe.clone();
        let batch = &recipe.batch;
        let mut sampler =
            Sampler::new(&train.tasks(), batch.rows, batch.sampling, batch.mixing, recipe.seed);
        let epoch = sampler.batches_per_epoch() as f64;
        let steps = steps(&recipe, epoch);
        let mut optimizer = AdamW::new(recipe.optimizer.clone(), &model);
        if let Some(layers) = &layers {
            optimizer.add(LayerTeacher::PROJECTION, &layers.projection);
        }
        let mut state = TrainingState { fingerprint, ..TrainingState::default() };
        let found = match start {
            Start::Resume => checkpoint::read_state(&folder.checkpoint())?,
            Start::New | Start::Again => None,
        };
        match found {
            Some(found) => {
                if found.fingerprint != state.fingerprint {
                    return Err(TrainError::Run {
                        path: folder.checkpoint(),
                        problem: "was made by another recipe or from other data; start again in another folder with `--out`".into(),
                    });
                }
                plan.computation.go_on_in(found.precision, &folder.checkpoint())?;
                folder.check_best(&found)?;
                model = checkpoint::load(
                    &folder.checkpoint(),
                    &found,
                    model,
                    layers.as_mut().map(|layers| &mut layers.projection),
                    &mut optimizer,
                )?;
                sampler.restore(found.sampler.clone());
                state = found;
            }
            None => folder.make_room(start, existing, &state.fingerprint)?,
        }
        state.precision = plan.computation.precision;
        folder.claim()?;
        let job = Job {
            schedule: Schedule::new(steps, recipe.schedule.warmup, recipe.schedule.decay),
            dev_every: recipe.dev.every.unwrap_or_else(|| (epoch / 2.0).ceil().max(1.0) as u64),
            plan,
            encoder,
            train,
            dev,
            triangles,
            folder,
            _lock: lock,
            optimizer,
            layers,
            behaviour,
            sampler,
            state,
            saved: Instant::now(),
        };
        Ok(Self { model, job })
    }

    /// Steps done so far: not 0 for a run that was resumed.
    pub fn steps_done(&self) -> u64 {
        self.job.state.step
    }

    /// Whether the look at the dev set that follows the newest step is still to be done.
    pub(crate) fn is_look_due(&self) -> bool {
        self.job.state.look_due
    }

    /// The run's folder.
    pub(crate) fn folder(&self) -> &RunFolder {
        &self.job.folder
    }

    /// Trains to the end and leaves the best weights in the run's folder as a bundle.
    ///
    /// If an observer breaks, the run ends after the step, or within the look at the dev set, that the event
    /// was about; a checkpoint of that very step is saved first. A run that has nothing left to do but write
    /// its summary is not interrupted.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] if an observer asked for it; training that diverges; files that cannot
    /// be written.
    pub fn run(self, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
        let Self { mut model, mut job } = self;
        release_free_blocks(); // what loading has left
        let steps = job.schedule.steps();
        let started = observer.on_event(Event::Started {
            step: job.state.step,
            steps,
            computation: &job.plan.computation,
        });
        if started.is_break() && !job.is_over() {
            return Err(job.interrupted(observer)); // the checkpoint holds its state, if any
        }
        while !job.is_over() {
            if !job.state.look_due {
                let report;
                (model, report) = within_pool(|| job.step(model))?;
                if observer.on_event(Event::Step(&report)).is_break() {
                    return Err(job.save_interrupted(&model, observer)?);
                }
            }
            if job.state.look_due {
                let Some(dev) = job.look_at_dev(&model, observer)? else {
                    return Err(job.save_interrupted(&model, observer)?);
                };
                // Observers are told before the checkpoint is saved: a log must not lack what a checkpoint
                // includes.
                let flow = observer.on_event(Event::Dev(&dev));
                job.save_checkpoint(&model)?;
                if flow.is_break() && !job.is_over() {
                    return Err(job.interrupted(observer));
                }
            } else if job.is_save_due() {
                job.save_checkpoint(&model)?;
            }
        }
        let early = job.out_of_patience().filter(|_| job.state.step < steps);
        let _ = observer.on_event(Event::Finished { early: early.as_deref() }); // the run is over anyway
        job.finish(&model)
    }
}

impl Job {
    /// Whether no step and no look at the dev set is left to do.
    fn is_over(&self) -> bool {
        let trained = self.state.step >= self.schedule.steps() || self.out_of_patience().is_some();
        trained && !self.state.look_due
    }

    /// Whether the newest checkpoint is so old that the recipe asks for another one.
    fn is_save_due(&self) -> bool {
        let minutes = self.plan.recipe.checkpoint.minutes;
        minutes > 0.0 && self.saved.elapsed().as_secs_f64() >= 60.0 * minutes
    }

    /// Saves everything that the run needs to go on from here.
    fn save_checkpoint(&mut self, model: &RelevanceModel) -> Result<(), TrainError> {
        self.state.sampler = self.sampler.state().clone();
        self.state.peak_memory_bytes = self.state.peak_memory_bytes.max(crate::peak_memory());
        let further = self.layers.as_ref().map(|layers| &layers.projection);
        let (folder, state) = (self.folder.checkpoint(), self.state.clone());
        checkpoint::save(&folder, model, further, &self.optimizer, state)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Tells the observer that the run stops after the step that the checkpoint holds.
    fn interrupted(&self, observer: &mut dyn Observer) -> TrainError {
        let (step, steps) = (self.state.step, self.schedule.steps());
        let _ = observer.on_event(Event::Interrupted { step }); // the run stops anyway
        TrainError::Interrupted { step, steps }
    }

    fn save_interrupted(
        &mut self,
        model: &RelevanceModel,
        observer: &mut dyn Observer,
    ) -> Result<TrainError, TrainError> {
        self.save_checkpoint(model)?;
        Ok(self.interrupted(observer))
    }

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
            precision: self.plan.computation.precision,
            loss: &recipe.loss,
            distillation: recipe.teacher.as_ref().map(TeacherRecipe::distillation),
            behaviour: self.behaviour.as_ref(),
            layers: self.layers.as_ref(),
            pack_tokens: recipe.batch.pack_tokens,
            key: [recipe.seed, self.state.step],
            checkpointing: recipe.model.gradient_checkpointing,
            divisor: tasks.map(|tasks| tasks as f64),
        };
        let rate_factor = self.schedule.factor(self.state.step);
        let learning_rate = recipe.optimizer.learning_rate * rate_factor;
        if recipe.affinity.is_some_and(|affinity| self.state.step.is_multiple_of(affinity.every)) {
            self.state.affinity.look(&model, &batch, options, learning_rate)?;
        }
        let found = match weighting.kind {
            Weighting::Pcgrad => pcgrad::gradients(&model, &batch, options)?,
            _ => step::gradients(&model, &batch, options)?,
        };
        let mut loss = found.loss();
        let StepGradients { mut gradients, task_losses, mut tokens, .. } = found;
        let mut contradiction = None;
        if let Some(wanted) = &recipe.consistency {
            let chosen = self.triangles.draw(wanted.triangles, options.key);
            let Penalty { gradients: penalty, mean, tokens: further } =
                consistency::gradients(&model, &self.triangles, &chosen, wanted.weight, &options)?;
            gradients.add(penalty);
            loss += wanted.weight * mean;
            tokens += further;
            contradiction = Some(mean);
        }
        let norm = gradients.norm();
        let step = self.state.step + 1;
        if !norm.is_finite() {
            return Err(TrainError::Diverged { step, norm });
        }
        let clip = recipe.optimizer.clip_norm;
        // PyTorch's `clip_grad_norm_` adds 1e-6, too.
        let gradient_factor = if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let further = self.layers.as_mut().map(|layers| &mut layers.projection);
        let model =
            self.optimizer.step_with(model, further, gradients, rate_factor, gradient_factor);
        let head_rate =
            recipe.optimizer.head_learning_rate.unwrap_or(recipe.optimizer.learning_rate);
        let epoch = self.sampler.batches_per_epoch() as u64;
        self.state.weighting.learn(weighting, &task_losses, head_rate * rate_factor, epoch);
        let seconds = start.elapsed().as_secs_f64();
        self.state.step = step;
        self.state.look_due = step.is_multiple_of(self.dev_every) || step == self.schedule.steps();
        self.state.seconds += seconds;
        self.state.rows += rows.len() as u64;
        self.state.tokens += tokens as u64;
        let report = StepReport {
            step,
            steps: self.schedule.steps(),
            rows: rows.len(),
            tokens,
            loss,
            contradiction,
            task_losses,
            task_weights,
            gradient_norm: norm,
            learning_rate,
            seconds,
        };
        Ok((model, report))
    }

    /// Evaluates the model on the dev rows and saves its weights as the bundle if they are the best so far.
    /// Returns `None` if the observer breaks meanwhile; then nothing has changed.
    fn look_at_dev(
        &mut self,
        model: &RelevanceModel,
        observer: &mut dyn Observer,
    ) -> Result<Option<DevEvaluation>, TrainError> {
        let recipe = &self.plan.recipe;
        // A look and a step need blocks of different sizes.
        release_free_blocks();
        let scorer = model.valid();
        let predictions = predict_rows(
            &scorer,
            &self.dev.views().collect::<Vec<_>>(),
            &Arc::new(PackedWeights::new(&scorer, self.plan.computation.precision.into())),
            Predictor::PACK_TOKENS,
            |rows| observer.on_event(Event::DevRows { rows }),
        );
        release_free_blocks();
        let predictions = match predictions {
            Err(ModelError::Stopped) => return Ok(None),
            found => found.map_err(|error| failed_look(error, self.state.step, &self.dev))?,
        };
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
            self.save_bundle(model, &scored)?;
        } else {
            self.state.looks_since_best += 1;
        }
        self.state.look_due = false;
        Ok(Some(DevEvaluation { step: self.state.step, value, best, report }))
    }

    /// Saves the bundle. `dev` has the dev rows with the model's answers to them.
    fn save_bundle(&self, model: &RelevanceModel, dev: &[Scored<'_>]) -> Result<(), TrainError> {
        let behaviour = self.behaviour.as_ref();
        let about = particulars(&self.plan, &self.state, &self.train, behaviour, dev);
        bundle::save(&self.folder.bundle(), Existing::Own, model, &self.encoder, about)?;
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
            affinity: self.state.affinity,
            peak_memory_bytes: self.state.peak_memory_bytes.max(crate::peak_memory()),
        };
        summary.write(&self.folder.summary())?;
        Ok(summary)
    }
}
