//! What a run tells those who watch it.

use crate::TaskLoss;
use sextant_core::Task;
use sextant_eval::EvalReport;
use std::ops::ControlFlow;

/// One optimizer step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Rows and tokens of the step.
    pub rows: usize,
    /// Tokens of the step.
    pub tokens: usize,
    /// The loss that moved the model: unless tasks are weighed, the mean over the step's rows.
    pub loss: f64,
    /// What each task's rows came to.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// What each task's mean loss counts in `loss`; none where every row counts the same.
    pub task_weights: Option<[f64; Task::COUNT]>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// The learning rate of the top block.
    pub learning_rate: f64,
    /// Seconds that the step took.
    pub seconds: f64,
}

/// One look at the dev set.
#[derive(Debug, Clone, PartialEq)]
pub struct DevEvaluation {
    /// Steps done.
    pub step: u64,
    /// The chosen metric's mean over tasks.
    pub value: f64,
    /// Whether it is the best so far.
    pub best: bool,
    /// Everything measured.
    pub report: EvalReport,
}

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The run begins, or goes on after `step` of `steps`.
    Started {
        /// Steps done before.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
    },
    /// A step was done.
    Step(&'a StepReport),
    /// So many more dev rows were answered, within a look at the dev set.
    DevRows {
        /// How many.
        rows: usize,
    },
    /// The dev set was looked at.
    Dev(&'a DevEvaluation),
    /// The run was asked to stop. Its checkpoint holds this step, if it did any.
    Interrupted {
        /// Steps done.
        step: u64,
    },
    /// The run is over, or was ended early.
    Finished {
        /// Why it ended before its last step, if it did.
        early: Option<&'a str>,
    },
}

/// Hears of everything that happens in a run, and may end it.
pub trait Observer {
    /// Called for each event, in order. To break asks the run to stop, in good order; after
    /// [`Event::Interrupted`] and [`Event::Finished`] it changes nothing.
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()>;
}

/// Several observers as one. Each hears of every event; it breaks if any of them does.
#[derive(Default)]
pub struct Observers(pub Vec<Box<dyn Observer>>);

impl Observer for Observers {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        for observer in &mut self.0 {
            if observer.on_event(event).is_break() {
                flow = ControlFlow::Break(());
            }
        }
        flow
    }
}
