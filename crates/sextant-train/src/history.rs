//! A run's log read again: how loss and dev metric went.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The steps of a run and its looks at the dev set, as its log has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct History {
    /// Every step, in order.
    pub steps: Vec<LoggedStep>,
    /// Every look at the dev set, in order.
    pub looks: Vec<LoggedLook>,
}

/// A step in the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoggedStep {
    /// The number of the step, from 1.
    pub step: u64,
    /// The loss whose gradient updated the model.
    pub loss: f64,
    /// The learning rate of the top block.
    pub learning_rate: f64,
    /// The norm of the whole gradient before clipping.
    pub gradient_norm: f64,
}

/// A look at the dev set in the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoggedLook {
    /// Steps done.
    pub step: u64,
    /// The chosen metric's mean over tasks.
    pub value: f64,
    /// Whether the value was the best so far.
    pub best: bool,
}

/// The events of a log that a history is made of.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Step(LoggedStep),
    Dev(LoggedLook),
    #[serde(other)]
    Other,
}

impl History {
    /// Reads the log of a run, `log.jsonl`. A last line that a kill left half-written is passed over.
    ///
    /// # Errors
    /// The file cannot be read, or a line that is whole is not an event.
    pub fn read(log: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(log).map_err(TrainError::io("read", log))?;
        let mut history = Self::default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (number, line) in whole.lines().enumerate() {
            let line = serde_json::from_str(line).map_err(|error| TrainError::Run {
                path: log.to_owned(),
                problem: format!("line {}: {error}; remove the line", number + 1),
            })?;
            match line {
                Line::Step(step) => history.steps.push(step),
                Line::Dev(look) => history.looks.push(look),
                Line::Other => {}
            }
        }
        Ok(history)
    }

    /// The loss in at most `most` points; see [`History::means`].
    pub fn loss(&self, most: usize) -> Vec<(f64, f64)> {
        self.means(most, |step| step.loss)
    }

    /// A number of every step in at most `most` points: where there are more steps, the means of spans of
    /// equally many steps, each at the middle of its span.
    pub fn means(&self, most: usize, of: fn(&LoggedStep) -> f64) -> Vec<(f64, f64)> {
        let span = self.steps.len().div_ceil(most.max(1)).max(1);
        let mean = |steps: &[LoggedStep], of: fn(&LoggedStep) -> f64| {
            steps.iter().map(of).sum::<f64>() / steps.len() as f64
        };
        let spans = self.steps.chunks(span);
        spans.map(|steps| (mean(steps, |step| step.step as f64), mean(steps, of))).collect()
    }

    /// The dev metric in at most `most` points: where there are more looks, every second, third … of them,
    /// and always the last.
    pub fn dev(&self, most: usize) -> Vec<(f64, f64)> {
        let every = self.looks.len().div_ceil(most.max(1)).max(1);
        let from_the_end = self.looks.iter().rev().step_by(every);
        let mut points: Vec<_> = from_the_end.map(|look| (look.step as f64, look.value)).collect();
        points.reverse();
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"event":"started","step":0,"steps":4,"computation":{}}
{"event":"step","step":1,"loss":1.5,"rows":8,"tokens":90,"gradient_norm":2.0,"learning_rate":0.1,"seconds":1.0,"tasks":{}}
{"event":"step","step":2,"loss":1.25,"rows":8,"tokens":90,"gradient_norm":1.0,"learning_rate":0.2,"seconds":1.0,"tasks":{}}
{"event":"dev","step":2,"value":0.5,"best":true,"accuracy":0.5,"log_loss":1.0,"task_accuracy":{}}
{"event":"step","step":3,"loss":1.0,"rows":8,"tokens":90,"gradient_norm":1.0,"learning_rate":0.1,"seconds":1.0,"tasks":{}}
{"event":"interrupted","step":3}
{"event":"st"#;

    fn read(text: &str) -> Result<History, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, text).unwrap();
        History::read(&path)
    }

    #[test]
    fn a_log_is_read_again() {
        let history = read(LOG).unwrap();
        assert_eq!(history.steps.len(), 3);
        assert_eq!(history.loss(10), [(1.0, 1.5), (2.0, 1.25), (3.0, 1.0)]);
        assert_eq!(history.loss(2), [(1.5, 1.375), (3.0, 1.0)]);
        assert_eq!(history.dev(10), [(2.0, 0.5)]);
        assert_eq!(read("").unwrap(), History::default());
        let error = read("{\"event\":\"step\"}\n").unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("missing field"), "{error}");
    }

    #[test]
    fn many_looks_are_thinned_and_the_last_one_stays() {
        let look = |step| LoggedLook { step, value: step as f64, best: false };
        let history = History { looks: (1..=100).map(look).collect(), steps: Vec::new() };
        let thin = history.dev(30);
        assert_eq!((thin.len(), thin[0], thin[24]), (25, (4.0, 4.0), (100.0, 100.0)));
    }
}
