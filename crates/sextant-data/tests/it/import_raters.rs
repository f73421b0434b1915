//! Imports of several ratings of one pair.

use crate::import_support::{RATED, grades, run};
use sextant_data::Format;

#[test]
fn several_raters_make_one_grade() {
    let folder = tempfile::tempdir().unwrap();
    let ratings = "a,b,who,stars\nx,y,ann,5\nx,z,ann,1\nx,y,bob,1\nx,y,cem,5\nx,z,bob,3\nx,y,bob,5\nx,w,ann,na\n";
    std::fs::write(folder.path().join("ratings.csv"), ratings).unwrap();
    let map = |raters: &str| {
        format!(
            "{RATED}values = {{ 1 = 0, 3 = 1, 5 = 2 }}\nskip = [\"na\"]\n[raters]\ncolumn = \"who\"\n{raters}"
        )
    };
    let (rows, report) = run(&map(""), folder.path(), Format::Jsonl).unwrap();
    // 2, 0, 2 by three raters; bob's second rating does not count. 0 and 1: equally near, the lower.
    assert_eq!(grades(&rows), [2, 0]);
    let raters = report.raters.unwrap();
    assert_eq!((raters.pairs, raters.ratings, raters.raters, raters.repeated), (2, 5, Some(3), 1));
    // Observed agreement (1/3 + 0) / 2; shares of grades 2/5, 1/5, 2/5.
    let expected = (1.0 / 6.0 - 0.36) / (1.0 - 0.36);
    assert!((raters.fleiss_kappa.unwrap() - expected).abs() < 1e-12);
    assert_eq!((report.merged, report.unrated, report.written), (4, 1, 2));
    let (rows, _) = run(&map("aggregate = \"mean\""), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [2, 0], "means 4/3 and 1/2");
    let (rows, report) = run(&map("min = 3"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!((grades(&rows), report.raters.unwrap().too_few), (vec![2], 1));
    let (rows, _) = run(&map("aggregate = \"dawid-skene\""), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(rows.len(), 2);
}

/// Ratings are of one pair if their texts are one pair: in either order, whatever their case and spaces, and under
/// whatever keys of a joined table they stand.
#[test]
fn raters_of_one_pair_meet_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let raters = "values = { 0 = 0, 2 = 2 }\n[raters]\ncolumn = \"who\"\n";
    write("ratings.csv", "a,b,stars,who\nx,y,0,ann\ny,X,2,bob\n x,\"y  \",2,cem\n");
    let (rows, report) = run(&format!("{RATED}{raters}"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!((grades(&rows), rows[0].pair.left.text()), (vec![2], "x"));
    let found = report.raters.unwrap();
    assert_eq!((found.pairs, found.ratings, found.rated_twice), (1, 3, 1));
    assert_eq!((report.merged, report.duplicates), (2, 0));

    write("ratings.csv", "a,k,stars,who\nx,1,0,ann\nx,2,2,bob\nx,2,2,cem\nx,9,2,cem\n");
    write("t.csv", "k,v\n1,lamp\n2,Lamp\n");
    let joined = RATED
        .replace(
            "[left]",
            "[tables.t]\npath = \"t.csv\"\nkey = [\"k\"]\nmissing = \"skip\"\n[left]",
        )
        .replace("text = \"b\"", "text = \"t.v\"");
    let (rows, report) = run(&format!("{joined}{raters}"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!((grades(&rows), rows[0].pair.right.text()), (vec![2], "lamp"));
    assert_eq!((report.raters.unwrap().ratings, report.merged, report.missing["t"]), (3, 2, 1));
}

#[test]
fn raters_may_be_columns_and_means_are_cut_by_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("ratings.csv"),
        "a,b,r1,r2,r3\nx,y,5,4,\nx,z,1,3,3\nx,w,,,\n",
    )
    .unwrap();
    let map = RATED.replace("column = \"stars\"", "column = [\"r1\", \"r2\", \"r3\"]\nthresholds = [2.3, 4.2]\n[raters]\naggregate = \"mean\"");
    let (rows, report) = run(&map, folder.path(), Format::Csv).unwrap();
    assert_eq!(grades(&rows), [2, 1], "means 4.5 and 2.33");
    assert_eq!((report.unrated, report.raters.unwrap().raters), (1, Some(3)));
}
