//! Checks that answering on the calling thread needs no other thread. This is a test binary of its own, because
//! it blocks the threads of the process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "it/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod support;

use sextant_core::Task;
use sextant_infer::{Scorer, Threads};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

#[test]
fn callers_and_pools_of_their_own_answer_while_the_threads_of_the_process_are_blocked() {
    let place = tempfile::tempdir().unwrap();
    support::saved(place.path(), &[Task::QueryType, Task::TypeType], 1, false, None);
    let open = |threads| {
        let scorer = Scorer::open(place.path(), &Device::cpu(), ScorePrecision::F32).unwrap();
        scorer.with_threads(threads).unwrap()
    };
    let own = Threads::Pool(NonZeroUsize::new(2).unwrap());
    let scorers = [Threads::Caller, own, Threads::Process].map(open);

    let threads = rayon::current_num_threads();
    let (blocked, released) =
        (Arc::new(Barrier::new(threads + 1)), Arc::new(Barrier::new(threads + 1)));
    for _ in 0..threads {
        let (blocked, released) = (Arc::clone(&blocked), Arc::clone(&released));
        rayon::spawn(move || {
            blocked.wait();
            released.wait();
        });
    }
    blocked.wait();
    let (sender, answered) = channel();
    for scorer in scorers {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let pairs = support::pairs();
            let borrowed: Vec<_> = pairs.iter().map(Into::into).collect();
            let rows: Vec<_> =
                scorer.encode_each(&borrowed).into_iter().map(Result::unwrap).collect();
            let answers = scorer.answer(&rows, |_| ControlFlow::Continue(())).unwrap();
            sender.send(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>()).unwrap();
        });
    }
    let patience = Duration::from_mins(1);
    let first = answered.recv_timeout(patience).expect("one of the two answers");
    let second = answered.recv_timeout(patience).expect("the other answers, too");
    // The third scorer needs the threads that are blocked.
    assert!(answered.recv_timeout(Duration::from_millis(200)).is_err());
    released.wait();
    let third = answered.recv_timeout(patience).expect("the threads are free again");
    assert_eq!((&second, &third), (&first, &first));
}
