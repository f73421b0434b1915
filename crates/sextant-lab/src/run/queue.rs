//! Which run a process does next, and when it stops.

use super::claim::Claim;
use super::finish::watched;
use super::{Lab, LabEvent, Outcome, RunState, Watcher};
use crate::LabError;
use crate::cell::Cell;
use crate::search::{Next, Search};
use sextant_files::{Existing, Lock};
use sextant_model::{Device, ModelError};
use sextant_train::TrainError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a process that waits for others sleeps before it looks at their work again.
const POLL: Duration = Duration::from_millis(500);

/// What is left to do, as this process knows it.
struct Queue {
    /// Runs of the grid that are not finished, in the order in which to try them.
    open: Vec<Cell>,
    search: Option<Search>,
    /// The time from which on no run may begin; `None` without a limit.
    end: Option<Instant>,
    /// Names of runs that do not fit the time that is left.
    late: BTreeSet<String>,
    /// The runs that other processes hold and the names of these processes, as the watcher was told.
    holders: BTreeMap<String, String>,
}

/// What to do next.
enum Turn {
    /// Finish this run, which is claimed.
    Run(Box<Cell>, Arc<Lock>),
    /// Others work on everything that is left.
    Wait,
    /// Return with this outcome.
    End(Outcome),
}

/// The result of trying to take a run.
enum Taken {
    Mine(Arc<Lock>),
    Held,
    /// Another process has finished the run in the meantime.
    Finished,
    /// The run does not fit the time that is left.
    Late,
}

impl Lab {
    /// Trains and evaluates the missing runs, in order, as long as they fit the time.
    ///
    /// Killed or interrupted at any point and called again, it goes on where it was, with the same
    /// results. Several processes may work on one folder: each run is trained by one of them, and the
    /// last to end waits for the others, to take over what they leave behind. `existing` says whether a
    /// different recipe that the user wrote into the lab's folder may be replaced.
    ///
    /// # Errors
    /// The folder holds runs of another recipe or of other data, or a run fails.
    pub fn run(
        &mut self,
        device: &Device,
        budget: Option<Duration>,
        existing: Existing,
        watcher: &mut dyn Watcher,
    ) -> Result<Outcome, LabError> {
        let end = budget.and_then(|budget| Instant::now().checked_add(budget));
        let open = match self.unfinished(watcher) {
            Ok(open) => open,
            Err(error) => return stopped(None, error),
        };
        // The recipe is written only now, so that a folder of other runs, which was refused above, keeps
        // its own.
        self.keep_recipe(existing)?;
        let search = Search::new(&self.grid.recipe)?;
        let trials = self.grid.recipe.search.as_ref().map_or(0, Search::runs);
        let tried = search.as_ref().map_or(0, |search| search.finished(|cell| self.entry(cell)));
        let cells = self.share.of(&self.grid.cells).count();
        let finished = cells - open.len() + tried;
        let opened = LabEvent::Opened { runs: cells + trials.max(tried), finished };
        let mut stop = watcher.on_event(opened).is_break();
        let (late, holders) = (BTreeSet::new(), BTreeMap::new());
        let mut queue = Queue { open, search, end, late, holders };
        loop {
            let turn = match self.turn(&mut queue, watcher) {
                Ok(turn) => turn,
                Err(error) => return stopped(None, error),
            };
            match turn {
                Turn::End(outcome) => return Ok(outcome),
                _ if stop => return Ok(Outcome::Interrupted { within: None }),
                Turn::Wait => {
                    std::thread::sleep(POLL);
                    stop = watcher.on_event(LabEvent::Busy).is_break();
                }
                Turn::Run(cell, lock) => {
                    let seconds = self.estimate(&cell);
                    let left = queue.left(&cell).map(|cell| self.estimate(cell)).sum();
                    let started = LabEvent::Started { cell: &cell, seconds, left };
                    if watcher.on_event(started).is_break() {
                        return Ok(Outcome::Interrupted { within: None });
                    }
                    let entry = match self.finish(&cell, &lock, device, watcher) {
                        Ok(entry) => entry,
                        Err(error) => return stopped(Some(&cell), error),
                    };
                    self.ledger.add(entry.clone())?;
                    queue.open.retain(|other| other.name() != cell.name());
                    drop(lock); // not before the line is in the ledger
                    stop = watcher.on_event(LabEvent::Finished(&entry)).is_break();
                }
            }
        }
    }

    /// The runs of this process's share of the grid that are not finished. Those that are trained but not evaluated come first:
    /// they are cheap and help estimates.
    fn unfinished(&self, watcher: &mut dyn Watcher) -> Result<Vec<Cell>, LabError> {
        let (mut open, mut untrained) = (Vec::new(), Vec::new());
        for cell in self.share.of(&self.grid.cells) {
            match self.state_watched(cell, watcher)? {
                RunState::Finished => {}
                RunState::Trained => open.push(cell.clone()),
                RunState::Begun | RunState::Waiting => untrained.push(cell.clone()),
            }
        }
        open.extend(untrained);
        Ok(open)
    }

    fn state_watched(&self, cell: &Cell, watcher: &mut dyn Watcher) -> Result<RunState, LabError> {
        let mut found = None;
        watched(&self.data, watcher, |source| {
            found = Some(self.state_from(cell, source));
            Ok(())
        })?;
        // `found` is always set, because `watched` calls the closure.
        found.unwrap_or(Ok(RunState::Waiting))
    }

    /// Chooses what to do next: the first run that nobody works on, or the next trial of the search.
    fn turn(&mut self, queue: &mut Queue, watcher: &mut dyn Watcher) -> Result<Turn, LabError> {
        self.hear_of_others(watcher)?;
        let mut held = BTreeSet::new();
        for cell in queue.open.clone() {
            match self.take(&cell, queue, watcher)? {
                Taken::Mine(lock) => return Ok(Turn::Run(Box::new(cell), lock)),
                Taken::Held => {
                    held.insert(cell.name().to_owned());
                }
                Taken::Finished => queue.open.retain(|other| other.name() != cell.name()),
                Taken::Late if queue.is_over() => return Ok(Turn::End(Outcome::OutOfTime)),
                Taken::Late => {} // a later one may be shorter
            }
        }
        if !queue.late.is_empty() {
            return Ok(Turn::End(Outcome::OutOfTime));
        }
        let Some(search) = queue.search.clone() else {
            return Ok(wait_if(!held.is_empty(), queue));
        };
        loop {
            let next = search.next(|cell| self.entry(cell), |cell| held.contains(cell.name()));
            let cell = match next {
                Next::Run(cell) => cell,
                Next::Wait => return Ok(wait_if(true, queue)),
                Next::Over => return Ok(wait_if(!held.is_empty(), queue)),
            };
            match self.take(cell, queue, watcher)? {
                Taken::Mine(lock) => return Ok(Turn::Run(Box::new(cell.clone()), lock)),
                Taken::Held => {
                    held.insert(cell.name().to_owned());
                }
                Taken::Late => return Ok(Turn::End(Outcome::OutOfTime)),
                Taken::Finished if self.entry(cell).is_some() => {}
                // This cannot happen: only a run with an entry in the ledger is in the state `Finished`.
                Taken::Finished => return Ok(Turn::End(Outcome::Complete)),
            }
        }
    }

    /// Tries to take a run: it must fit the time, nobody else may work on it, and it must not be
    /// finished.
    fn take(
        &mut self,
        cell: &Cell,
        queue: &mut Queue,
        watcher: &mut dyn Watcher,
    ) -> Result<Taken, LabError> {
        if queue.late.contains(cell.name()) {
            return Ok(Taken::Late);
        }
        let seconds = self.estimate(cell);
        if !queue.fits(seconds) {
            queue.late.insert(cell.name().to_owned());
            flow(watcher.on_event(LabEvent::OutOfTime { cell, seconds }))?;
            return Ok(Taken::Late);
        }
        match self.claim(cell)? {
            Claim::Held(holder) => {
                let told = queue.holders.insert(cell.name().to_owned(), holder.clone());
                if told.as_ref() != Some(&holder) {
                    flow(watcher.on_event(LabEvent::Held { cell, holder: &holder }))?;
                }
                Ok(Taken::Held)
            }
            Claim::Mine(lock) => {
                queue.holders.remove(cell.name());
                // It may have been finished between the last look at the ledger and the lock.
                self.hear_of_others(watcher)?;
                let finished = self.state_watched(cell, watcher)? == RunState::Finished;
                Ok(if finished { Taken::Finished } else { Taken::Mine(lock) })
            }
        }
    }

    /// Reads the ledger again, and tells the watcher of the runs that other processes have finished.
    fn hear_of_others(&mut self, watcher: &mut dyn Watcher) -> Result<(), LabError> {
        for name in self.ledger.refresh()? {
            if let Some(entry) = self.ledger.get(&name) {
                flow(watcher.on_event(LabEvent::FinishedElsewhere(entry)))?;
            }
        }
        Ok(())
    }
}

impl Queue {
    /// Whether the time is up, so that no run may begin any more.
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Whether a run that takes about `seconds` may begin; a run whose time is unknown may, while there
    /// is time.
    fn fits(&self, seconds: Option<f64>) -> bool {
        let Some(end) = self.end else { return true };
        let room = end.saturating_duration_since(Instant::now()).as_secs_f64();
        room > 0.0 && seconds.is_none_or(|seconds| seconds <= room)
    }

    /// The runs that this process may still do: `first`, and then the others.
    fn left<'q>(&'q self, first: &'q Cell) -> impl Iterator<Item = &'q Cell> {
        let open = self.open.iter().filter(|cell| {
            cell.name() != first.name()
                && !self.late.contains(cell.name())
                && !self.holders.contains_key(cell.name())
        });
        std::iter::once(first).chain(open)
    }
}

/// What to do when no run is free: wait for other processes, if they work on something, until the time
/// is up.
fn wait_if(held: bool, queue: &Queue) -> Turn {
    match held {
        true if queue.is_over() => Turn::End(Outcome::OutOfTime),
        true => Turn::Wait,
        false => Turn::End(Outcome::Complete),
    }
}

/// Turns a watcher's break into the error that stops the work.
fn flow(flow: std::ops::ControlFlow<()>) -> Result<(), LabError> {
    if flow.is_break() { Err(TrainError::Stopped.into()) } else { Ok(()) }
}

/// Turns the errors of a stop that the watcher asked for into an outcome, and returns all other errors.
fn stopped(cell: Option<&Cell>, error: LabError) -> Result<Outcome, LabError> {
    let within = match error {
        LabError::Train(TrainError::Interrupted { step, .. }) => {
            cell.map(|cell| (cell.name().to_owned(), step))
        }
        LabError::Train(TrainError::Stopped) | LabError::Model(ModelError::Stopped) => None,
        other => return Err(other),
    };
    Ok(Outcome::Interrupted { within })
}
