//! Checks that bundles and ensembles never give NaN as an answer, and the same answers from any number of
//! threads.

use crate::support::{ensemble, pairs, saved};
use rayon::prelude::*;
use sextant_core::{Example, Grade, Task};
use sextant_eval::Vote;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError};
use std::path::PathBuf;

/// Checks that no rule outvotes a member whose answer is NaN, and that the error has the caller's index of the
/// row, and not the index among the member's rows.
#[test]
fn no_rule_hides_a_member_without_a_number() {
    let place = tempfile::tempdir().unwrap();
    let (both, one) = ([Task::QueryType, Task::TypeType], [Task::TypeType]);
    let bundles: Vec<PathBuf> =
        ["sound", "other", "damaged"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &both, 1, false, None);
    saved(&bundles[1], &both, 2, false, None);
    saved(&bundles[2], &one, 3, false, Some("zinnia"));
    let mut pairs = pairs();
    pairs[9] = Example::new(Task::TypeType, "zinnia seed", "red sofa", Grade::Partial).pair;
    pairs[12] = Example::new(Task::QueryType, "zinnia seed", "red sofa", Grade::Partial).pair;
    for rule in Vote::ALL {
        let folder = ensemble(&place, &bundles, rule);
        for precision in ScorePrecision::ALL {
            let scorer = Scorer::open(&folder, &Device::cpu(), precision).unwrap();
            let encoded: Vec<_> = pairs.iter().map(|pair| scorer.encode(pair).unwrap()).collect();
            for found in [scorer.predict(&pairs), scorer.predict_rows(&encoded)] {
                let Err(error @ ModelError::NonFinite { row: 9, .. }) = &found else {
                    panic!("{rule} {precision}: {found:?}");
                };
                let said = error.to_string();
                assert!(said.contains("damaged") && said.contains("type-type"), "{said}");
            }
            assert!(scorer.predict(&pairs[10..]).is_ok(), "the row of the other task is sound");
        }
    }
}

/// Members share a frozen base, and are called from several threads and from inside a pool.
#[test]
fn an_ensemble_over_a_shared_base_answers_alike_from_any_thread() {
    let place = tempfile::tempdir().unwrap();
    let both = [Task::QueryType, Task::TypeType];
    let bundles: Vec<PathBuf> = ["a", "b"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &both, 1, true, None);
    saved(&bundles[1], &both, 2, true, None);
    let folder = ensemble(&place, &bundles, Vote::Soft);
    let pairs = pairs();
    for precision in ScorePrecision::ALL {
        let open = || Scorer::open(&folder, &Device::cpu(), precision).unwrap();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let expected = pool(1).install(|| open().predict(&pairs).unwrap());
        let scorer = open();
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| scorer.predict(&pairs).unwrap())).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), expected, "{precision}");
            }
        });
        let found: Vec<_> = pool(3).install(|| {
            let jobs = (0..6).into_par_iter().with_max_len(1);
            jobs.map(|_| scorer.predict(&pairs).unwrap()).collect()
        });
        assert!(found.iter().all(|found| *found == expected), "{precision}");
    }
}
