//! This process among those that a launcher has started together.

use crate::thread::{Request, serve};
use sextant_train::{Received, ReduceError, Reducer};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// The processes that a launcher has started, of which this is one.
///
/// MPI ends when the value is dropped, which waits for the other processes to do the same. If the thread that
/// drops it panics, or after [`World::abort`], all processes are ended instead.
#[derive(Debug)]
pub struct World {
    rank: usize,
    ranks: usize,
    /// `None` after MPI has ended.
    requests: Option<Mutex<Sender<Request>>>,
    thread: Option<JoinHandle<()>>,
}

/// Why MPI cannot be used.
#[derive(Debug)]
pub struct MpiError(String);

impl std::fmt::Display for MpiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MpiError {}

impl World {
    /// Starts MPI in this process. It can be started once in a process.
    ///
    /// # Errors
    /// MPI was started before, or the library has no support for threads.
    pub fn join() -> Result<Self, MpiError> {
        let (place, found) = channel();
        let (requests, received) = channel();
        let thread = std::thread::Builder::new()
            .name("mpi".into())
            .spawn(move || serve(&place, &received))
            .map_err(|error| {
                MpiError(format!("cannot start the thread that calls MPI: {error}"))
            })?;
        match found.recv() {
            Ok(Some((rank, ranks))) => Ok(Self {
                rank,
                ranks,
                requests: Some(Mutex::new(requests)),
                thread: Some(thread),
            }),
            _ => Err(MpiError(
                "MPI cannot be started: it runs in this process already, or the library was built without support for threads (`MPI_THREAD_FUNNELED`)".into(),
            )),
        }
    }

    /// Ends all processes at once with this exit code. This is for a process that cannot go on while others wait
    /// for it.
    pub fn abort(&self, code: u8) {
        if self.ask(Request::Abort(code.into())).is_err() {
            return; // MPI has ended here, so that nobody waits for this process
        }
        loop {
            std::thread::park(); // the process ends meanwhile
        }
    }

    fn ask(&self, request: Request) -> Result<(), ReduceError> {
        let gone = || ReduceError("MPI has ended in this process".into());
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        let requests = requests.lock().map_err(|_| gone())?;
        requests.send(request).map_err(|_| gone())
    }

    fn answer(
        &self,
        request: impl FnOnce(Sender<Result<Received, ReduceError>>) -> Request,
    ) -> Result<Received, ReduceError> {
        let (answer, answered) = channel();
        self.ask(request(answer))?;
        let gone = |_| ReduceError("MPI has ended in this process".into());
        answered.recv().map_err(gone)?
    }
}

impl Reducer for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn gather(&self, mine: &[u32]) -> Result<Received, ReduceError> {
        self.answer(|answer| Request::Gather(mine.to_vec(), answer))
    }

    fn exchange(&self, outgoing: Vec<Vec<u32>>) -> Result<Received, ReduceError> {
        self.answer(|answer| Request::Exchange(outgoing, answer))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The others wait for this process in vain; 101 is the exit code of a panic.
            self.abort(101);
        }
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // what it panicked with was reported
        }
    }
}
