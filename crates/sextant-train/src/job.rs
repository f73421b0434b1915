//! One step, one look at the dev set, one checkpoint of a run.

use crate::agree::{agree, any};
use crate::best::particulars;
use crate::checkpoint::{self, TrainingState};
use crate::consistency::{self, Penalty};
use crate::dev_metric::{failed_look, is_better, look};
use crate::metered::Metered;
use crate::pcgrad;
use crate::spread::{
    Kind, Spread, bring_parameters, check_weights, gather_predictions, predict_dev,
};
use crate::step::{self, StepGradients};
use crate::target::StepOptions;
use crate::task_gradients;
use crate::weighting::weigh;
use crate::{
    AdamW, BehaviourLoss, DevEvaluation, Event, LayerTeacher, Observer, Plan, Reducer, Rows,
    RunFolder, Sampler, Schedule, StepReport, Summary, TeacherRecipe, TrainError, Triangles,
    Weighting,
};
use burn::module::Module;
use sextant_eval::Scored;
use sextant_files::{Existing, Lock};
use sextant_kernels::release_free_blocks;
use sextant_model::{ModelError, PackedWeights, ParameterCounts, RelevanceModel, bundle};
use sextant_text::Encoder;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Everything of a run except its weights.
pub(crate) struct Job {
    pub(crate) plan: Plan,
    pub(crate) encoder: Encoder,
    pub(crate) train: Rows,
    pub(crate) dev: Rows,
    pub(crate) triangles: Triangles,
    pub(crate) folder: RunFolder,
    /// Keeps other runs out of the folder until this one has ended; rank 0 holds it.
    pub(crate) _lock: Option<Arc<Lock>>,
    pub(crate) reducer: Metered,
    pub(crate) optimizer: AdamW,
    pub(crate) layers: Option<LayerTeacher>,
    pub(crate) behaviour: Option<BehaviourLoss>,
    pub(crate) sampler: Sampler,
    pub(crate) schedule: Schedule,
    pub(crate) dev_every: u64,
    pub(crate) state: TrainingState,
    /// When the newest checkpoint was saved; before the first, when the run began.
    pub(crate) saved: Instant,
}

impl Job {
    /// Whether no step and no look at the dev set is left to do.
    pub(crate) fn is_over(&self) -> bool {
        let trained = self.state.step >= self.schedule.steps() || self.out_of_patience().is_some();
        trained && !self.state.look_due
    }

    /// Whether this process writes the run's files.
    fn leads(&self) -> bool {
        self.reducer.rank() == 0
    }

    /// Whether the observer of any rank breaks.
    pub(crate) fn anyone(&self, flow: ControlFlow<()>) -> Result<bool, TrainError> {
        any(&self.reducer, flow.is_break())
    }

    /// Whether the newest checkpoint is so old that the recipe asks for another one, by the clock of the
    /// process that saves it.
    pub(crate) fn is_save_due(&self) -> Result<bool, TrainError> {
        let minutes = self.plan.recipe.checkpoint.minutes;
        if minutes <= 0.0 {
            return Ok(false);
        }
        let due = self.saved.elapsed().as_secs_f64() >= 60.0 * minutes;
        any(&self.reducer, due && self.leads())
    }

    /// Saves everything that the run needs to go on from here.
    pub(crate) fn save_checkpoint(&mut self, model: &RelevanceModel) -> Result<(), TrainError> {
        self.state.sampler = self.sampler.state().clone();
        self.state.peak_memory_bytes = self.state.peak_memory_bytes.max(crate::peak_memory());
        check_weights(&self.reducer, model, self.state.step)?;
        let (folder, state) = (self.folder.checkpoint(), self.state.clone());
        let further = self.layers.as_ref().map(|layers| &layers.projection);
        checkpoint::save(&folder, (model, further), &self.optimizer, state, &self.reducer)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Tells the observer that the run stops after the step that the checkpoint holds.
    pub(crate) fn interrupted(&self, observer: &mut dyn Observer) -> TrainError {
        let (step, steps) = (self.state.step, self.schedule.steps());
        let _ = observer.on_event(Event::Interrupted { step }); // the run stops anyway
        TrainError::Interrupted { step, steps }
    }

    pub(crate) fn save_interrupted(
        &mut self,
        model: &RelevanceModel,
        observer: &mut dyn Observer,
    ) -> Result<TrainError, TrainError> {
        self.save_checkpoint(model)?;
        Ok(self.interrupted(observer))
    }

    pub(crate) fn out_of_patience(&self) -> Option<String> {
        let dev = &self.plan.recipe.dev;
        let patience = dev.patience?;
        (self.state.looks_since_best >= patience)
            .then(|| format!("no better dev {} in {patience} looks", dev.metric))
    }

    /// One optimizer step.
    pub(crate) fn step(
        &mut self,
        model: RelevanceModel,
    ) -> Result<(RelevanceModel, StepReport), TrainError> {
        let start = Instant::now();
        self.reducer.take(); // what came before the step
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
            let affinity = &mut self.state.affinity;
            task_gradients::look(affinity, &model, &batch, options, learning_rate)?;
        }
        let reducer = &self.reducer;
        let order = recipe.distributed.reduction;
        let spread = Spread { reducer, order, waited: &reducer.waited };
        let found = match weighting.kind {
            Weighting::Pcgrad => pcgrad::gradients(&model, &batch, options, spread)?,
            _ => step::spread_gradients(&model, &batch, options, spread)?,
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
        let kinds: Vec<Kind> = gradients.iter().map(Kind::of).collect();
        let further = self.layers.as_mut().map(|layers| &mut layers.projection);
        let model =
            self.optimizer.step_with(model, further, gradients, rate_factor, gradient_factor);
        let model = bring_parameters(model, &self.optimizer, &kinds, &self.reducer)?;
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
            communication: self.reducer.take(),
        };
        Ok((model, report))
    }

    /// Evaluates the model on the dev rows and saves its weights as the bundle if they are the best so far.
    /// Returns `None` if the observer breaks meanwhile; then nothing has changed.
    pub(crate) fn look_at_dev(
        &mut self,
        model: &RelevanceModel,
        observer: &mut dyn Observer,
    ) -> Result<Option<DevEvaluation>, TrainError> {
        let recipe = &self.plan.recipe;
        // A look and a step need blocks of different sizes.
        release_free_blocks();
        let scorer = model.valid();
        let weights = Arc::new(PackedWeights::new(&scorer, self.plan.computation.precision.into()));
        let predictions = predict_dev(&self.reducer, &scorer, &self.dev, &weights, |rows| {
            observer.on_event(Event::DevRows { rows })
        });
        release_free_blocks();
        let predictions = match predictions {
            Err(ModelError::Stopped) => Ok(None),
            found => {
                found.map(Some).map_err(|error| failed_look(error, self.state.step, &self.dev))
            }
        };
        let Some(predictions) = gather_predictions(&self.reducer, predictions)? else {
            return Ok(None);
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
            let saved = if self.leads() { self.save_bundle(model, &scored) } else { Ok(()) };
            agree(&self.reducer, saved)?;
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

    pub(crate) fn finish(self, model: &RelevanceModel) -> Result<Summary, TrainError> {
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
            affinity: self.state.affinity.clone(),
            peak_memory_bytes: self.state.peak_memory_bytes.max(crate::peak_memory()),
        };
        let written = if self.leads() { summary.write(&self.folder.summary()) } else { Ok(()) };
        agree(&self.reducer, written)?;
        Ok(summary)
    }
}
