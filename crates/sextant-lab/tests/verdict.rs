//! The verdict on findings that are made up, one grid for each kind of outcome.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/made_up.rs"]
mod made_up;

use made_up::{MadeUp, findings_of};
use sextant_core::Task;
use sextant_lab::findings::{Findings, Verdict, VerdictOutcome};
use sextant_lab::{Cell, Document};

/// Two routings, three seeds, a head per task or a shared one.
const TWO: &[&str] = &[
    "grid.single_task=false",
    "grid.seeds=[1, 2, 3]",
    r#"grid.routings=[{prefix = true, heads = "shared"}, {prefix = false, heads = "per_task"}]"#,
];

fn is_prefix(cell: &Cell) -> bool {
    cell.routing.starts_with("prefix")
}

fn verdict(findings: &Findings) -> &Verdict {
    findings.verdict.as_ref().unwrap()
}

fn words(findings: &Findings) -> String {
    Document::new(findings).unwrap().verdict()
}

#[test]
fn a_clear_winner() {
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |cell, _| {
            if is_prefix(cell) { (12 + cell.recipe.seed as usize % 2, 0) } else { (18, 3) }
        },
        parameters: |_| 1000,
    });
    let verdict = verdict(&found);
    assert_eq!(verdict.outcome, VerdictOutcome::Winner);
    assert_eq!(
        (verdict.ship.as_str(), verdict.leader.as_str()),
        ("tiny-multi-head", "tiny-multi-head")
    );
    let behind = verdict.contenders[1].behind.as_ref().unwrap();
    assert!(behind.shown && behind.counts_seeds && !behind.within_margin);
    assert!((behind.difference.value - (38.0 / 60.0 - 0.9)).abs() < 1e-12);
    // All seven of 20 grades are as frequent as in the training rows: 67 of 200.
    assert!((verdict.majority - 0.335).abs() < 1e-12);
    insta::assert_snapshot!(words(&found));
}

#[test]
fn no_difference_shown() {
    // Both are right on about three quarters of the rows, but not on the same ones.
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |cell, task| match (is_prefix(cell), task) {
            (true, _) => (15, 0),
            (false, Task::QueryType) => (15, 9),
            (false, _) => (14, 9),
        },
        parameters: |_| 1000,
    });
    let verdict = verdict(&found);
    assert_eq!(verdict.outcome, VerdictOutcome::Undecided);
    assert_eq!(verdict.ship, "tiny-prefix");
    let behind = verdict.contenders[1].behind.as_ref().unwrap();
    assert!(!behind.shown && !behind.within_margin, "{behind:?}");
    assert!(behind.needed.rows.is_some_and(|rows| rows > 1.0), "{behind:?}");
    insta::assert_snapshot!(words(&found));
}

#[test]
fn a_winner_that_is_dearer() {
    let made_up = |settings| MadeUp {
        settings,
        right_of_20: |cell, _| if is_prefix(cell) { (15, 0) } else { (18, 0) },
        parameters: |cell| if is_prefix(cell) { 1000 } else { 1800 },
    };
    let found = findings_of(&made_up(TWO));
    assert_eq!(verdict(&found).outcome, VerdictOutcome::Winner);
    assert_eq!(verdict(&found).ship, "tiny-multi-head");
    insta::assert_snapshot!(words(&found));

    // Who gives up 20 points for half the size ships the other one.
    let [a, b, c] = TWO else { panic!() };
    let settings: &'static [&'static str] = Box::leak(Box::new([*a, *b, *c, "report.margin=0.2"]));
    let found = findings_of(&made_up(settings));
    assert_eq!(verdict(&found).outcome, VerdictOutcome::Cheaper);
    assert_eq!(
        (verdict(&found).ship.as_str(), verdict(&found).leader.as_str()),
        ("tiny-prefix", "tiny-multi-head")
    );
    assert_eq!(found.recipe.report.margin, 0.2);
    insta::assert_snapshot!("cheaper", words(&found));
}

#[test]
fn equal_answers_at_a_lower_cost() {
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |_, _| (15, 0),
        parameters: |cell| if is_prefix(cell) { 1800 } else { 1000 },
    });
    // The first of the grid leads where all are equal, and the cheaper one is shipped.
    assert_eq!(verdict(&found).outcome, VerdictOutcome::Cheaper);
    assert_eq!(
        (verdict(&found).ship.as_str(), verdict(&found).leader.as_str()),
        ("tiny-multi-head", "tiny-prefix")
    );
    let text = words(&found);
    assert!(text.contains("less than 0.1 points behind"), "{text}");
}

#[test]
fn seeds_that_spread_too_much() {
    // Right on 13, 16 and 19 of 20: on the very same rows the means would be told apart by far.
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |cell, _| {
            if is_prefix(cell) { (10 + 3 * cell.recipe.seed as usize, 0) } else { (14, 0) }
        },
        parameters: |_| 1000,
    });
    let verdict = verdict(&found);
    assert_eq!(verdict.outcome, VerdictOutcome::Undecided);
    let reference = &found.headline.rows[1].scores[2].as_ref().unwrap();
    assert!(reference.significant, "over test rows alone the difference is significant");
    let behind = verdict.contenders[1].behind.as_ref().unwrap();
    assert!(behind.needed.seeds.is_some() && behind.needed.rows.is_none(), "{behind:?}");
    assert!(words(&found).contains("seeds of each"));
}

#[test]
fn one_seed_is_said() {
    let found = findings_of(&MadeUp {
        settings: &["grid.single_task=false", "grid.seeds=[1]"],
        right_of_20: |cell, _| match cell.routing.as_str() {
            "mhp-1" => (19, 0),
            "prefix" => (15, 0),
            _ => (12, 0),
        },
        parameters: |_| 1000,
    });
    let verdict = verdict(&found);
    assert_eq!((verdict.outcome, verdict.ship.as_str()), (VerdictOutcome::Winner, "tiny-mhp-1"));
    assert!(verdict.contenders.iter().all(|contender| contender.seeds == 1));
    assert!(verdict.contenders[1..].iter().all(|c| !c.behind.as_ref().unwrap().counts_seeds));
    insta::assert_snapshot!(words(&found));
}

#[test]
fn one_system() {
    let found = findings_of(&MadeUp {
        settings: &[
            "grid.single_task=false",
            r#"grid.routings=[{prefix = true, heads = "shared"}]"#,
        ],
        right_of_20: |_, _| (15, 0),
        parameters: |_| 1000,
    });
    assert_eq!(verdict(&found).outcome, VerdictOutcome::Alone);
    insta::assert_snapshot!(words(&found));
}

#[test]
fn nothing_learned() {
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |cell, _| if is_prefix(cell) { (7, 0) } else { (6, 0) },
        parameters: |_| 1000,
    });
    assert_eq!(verdict(&found).outcome, VerdictOutcome::NothingLearned);
    insta::assert_snapshot!(words(&found));
}

#[test]
fn a_task_on_which_another_one_is_better() {
    let found = findings_of(&MadeUp {
        settings: TWO,
        right_of_20: |cell, task| match (is_prefix(cell), task) {
            (true, Task::QueryType) => (19, 0),
            (true, _) => (8, 0),
            (false, _) => (16, 0),
        },
        parameters: |_| 1000,
    });
    let verdict = verdict(&found);
    assert_eq!(
        (verdict.outcome, verdict.ship.as_str()),
        (VerdictOutcome::Winner, "tiny-multi-head")
    );
    let [lead] = verdict.tasks.as_slice() else { panic!("{:?}", verdict.tasks) };
    assert_eq!((lead.task, lead.system.as_str()), (Task::QueryType, "tiny-prefix"));
    assert!((lead.difference.value - 0.15).abs() < 1e-12 && lead.p_value < 0.05);
    assert!(words(&found).contains("on query-type tiny-prefix is 15.0 points better"));
}
