//! A run's log: one JSON object per line.

use crate::{Event, Observer, TrainError, Trainer};
use serde_json::Value;
use sextant_files::{AtomicFile, Existing};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Writes events to `log.jsonl`. A full disk ends the log with a warning, not the run.
pub struct JsonLog {
    path: PathBuf,
    file: Option<BufWriter<std::fs::File>>,
}

impl JsonLog {
    /// Opens the log of a run that is about to begin or to resume. Lines about steps and looks at the dev
    /// set that the run's checkpoint does not include are removed, because the run repeats them. A line that
    /// a kill left half-written is removed, too, and so are the lines about the end of an earlier run.
    ///
    /// # Errors
    /// A log that cannot be read or written.
    pub fn open(trainer: &Trainer) -> Result<Self, TrainError> {
        let path = &trainer.folder().log();
        let kept: String = match std::fs::read_to_string(path) {
            Ok(text) => text.lines().filter(|line| is_held(line, trainer)).fold(
                String::new(),
                |mut kept, line| {
                    kept.push_str(line);
                    kept.push('\n');
                    kept
                },
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(TrainError::io("read", path)(error)),
        };
        let mut file = AtomicFile::create(path, Existing::Own)?;
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

/// Whether a line is about something that the trainer's checkpoint includes.
fn is_held(line: &str, trainer: &Trainer) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return false };
    let Some(step) = line.get("step").and_then(Value::as_u64) else { return false };
    let done = trainer.steps_done();
    step < done || step == done && !(line["event"] == "dev" && trainer.is_look_due())
}

impl Observer for JsonLog {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if let Some(line) = event.to_json() {
            self.write(&line);
        }
        ControlFlow::Continue(())
    }
}
