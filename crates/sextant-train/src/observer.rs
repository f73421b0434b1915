//! The events of a run, and the trait of those who receive them.

use crate::{Communication, Computation, TaskLoss};
use sextant_core::Task;
use sextant_eval::EvalReport;
use std::ops::ControlFlow;

/// One optimizer step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The number of the step, from 1.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Rows of the step.
    pub rows: usize,
    /// Tokens of the step.
    pub tokens: usize,
    /// The loss whose gradient updated the model; unless tasks are weighed, it is the mean over the step's
    /// rows, plus the weighted penalty of consistency training.
    pub loss: f64,
    /// The mean penalty of the step's triangles, before it is weighed; `None` without consistency training.
    pub contradiction: Option<f64>,
    /// The losses of each task's rows.
    pub task_losses: [TaskLoss; Task::COUNT],
    /// The weight of each task's mean loss in `loss`; `None` if every row counts the same.
    pub task_weights: Option<[f64; Task::COUNT]>,
    /// The norm of the whole gradient before clipping.
    pub gradient_norm: f64,
    /// The learning rate of the top block.
    pub learning_rate: f64,
    /// Seconds that the step took.
    pub seconds: f64,
    /// What this process has exchanged with the others of the training; `None` if it is alone.
    pub communication: Option<Communication>,
}

/// One look at the dev set.
#[derive(Debug, Clone, PartialEq)]
pub struct DevEvaluation {
    /// Steps done.
    pub step: u64,
    /// The chosen metric's mean over tasks.
    pub value: f64,
    /// Whether the value is the best so far.
    pub best: bool,
    /// The report on the dev rows, with all metrics.
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
        /// What the run computes with.
        computation: &'a Computation,
    },
    /// A step was done.
    Step(&'a StepReport),
    /// More dev rows were answered, during a look at the dev set.
    DevRows {
        /// How many rows were answered since the last such event.
        rows: usize,
    },
    /// The dev set was looked at.
    Dev(&'a DevEvaluation),
    /// The run stops because an observer asked for it. Its checkpoint holds this step, if any step was done.
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

/// Receives every event of a run, and may stop the run.
pub trait Observer {
    /// Called for each event, in order. Returning `Break` asks the run to stop in an orderly way; after
    /// [`Event::Interrupted`] and [`Event::Finished`] it has no effect.
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()>;
}

/// Several observers that act as one. Each of them receives every event, and the whole breaks if any of them
/// does.
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
