//! The training loop.

use crate::agree::agree;
use crate::checkpoint::{self, TrainingState};
use crate::job::Job;
use crate::metered::Metered;
use crate::spread::{check_alike, check_checkpoint, warn_of_idle_ranks};
use crate::{
    AdamW, Alone, Event, LayerTeacher, Observer, Prepared, Reducer, RunFolder, Sampler, Schedule,
    Start, Summary, TrainError,
};
use sextant_files::{Existing, Lock};
use sextant_kernels::{release_free_blocks, within_pool};
use sextant_model::RelevanceModel;
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

    /// Does the same as [`Trainer::new`] in one of several processes that train one model together. All of
    /// them must have prepared the same recipe and data. Rank 0 alone locks the folder and writes into it;
    /// the others read it when a run is resumed.
    ///
    /// # Errors
    /// Those of [`Trainer::new`], in all processes if in one; processes that have prepared different runs or
    /// find different checkpoints.
    pub fn spread(
        prepared: Prepared,
        folder: RunFolder,
        start: Start,
        existing: Existing,
        reducer: Arc<dyn Reducer>,
    ) -> Result<Self, TrainError> {
        let lock = (reducer.rank() == 0).then(|| folder.lock()).transpose();
        let lock = agree(&*reducer, lock)?;
        Self::spread_locked(prepared, folder, lock, (start, existing), reducer)
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
        Self::spread_locked(prepared, folder, Some(lock), (start, existing), Arc::new(Alone))
    }

    /// Does the same as [`Trainer::spread`] in a folder that rank 0 has already locked, which alone gives a `lock`.
    ///
    /// # Errors
    /// Those of [`Trainer::spread`].
    pub fn spread_locked(
        mut prepared: Prepared,
        folder: RunFolder,
        lock: Option<Arc<Lock>>,
        (start, existing): (Start, Existing),
        reducer: Arc<dyn Reducer>,
    ) -> Result<Self, TrainError> {
        let (ranks, leads) = (&*reducer, reducer.rank() == 0);
        let fingerprint = prepared.fingerprint();
        check_alike(ranks, &fingerprint, &mut prepared.plan.computation)?;
        let Prepared { mut plan, mut model, encoder, train, dev, triangles, mut layers, behaviour } =
            prepared;
        let recipe = plan.recipe.clone();
        let batch = &recipe.batch;
        let mut sampler =
            Sampler::new(&train.tasks(), batch.rows, batch.sampling, batch.mixing, recipe.seed);
        let epoch = sampler.batches_per_epoch() as f64;
        let steps = steps(&recipe, epoch);
        let mut optimizer = AdamW::new(recipe.optimizer.clone(), &model);
        if recipe.distributed.shard_optimizer && ranks.ranks() > 1 {
            optimizer = optimizer.sharded(ranks.rank(), ranks.ranks());
        }
        if let Some(layers) = &layers {
            optimizer.add(LayerTeacher::PROJECTION, &layers.projection);
        }
        let mut state = TrainingState { fingerprint, ..TrainingState::default() };
        let found = agree(
            ranks,
            match start {
                Start::Resume => checkpoint::read_state(&folder.checkpoint()),
                Start::New | Start::Again => Ok(None),
            },
        )?;
        check_checkpoint(ranks, found.as_ref(), &folder, recipe.distributed.reduction)?;
        if let Some(found) = found {
            let load = || {
                if found.fingerprint != state.fingerprint {
                    return Err(TrainError::Run {
                            path: folder.checkpoint(),
                            problem: "was made by another recipe or from other data; start again in another folder with `--out`".into(),
                        });
                }
                plan.computation.go_on_in(found.precision, &folder.checkpoint())?;
                if leads {
                    folder.check_best(&found)?;
                }
                let projection = layers.as_mut().map(|layers| &mut layers.projection);
                checkpoint::load(&folder.checkpoint(), &found, model, projection, &mut optimizer)
            };
            model = agree(ranks, load())?;
            sampler.restore(found.sampler.clone());
            state = found;
        } else {
            let made_room =
                if leads { folder.make_room(start, existing, &state.fingerprint) } else { Ok(()) };
            agree(ranks, made_room)?;
        }
        warn_of_idle_ranks(ranks, &train, &recipe.batch);
        state.precision = plan.computation.precision;
        state.ranks = ranks.ranks();
        agree(ranks, if leads { folder.claim() } else { Ok(()) })?;
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
            reducer: Metered::new(reducer),
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
        if job.anyone(started)? && !job.is_over() {
            return Err(job.interrupted(observer)); // the checkpoint holds its state, if any
        }
        while !job.is_over() {
            if !job.state.look_due {
                let report;
                (model, report) = within_pool(|| job.step(model))?;
                let flow = observer.on_event(Event::Step(&report));
                if job.anyone(flow)? {
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
                if job.anyone(flow)? && !job.is_over() {
                    return Err(job.interrupted(observer));
                }
            } else if job.is_save_due()? {
                job.save_checkpoint(&model)?;
            }
        }
        let early = job.out_of_patience().filter(|_| job.state.step < steps);
        let _ = observer.on_event(Event::Finished { early: early.as_deref() }); // the run is over anyway
        job.finish(&model)
    }
}
