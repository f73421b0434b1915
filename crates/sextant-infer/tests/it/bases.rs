//! Checks bundles over the same frozen base.

use crate::support::{pairs, saved};
use sextant_core::Task;
use sextant_infer::Scorer;
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, SharedBases};

/// Checks that `SharedBases` knows a base only for as long as a scorer holds it.
#[test]
fn a_base_goes_with_the_last_bundle_over_it() {
    let place = tempfile::tempdir().unwrap();
    let folders = ["a", "b"].map(|name| place.path().join(name));
    saved(&folders[0], &[Task::QueryType, Task::TypeType], 1, true, None);
    saved(&folders[1], &[Task::QueryType, Task::TypeType], 2, true, None);
    let mut bases = SharedBases::default();
    let mut open = |folder: usize| {
        let precision = ScorePrecision::F32;
        let scorer =
            Scorer::open_sharing(&folders[folder], &Device::cpu(), precision, &mut bases).unwrap();
        (scorer, bases.len())
    };
    let (first, one) = open(0);
    let expected = first.predict(&pairs()).unwrap();
    let (second, still_one) = open(1);
    assert_eq!((one, still_one), (1, 1));
    assert_ne!(second.predict(&pairs()).unwrap(), expected, "adapters are each bundle's own");
    drop(first);
    let (first, one) = open(0);
    assert_eq!((first.predict(&pairs()).unwrap(), one), (expected.clone(), 1));
    drop((first, second));
    assert!(bases.is_empty());
    let precision = ScorePrecision::F32;
    let again = Scorer::open_sharing(&folders[0], &Device::cpu(), precision, &mut bases).unwrap();
    assert_eq!((again.predict(&pairs()).unwrap(), bases.len()), (expected, 1));
}
