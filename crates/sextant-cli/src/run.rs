//! A run's progress on a terminal: a bar with rate, ETA and loss, and a line for each evaluation on the
//! dev set. Without a terminal, the same is written as plain lines from time to time.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sextant_core::Task;
use sextant_eval::Metric;
use sextant_kernels::Processor;
use sextant_train::{Event, Observer, PrecisionChoice, StepReport};
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Shows progress on standard error.
///
/// ```no_run
/// use sextant_cli::Progress;
/// use sextant_train::{Summary, TrainError, Trainer};
///
/// fn train(trainer: Trainer) -> Result<Summary, TrainError> {
///     trainer.run(&mut Progress::new("first-run"))
/// }
/// ```
pub struct Progress {
    name: String,
    bar: ProgressBar,
    terminal: bool,
    last_line: Instant,
    /// Running means of the loss over all rows and by task.
    loss: Option<f64>,
    task_losses: [Option<f64>; Task::COUNT],
    /// What this process did; for a resumed run, that is only the part since it was resumed.
    steps: u64,
    rows: usize,
    seconds: f64,
}

/// The time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(15);
/// Weight of the newest step in the running means.
const NEWEST: f64 = 0.05;

impl Progress {
    /// Shows the progress of the run with this name.
    pub fn new(name: &str) -> Self {
        Self::on(name, ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()))
    }

    /// Shows the progress of a run on a bar that stands among others.
    pub(crate) fn on(name: &str, bar: ProgressBar) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let template = "{prefix} {bar:24} {pos}/{len} {elapsed}<{eta} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_prefix(name.to_owned());
        Self {
            name: name.to_owned(),
            bar,
            terminal,
            last_line: Instant::now(),
            loss: None,
            task_losses: [None; Task::COUNT],
            steps: 0,
            rows: 0,
            seconds: 0.0,
        }
    }

    fn line(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            // Progress that cannot be shown is no reason to end a run.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    fn step(&mut self, report: &StepReport) {
        let mean = |old: Option<f64>, new: f64| old.map_or(new, |old| old + NEWEST * (new - old));
        self.loss = Some(mean(self.loss, report.loss));
        for (running, task) in self.task_losses.iter_mut().zip(report.task_losses) {
            if let Some(loss) = task.mean() {
                *running = Some(mean(*running, loss));
            }
        }
        self.steps += 1;
        self.rows += report.rows;
        self.seconds += report.seconds;
        let rate = self.rows as f64 / self.seconds.max(1e-9);
        let tasks: Vec<String> = Task::ALL
            .into_iter()
            .filter_map(|task| {
                self.task_losses[task.index()].map(|loss| format!("{} {loss:.2}", initials(task)))
            })
            .collect();
        let message = format!(
            "{rate:.0} rows/s loss {:.3} ({})",
            self.loss.unwrap_or(report.loss),
            tasks.join(" ")
        );
        self.bar.set_message(message.clone());
        self.bar.set_position(report.step);
        if !self.terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let left = (report.steps - report.step) as f64 * self.seconds / self.steps as f64;
            self.line(&format!(
                "{} step {}/{} {message} about {left:.0} s left",
                self.name, report.step, report.steps
            ));
        }
    }
}

/// The initials of a task's name: `qp` for `query-product`.
fn initials(task: Task) -> String {
    task.as_str().split('-').filter_map(|word| word.chars().next()).collect()
}

impl Observer for Progress {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Started { step, steps, computation } => {
                if computation.asked == PrecisionChoice::Auto {
                    let Processor { name, level, .. } = &computation.processor;
                    self.line(&format!(
                        "{} computes in {}, chosen for {name} ({level})",
                        self.name, computation.precision
                    ));
                }
                self.bar.set_length(steps);
                self.bar.set_position(step);
                self.bar.reset_eta();
            }
            Event::Step(report) => self.step(report),
            Event::Dev(dev) => {
                let accuracy = dev.report.pooled.value(Metric::Accuracy).unwrap_or(0.0);
                self.line(&format!(
                    "{} step {}: dev {:.4}, pooled accuracy {accuracy:.4}{}",
                    self.name,
                    dev.step,
                    dev.value,
                    if dev.best { ", best so far" } else { "" }
                ));
            }
            Event::DevRows { .. } => {}
            // Whoever asked the run to stop reports it.
            Event::Interrupted { .. } => self.bar.finish_and_clear(),
            Event::Finished { early } => {
                self.bar.finish_and_clear();
                if let Some(reason) = early {
                    self.line(&format!("{} ended early: {reason}", self.name));
                }
            }
        }
        ControlFlow::Continue(())
    }
}
