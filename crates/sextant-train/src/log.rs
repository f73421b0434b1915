//! A run's log: a JSON object a line.

use crate::{Event, Observer, TrainError};
use serde_json::{Map, Value, json};
use sextant_core::Task;
use sextant_eval::Metric;
use sextant_files::AtomicFile;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes events to `log.jsonl`. A full disk ends the log with a warning, not the run.
pub struct JsonLog {
    path: PathBuf,
    file: Option<BufWriter<std::fs::File>>,
}

impl JsonLog {
    /// Opens a log. Lines about steps after `done` are dropped: a resumed run does those again. So is
    /// a line that a kill left half-written, and the end of an earlier run.
    pub fn open(path: &Path, done: u64) -> Result<Self, TrainError> {
        let kept: String = match std::fs::read_to_string(path) {
            Ok(text) => text
                .lines()
                .filter(|line| line_step(line).is_some_and(|step| step <= done))
                .fold(String::new(), |mut kept, line| {
                    kept.push_str(line);
                    kept.push('\n');
                    kept
                }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(TrainError::io("read", path)(error)),
        };
        let mut file = AtomicFile::create(path)?;
        file.write_all(kept.as_bytes()).map_err(TrainError::io("write", path))?;
        file.commit()?;
        let file =
            OpenOptions::new().append(true).open(path).map_err(TrainError::io("open", path))?;
        Ok(Self { path: path.to_owned(), file: Some(BufWriter::new(file)) })
    }

    fn write(&mut self, line: &Value) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = writeln!(file, "{line}").and_then(|()| file.flush()) {
            tracing::warn!("{}: the log ends here: {error}", self.path.display());
            self.file = None;
        }
    }
}

fn line_step(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?.get("step")?.as_u64()
}

impl Observer for JsonLog {
    fn on_event(&mut self, event: Event<'_>) {
        let line = match event {
            Event::Started { step, steps } => {
                json!({"event": "started", "step": step, "steps": steps})
            }
            Event::Step(report) => {
                let tasks: Map<String, Value> = Task::ALL
                    .into_iter()
                    .filter_map(|task| {
                        let found = report.task_losses[task.index()];
                        let loss = found.mean()?;
                        let mut entry = json!({"loss": loss, "rows": found.rows});
                        if let Some(weights) = report.task_weights {
                            entry["weight"] = weights[task.index()].into();
                        }
                        Some((task.to_string(), entry))
                    })
                    .collect();
                json!({
                    "event": "step", "step": report.step, "loss": report.loss, "rows": report.rows,
                    "tokens": report.tokens, "gradient_norm": report.gradient_norm,
                    "learning_rate": report.learning_rate, "seconds": report.seconds, "tasks": tasks,
                })
            }
            Event::Dev(dev) => {
                let tasks: Map<String, Value> = dev
                    .report
                    .tasks
                    .iter()
                    .map(|(task, m)| (task.to_string(), json!(m.value(Metric::Accuracy))))
                    .collect();
                json!({
                    "event": "dev", "step": dev.step, "value": dev.value, "best": dev.best,
                    "accuracy": dev.report.pooled.value(Metric::Accuracy),
                    "log_loss": dev.report.pooled.value(Metric::LogLoss), "task_accuracy": tasks,
                })
            }
            Event::Finished { early } => json!({"event": "finished", "early": early}),
        };
        self.write(&line);
    }
}
