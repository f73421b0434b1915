//! The thread that calls MPI.

use mpi::Threading;
use mpi::collective::CommunicatorCollectives;
use mpi::datatype::{Partition, PartitionMut};
use mpi::request::{Request as Underway, Scope};
use mpi::topology::{Communicator, SimpleCommunicator};
use sextant_train::{Received, ReduceError};
use std::sync::mpsc::{Receiver, Sender};

/// What the thread is asked to do, and where the answer goes.
pub(crate) enum Request {
    /// Send the same words to every rank.
    Gather(Vec<u32>, Answer),
    /// Send each rank its words.
    Exchange(Vec<Vec<u32>>, Answer),
    /// End all processes at once, with this exit code.
    Abort(i32),
}

pub(crate) type Answer = Sender<Result<Received, ReduceError>>;

/// The rank of this process and the number of ranks; `None` if MPI is running already or cannot be used so.
pub(crate) type Place = Option<(usize, usize)>;

/// Starts MPI, says where this process stands, and does what is asked until nobody can ask any more. Then MPI is
/// ended, which waits for the other processes.
pub(crate) fn serve(place: &Sender<Place>, requests: &Receiver<Request>) {
    // All calls come from this thread, but it is not the one that `main` runs on.
    let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Serialized) else {
        let _ = place.send(None); // whoever asks waits for it
        return;
    };
    let world = universe.world();
    let here = (world.rank().unsigned_abs() as usize, world.size().unsigned_abs() as usize);
    let usable = threading != Threading::Single;
    let _ = place.send(usable.then_some(here));
    for request in requests {
        // An answer that nobody waits for is no concern of the other ranks.
        match request {
            Request::Gather(words, answer) => drop(answer.send(gather(&world, &words))),
            Request::Exchange(words, answer) => drop(answer.send(exchange(&world, &words))),
            Request::Abort(code) => world.abort(code),
        }
    }
}

fn gather(world: &SimpleCommunicator, mine: &[u32]) -> Result<Received, ReduceError> {
    let ranks = world.size().unsigned_abs() as usize;
    let (length, mut counts) = (count(mine.len())?, vec![0; ranks]);
    mpi::request::scope(|scope| {
        end(world.immediate_all_gather_into(scope, &length, &mut counts[..]));
    });
    let layout = Layout::of(&counts)?;
    let mut words = vec![0; layout.size];
    let mine = if mine.is_empty() { &[0] } else { mine };
    let mut partition = PartitionMut::new(&mut words[..], &layout.counts[..], &layout.starts[..]);
    mpi::request::scope(|scope| {
        end(world.immediate_all_gather_varcount_into(scope, mine, &mut partition));
    });
    Ok(layout.received(words))
}

fn exchange(world: &SimpleCommunicator, outgoing: &[Vec<u32>]) -> Result<Received, ReduceError> {
    let sent = outgoing.iter().map(|words| count(words.len())).collect::<Result<Vec<_>, _>>()?;
    let mut counts = vec![0; sent.len()];
    mpi::request::scope(|scope| {
        end(world.immediate_all_to_all_into(scope, &sent[..], &mut counts[..]));
    });
    let (sent, layout) = (Layout::of(&sent)?, Layout::of(&counts)?);
    let mut outgoing = outgoing.concat();
    outgoing.resize(sent.size, 0);
    let mut words = vec![0; layout.size];
    let mut partition = PartitionMut::new(&mut words[..], &layout.counts[..], &layout.starts[..]);
    let outgoing = Partition::new(&outgoing[..], &sent.counts[..], &sent.starts[..]);
    mpi::request::scope(|scope| {
        end(world.immediate_all_to_all_varcount_into(scope, &outgoing, &mut partition));
    });
    Ok(layout.received(words))
}

/// Waits until a collective operation has ended. MPI itself waits by asking again and again, which would take the core
/// from the thread that computes meanwhile: here that thread comes first.
fn end<'a, D: ?Sized, S: Scope<'a>>(mut underway: Underway<'a, D, S>) {
    while let Err(unfinished) = underway.test() {
        underway = unfinished;
        std::thread::yield_now();
    }
}

/// Where words for, or of, each rank lie. An empty part is sent as a single word behind all parts: ranks that have
/// nothing to do in a non-blocking collective skip it in Open MPI 4.1, numbers of further ones then differ between
/// ranks, and all wait for ever.
struct Layout {
    /// What is sent of each part.
    counts: Vec<i32>,
    starts: Vec<i32>,
    /// Where each part ends.
    ends: Vec<usize>,
    /// The words of all parts, with those that stand for empty ones.
    size: usize,
}

impl Layout {
    fn of(lengths: &[i32]) -> Result<Self, ReduceError> {
        let mut end = 0_usize;
        let ends: Vec<usize> = lengths
            .iter()
            .map(|length| {
                end += length.unsigned_abs() as usize;
                end
            })
            .collect();
        let mut size = end;
        let mut starts = Vec::with_capacity(lengths.len());
        for (&length, &end) in lengths.iter().zip(&ends) {
            let start = if length == 0 { size } else { end - length.unsigned_abs() as usize };
            starts.push(count(start)?);
            size += usize::from(length == 0);
        }
        count(size)?;
        let counts = lengths.iter().map(|&length| length.max(1)).collect();
        Ok(Self { counts, starts, ends, size })
    }

    fn received(self, mut words: Vec<u32>) -> Received {
        words.truncate(self.ends.last().copied().unwrap_or(0));
        Received::new(words, self.ends)
    }
}

/// A number of words, as MPI counts.
fn count(words: usize) -> Result<i32, ReduceError> {
    i32::try_from(words).map_err(|_| {
        ReduceError(format!("{words} words at a time are more than MPI sends (2,147,483,647)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parts_are_a_word_behind_all_parts() {
        let layout = Layout::of(&[2, 0, 3, 0]).unwrap();
        assert_eq!(
            (&layout.counts[..], &layout.starts[..]),
            (&[2, 1, 3, 1][..], &[0, 5, 2, 6][..])
        );
        let received = layout.received(vec![1, 2, 3, 4, 5, 0, 0]);
        let parts: Vec<&[u32]> = (0..4).map(|rank| received.of(rank)).collect();
        assert_eq!(parts, [&[1, 2][..], &[], &[3, 4, 5], &[]]);
        let nothing = Layout::of(&[0, 0]).unwrap();
        assert_eq!((nothing.size, nothing.received(vec![0, 0]).of(1).len()), (2, 0));
    }
}
