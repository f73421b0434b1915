//! Checks that the answers are the same bits on all kinds of threads, and before and after a model is warmed
//! up.

use crate::support::{ensemble, pairs, saved};
use sextant_core::Task;
use sextant_eval::Vote;
use sextant_infer::{Scorer, Threads};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

const BOTH: [Task; 2] = [Task::QueryType, Task::TypeType];

fn bits(scorer: &Scorer) -> Vec<[u32; 3]> {
    let pairs = pairs();
    let borrowed: Vec<_> = pairs.iter().map(Into::into).collect();
    let rows: Vec<_> = scorer.encode_each(&borrowed).into_iter().map(Result::unwrap).collect();
    let answers = scorer.answer(&rows, |_| ControlFlow::Continue(())).unwrap();
    answers.into_iter().map(|answer| answer.unwrap().probs.map(f32::to_bits)).collect()
}

#[test]
fn every_thread_policy_gives_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let bundles: Vec<PathBuf> = ["a", "b"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &BOTH, 1, true, None);
    saved(&bundles[1], &BOTH, 2, true, None);
    let vote = ensemble(&place, &bundles, Vote::Soft);
    let pool = |threads| Threads::Pool(NonZeroUsize::new(threads).unwrap());
    for folder in [&bundles[0], &vote] {
        for precision in ScorePrecision::ALL {
            let open = || Scorer::open(folder, &Device::cpu(), precision).unwrap();
            let expected = bits(&open());
            for threads in [Threads::Process, Threads::Caller, pool(1), pool(3)] {
                let scorer = open().with_threads(threads).unwrap();
                std::thread::scope(|scope| {
                    let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| bits(&scorer))).collect();
                    for thread in asked {
                        assert_eq!(thread.join().unwrap(), expected, "{precision}, {threads:?}");
                    }
                });
            }
        }
    }
}

#[test]
fn warming_up_runs_every_task_and_length_and_changes_no_answer() {
    let place = tempfile::tempdir().unwrap();
    let bundles: Vec<PathBuf> = ["a", "b"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &BOTH, 1, false, None);
    saved(&bundles[1], &BOTH[..1], 2, false, None);
    let vote = ensemble(&place, &bundles, Vote::Soft);
    let scorer = Scorer::open(&vote, &Device::cpu(), ScorePrecision::Int8).unwrap();
    let before = bits(&scorer);
    // There are three lengths, and each task is run alone and with the others: 2 + 2 rows for the first member,
    // 1 + 1 rows for the second.
    assert_eq!(scorer.warm_up().unwrap(), 3 * (4 + 2));
    assert_eq!(bits(&scorer), before);
}
