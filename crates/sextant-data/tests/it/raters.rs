//! Agreement and the model of Dawid and Skene against statsmodels, `krippendorff` and crowd-kit. The goldens are
//! written by `scripts/goldens/raters.py`.

use serde::Deserialize;
use sextant_core::Grade;
use sextant_data::raters::{Distance, Rating, dawid_skene, fleiss_kappa, krippendorff_alpha};

#[derive(Deserialize)]
struct Case {
    name: String,
    items: usize,
    raters: usize,
    ratings: Vec<(u32, u32, Grade)>,
    fleiss: Option<f64>,
    nominal: f64,
    ordinal: f64,
    interval: f64,
    /// Items that somebody rated, with the probabilities of their grades.
    posteriors: Vec<(usize, f64, f64, f64)>,
}

#[test]
fn agreement_and_posteriors_are_those_of_other_programs() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../goldens/raters.json")).unwrap();
    for case in cases {
        let ratings = case.ratings.iter();
        let ratings: Vec<Rating> =
            ratings.map(|&(item, rater, grade)| Rating { item, rater, grade }).collect();
        let close = |found: Option<f64>, expected: f64| {
            let found = found.unwrap();
            assert!((found - expected).abs() < 1e-9, "{}: {found} and {expected}", case.name);
        };
        if let Some(fleiss) = case.fleiss {
            close(fleiss_kappa(&ratings), fleiss);
        }
        close(krippendorff_alpha(&ratings, Distance::Nominal), case.nominal);
        close(krippendorff_alpha(&ratings, Distance::Ordinal), case.ordinal);
        close(krippendorff_alpha(&ratings, Distance::Interval), case.interval);
        let found = dawid_skene(&ratings, case.items, case.raters);
        for &(item, a, b, c) in &case.posteriors {
            let ours = found.posteriors[item];
            for (ours, theirs) in ours.iter().zip([a, b, c]) {
                assert!((ours - theirs).abs() < 1e-6, "{} item {item}: {ours} {theirs}", case.name);
            }
        }
    }
}

#[test]
fn what_is_undefined_is_none() {
    let one = [Rating { item: 0, rater: 0, grade: Grade::Partial }];
    assert_eq!(fleiss_kappa(&one), None);
    assert_eq!(krippendorff_alpha(&one, Distance::Ordinal), None);
    let same = [0, 1].map(|rater| Rating { item: 0, rater, grade: Grade::Partial });
    assert_eq!(fleiss_kappa(&same), None);
    assert_eq!(krippendorff_alpha(&same, Distance::Nominal), None);
    let found = dawid_skene(&same, 2, 2);
    assert_eq!(found.grade(0), Grade::Partial);
    assert!(found.posteriors.iter().flatten().all(|p| p.is_finite()));
}
