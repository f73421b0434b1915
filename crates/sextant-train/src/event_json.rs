//! The events of a run as JSON, for logs and for other languages.

use crate::{Communication, Event};
use serde_json::{Map, Value, json};
use sextant_core::Task;
use sextant_eval::Metric;

impl Event<'_> {
    /// The event as an object whose key `event` names it; none for events that only say that work goes on.
    pub fn to_json(self) -> Option<Value> {
        Some(match self {
            Event::Started { step, steps, computation } => json!({
                "event": "started", "step": step, "steps": steps,
                "computation": computation.to_json(),
            }),
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
                let mut line = json!({
                    "event": "step", "step": report.step, "loss": report.loss, "rows": report.rows,
                    "tokens": report.tokens, "gradient_norm": report.gradient_norm,
                    "learning_rate": report.learning_rate, "seconds": report.seconds, "tasks": tasks,
                });
                if let Some(contradiction) = report.contradiction {
                    line["contradiction"] = contradiction.into();
                }
                if let Some(Communication { bytes, seconds, waited }) = report.communication {
                    line["communication"] =
                        json!({"bytes": bytes, "seconds": seconds, "waited": waited});
                }
                line
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
            Event::DevRows { .. } => return None,
            Event::Interrupted { step } => json!({"event": "interrupted", "step": step}),
            Event::Finished { early } => json!({"event": "finished", "early": early}),
        })
    }
}
