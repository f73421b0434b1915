//! Error analysis against cleanlab and statsmodels, and on rows whose faults are known. The goldens are written by
//! `scripts/goldens/errors.py`.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde::Deserialize;
use sextant_core::{Example, Grade, Prediction, Task};
use sextant_eval::{
    Bootstrap, ErrorOptions, Feature, Scored, analyse_errors, label_noise, slices, worst_slices,
};

#[derive(Deserialize)]
struct Golden {
    noise: Vec<Noise>,
    slices: Vec<SliceCase>,
}

#[derive(Deserialize)]
struct Noise {
    labels: Vec<Grade>,
    thousandths: Vec<[u16; 3]>,
    suspects: Vec<usize>,
    off_diagonal: usize,
    calibrated: f64,
    joint: [[f64; 3]; 3],
}

#[derive(Deserialize)]
struct SliceCase {
    group: Vec<u32>,
    inside: Vec<u8>,
    right: Vec<u8>,
    difference: f64,
    standard_error: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("goldens/errors.json")).unwrap()
}

fn rows(case: &Noise, task: Task) -> Vec<Scored<'static>> {
    let pairs = case.labels.iter().zip(&case.thousandths);
    let prob = |p: u16| (f64::from(p) / 1000.0) as f32;
    pairs.map(|(&grade, p)| Scored::new(task, grade, Prediction::new(p.map(prob)))).collect()
}

#[test]
fn suspicious_labels_are_those_of_cleanlab() {
    for case in golden().noise {
        let found = label_noise(&rows(&case, Task::QueryProduct));
        assert_eq!(found.suspects.len(), case.off_diagonal);
        let sorted = |list: &[usize]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(&found.suspects), sorted(&case.suspects));
        // The order may differ between rows of equal margins only.
        let margin = |row: usize| {
            let p = case.thousandths[row].map(i32::from);
            let own = case.labels[row].index();
            p[own] - (0..3).filter(|&grade| grade != own).map(|grade| p[grade]).max().unwrap()
        };
        let margins = |list: &[usize]| list.iter().map(|&row| margin(row)).collect::<Vec<_>>();
        assert_eq!(margins(&found.suspects), margins(&case.suspects));
        // cleanlab rounds every cell to a whole number.
        assert!(
            (found.estimated - case.calibrated).abs() <= 3.0,
            "{} {}",
            found.estimated,
            case.calibrated
        );
        for (ours, theirs) in found.joint.iter().flatten().zip(case.joint.iter().flatten()) {
            assert!((ours - theirs).abs() <= 1.0, "{ours} {theirs}");
        }
    }
}

#[test]
fn each_task_has_thresholds_of_its_own() {
    let golden = golden();
    let first = rows(&golden.noise[0], Task::QueryProduct);
    let second = rows(&golden.noise[1], Task::TypeType);
    let both: Vec<_> = first.iter().chain(&second).copied().collect();
    let found = label_noise(&both);
    let apart = label_noise(&first).estimated + label_noise(&second).estimated;
    assert!((found.estimated - apart).abs() < 1e-9);
    assert_eq!(found.suspects.len(), golden.noise[0].off_diagonal + golden.noise[1].off_diagonal);
}

/// Rows that are right or wrong as a case says.
fn scored<'a>(right: &[u8], groups: &'a [String]) -> Vec<Scored<'a>> {
    let row = |(&right, group): (&u8, &'a String)| {
        let probs = if right == 1 { [0.0, 0.1, 0.9] } else { [0.9, 0.1, 0.0] };
        let row = Scored::new(Task::QueryProduct, Grade::Relevant, Prediction::new(probs));
        Scored { group: Some(group), ..row }
    };
    right.iter().zip(groups).map(row).collect()
}

#[test]
fn differences_and_their_errors_are_those_of_a_clustered_regression() {
    for case in golden().slices {
        let groups: Vec<String> = case.group.iter().map(u32::to_string).collect();
        let values = vec!["out".to_owned(), "in".to_owned()];
        let of_rows = case.inside.iter().map(|&inside| Some(u32::from(inside))).collect();
        let feature = Feature { name: "side".to_owned(), values, of_rows };
        let bootstrap = Bootstrap { replicates: 200, ..Bootstrap::default() };
        let found = slices(&scored(&case.right, &groups), &feature, &bootstrap).unwrap();
        assert_eq!(found[1].conditions, [("side".to_owned(), "in".to_owned())]);
        assert!((found[1].difference - case.difference).abs() < 1e-9);
        // Theirs, without a correction for the number of groups; and that of independent rows, which is the least.
        let of = |side: u8| {
            let rows =
                case.inside.iter().zip(&case.right).filter(move |(inside, _)| **inside == side);
            rows.map(|(_, &right)| f64::from(right))
        };
        let by_row = |side| {
            let rows = of(side).count() as f64 + 2.0;
            let share = (of(side).sum::<f64>() + 1.0) / rows;
            share * (1.0 - share) / rows
        };
        let by_row = by_row(0) + by_row(1);
        let units = case.group.iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
        let n = case.right.len() as f64;
        let correction = units / (units - 1.0) * (n - 1.0) / (n - 2.0);
        let expected = (case.standard_error.powi(2) * correction).max(by_row).sqrt();
        assert!((found[1].standard_error.unwrap() - expected).abs() < 1e-9);
        assert!((found[0].difference + case.difference).abs() < 1e-9);
        let interval = found[1].accuracy.interval.unwrap();
        assert!(interval.low < found[1].accuracy.value && found[1].accuracy.value < interval.high);
    }
}

#[test]
fn a_search_finds_the_slice_that_was_made_worse() {
    // Rows of shop b in German are mostly wrong; neither shop b nor German alone is.
    let rows = 1200;
    let text = |f: &dyn Fn(usize) -> &'static str| -> Vec<Option<String>> {
        (0..rows).map(|row| Some(f(row).to_owned())).collect()
    };
    let shop = Feature::of_column("shop", &text(&|row| ["a", "b", "c"][row % 3])).unwrap();
    let language = Feature::of_column("language", &text(&|row| ["de", "en"][row / 3 % 2])).unwrap();
    let noise =
        Feature::of_column("noise", &text(&|row| ["x", "y", "z"][row * 7 / 5 % 3])).unwrap();
    let bad = |row: usize| row % 3 == 1 && (row / 3).is_multiple_of(2);
    let right: Vec<u8> = (0..rows)
        .map(|row| u8::from(if bad(row) { row % 4 == 0 } else { row % 11 != 0 }))
        .collect();
    let groups: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
    let bootstrap = Bootstrap { replicates: 50, ..Bootstrap::default() };
    let found = worst_slices(&scored(&right, &groups), &[shop, language, noise], 30, 5, &bootstrap)
        .unwrap();
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found.slices[0].conditions, [of("shop", "b"), of("language", "de")]);
    assert!(found.slices[0].p_value.unwrap() < 1e-6);
    // 8 single values, 6 + 9 + 6 pairs.
    assert_eq!(found.tested, 8 + 21);
    // On rows that are wrong at random, nothing is found.
    let right: Vec<u8> = (0..rows).map(|row| u8::from((row * 7919) % 13 > 2)).collect();
    let features: Vec<Feature> = ["u", "v"]
        .map(|name| {
            Feature::of_column(name, &text(&|row| ["a", "b"][(row * 31 / 17) % 2])).unwrap()
        })
        .to_vec();
    let found = worst_slices(&scored(&right, &groups), &features, 30, 5, &bootstrap).unwrap();
    assert!(found.slices.iter().all(|slice| slice.p_value.unwrap() > 0.05), "{found:?}");
}

/// Rows of one query tell nothing of other queries: a slice of a single group is no finding, and one of two groups must
/// be much worse to be one.
#[test]
fn slices_of_few_groups_are_not_found_by_chance() {
    let (groups_of_ten, per_group) = (40, 10);
    let groups: Vec<String> =
        (0..groups_of_ten * per_group).map(|row| (row / per_group).to_string()).collect();
    // Groups are all right or all wrong, every fourth of them wrong: the slice is the first wrong ones.
    let right: Vec<u8> = (0..groups.len()).map(|row| u8::from(row / per_group % 4 != 0)).collect();
    let rows = scored(&right, &groups);
    let bootstrap = Bootstrap { replicates: 50, ..Bootstrap::default() };
    let p_of = |members: &dyn Fn(usize) -> bool| {
        let kind: Vec<_> = (0..rows.len())
            .map(|row| Some(if members(row / per_group) { "special" } else { "plain" }.to_owned()))
            .collect();
        let feature = Feature::of_column("kind", &kind).unwrap();
        let found = worst_slices(&rows, std::slice::from_ref(&feature), 5, 5, &bootstrap).unwrap();
        let of_slice = slices(&rows, &feature, &bootstrap).unwrap();
        let special =
            of_slice.into_iter().find(|slice| slice.conditions[0].1 == "special").unwrap();
        (found.tested, found.slices.first().map(|slice| slice.p_value.unwrap()), special)
    };
    let (tested, p, alone) = p_of(&|group| group == 0);
    assert_eq!((tested, p, alone.standard_error, alone.reach(0.95)), (0, None, None, None));
    let (tested, p, two) = p_of(&|group| group == 0 || group == 4);
    assert_eq!((tested, two.degrees), (2, 1));
    assert!(p.is_none_or(|p| p > 0.01) && two.reach(0.95).unwrap() > 0.5, "{p:?} {two:?}");
    let (_, p, all) = p_of(&|group| group % 4 == 0);
    assert!(p.unwrap() < 1e-6 && all.degrees == 9, "{p:?}");
}

#[test]
fn an_analysis_lists_mistakes_by_confidence() {
    let examples: Vec<Example> = (0..60)
        .map(|n| {
            Example::new(
                Task::QueryProduct,
                format!("query {n}").as_str(),
                "a red shoe",
                Grade::Relevant,
            )
        })
        .collect();
    let right: Vec<u8> = (0..60).map(|n| u8::from(n % 5 != 0)).collect();
    let groups: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let mut rows = scored(&right, &groups);
    rows[10].prediction.probs = [0.99, 0.01, 0.0];
    let examples: Vec<&Example> = examples.iter().collect();
    let shop: Vec<Option<String>> = (0..60).map(|n| Some(format!("shop {}", n % 2))).collect();
    let options = ErrorOptions { mistakes: 5, ..ErrorOptions::default() };
    let found = analyse_errors(&examples, &rows, &[("shop".to_owned(), shop)], &options).unwrap();
    assert_eq!((found.rows, found.wrong), (60, 12));
    assert_eq!(found.mistakes, [10, 0, 5, 15, 20]);
    let features: Vec<&str> = found.slices.iter().map(|(name, _)| name.as_str()).collect();
    // Features that are the same for every row divide nothing.
    assert_eq!(features, ["shop"]);
    assert!(analyse_errors(&[], &[], &[], &options).is_err());
}
