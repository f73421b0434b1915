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
    let (starts, total) = starts(&counts)?;
    let mut words = vec![0; total];
    let mut partition = PartitionMut::new(&mut words[..], &counts[..], &starts[..]);
    mpi::request::scope(|scope| {
        end(world.immediate_all_gather_varcount_into(scope, mine, &mut partition));
    });
    Ok(received(words, &counts))
}

fn exchange(world: &SimpleCommunicator, outgoing: &[Vec<u32>]) -> Result<Received, ReduceError> {
    let sent = outgoing.iter().map(|words| count(words.len())).collect::<Result<Vec<_>, _>>()?;
    let mut counts = vec![0; sent.len()];
    mpi::request::scope(|scope| {
        end(world.immediate_all_to_all_into(scope, &sent[..], &mut counts[..]));
    });
    let (sent_starts, _) = starts(&sent)?;
    let (starts, total) = starts(&counts)?;
    let outgoing = outgoing.concat();
    let mut words = vec![0; total];
    let mut partition = PartitionMut::new(&mut words[..], &counts[..], &starts[..]);
    let outgoing = Partition::new(&outgoing[..], &sent[..], &sent_starts[..]);
    mpi::request::scope(|scope| {
        end(world.immediate_all_to_all_varcount_into(scope, &outgoing, &mut partition));
    });
    Ok(received(words, &counts))
}

/// Waits until a collective operation has ended. MPI itself waits by asking again and again, which would take the core
/// from the thread that computes meanwhile: here that thread comes first.
fn end<'a, D: ?Sized, S: Scope<'a>>(mut underway: Underway<'a, D, S>) {
    while let Err(unfinished) = underway.test() {
        underway = unfinished;
        std::thread::yield_now();
    }
}

fn received(words: Vec<u32>, counts: &[i32]) -> Received {
    let mut end = 0;
    let ends = counts.iter().map(|&count| {
        end += count.unsigned_abs() as usize;
        end
    });
    Received::new(words, ends.collect())
}

/// A number of words, as MPI counts.
fn count(words: usize) -> Result<i32, ReduceError> {
    i32::try_from(words).map_err(|_| {
        ReduceError(format!("{words} words at a time are more than MPI sends (2,147,483,647)"))
    })
}

/// Where the words for, or of, each rank begin, and how many there are in all.
fn starts(counts: &[i32]) -> Result<(Vec<i32>, usize), ReduceError> {
    let mut total = 0_usize;
    let mut starts = Vec::with_capacity(counts.len());
    for &length in counts {
        starts.push(count(total)?);
        total += length.unsigned_abs() as usize;
    }
    count(total)?;
    Ok((starts, total))
}
