//! Ranks that are threads of one process.

use sextant_train::{Received, ReduceError, Reducer};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// A rank that is a thread of this process.
#[derive(Debug)]
struct Rank {
    number: usize,
    to: Vec<Sender<Vec<u32>>>,
    from: Mutex<Vec<Receiver<Vec<u32>>>>,
}

/// Ranks that know each other.
fn ranks(count: usize) -> Vec<Rank> {
    let mut to: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    let mut from: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    for to in &mut to {
        for from in &mut from {
            let (sender, receiver) = channel();
            to.push(sender);
            from.push(receiver);
        }
    }
    let both = to.into_iter().zip(from).enumerate();
    both.map(|(rank, (to, from))| Rank { number: rank, to, from: Mutex::new(from) }).collect()
}

impl Reducer for Rank {
    fn rank(&self) -> usize {
        self.number
    }

    fn ranks(&self) -> usize {
        self.to.len()
    }

    fn gather(&self, mine: &[u32]) -> Result<Received, ReduceError> {
        self.exchange(vec![mine.to_vec(); self.ranks()])
    }

    fn exchange(&self, outgoing: Vec<Vec<u32>>) -> Result<Received, ReduceError> {
        let gone = || ReduceError("a thread has ended".into());
        for (to, words) in self.to.iter().zip(outgoing) {
            to.send(words).map_err(|_| gone())?;
        }
        let from = self.from.lock().unwrap();
        from.iter().map(|from| from.recv().map_err(|_| gone())).collect()
    }
}

/// Runs `body` on so many ranks at once, each with a thread of its own to compute on.
pub(crate) fn on<T: Send>(count: usize, body: impl Fn(Arc<dyn Reducer>) -> T + Sync) -> Vec<T> {
    let body = &body;
    std::thread::scope(|scope| {
        let started: Vec<_> = ranks(count)
            .into_iter()
            .map(|rank| {
                scope.spawn(move || {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                    // The reducer ends with the rank, so that others do not wait for it.
                    let rank: Arc<dyn Reducer> = Arc::new(rank);
                    pool.install(|| body(rank))
                })
            })
            .collect();
        started.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}
