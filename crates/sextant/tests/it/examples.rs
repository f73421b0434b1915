//! The programs of `examples/` do what they say.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example, which cargo built beside the tests, and returns what it said.
fn say(name: &str, arguments: &[&str]) -> String {
    let tests = std::env::current_exe().unwrap();
    let folder: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples");
    let output = Command::new(folder.join(name)).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{name}: {error}; `cargo test` builds the examples, unless targets are named: use `cargo test --examples --test it`")
    });
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {err}\n{out}");
    out
}

#[test]
fn score_pairs() {
    let said = say("score_pairs", &[]);
    assert_eq!(said.lines().filter(|line| line.ends_with(" tokens")).count(), 3, "{said}");
    // The pair without a text is an error of its own.
    assert!(said.contains("the right text of the query-type pair is empty"), "{said}");
}

#[test]
fn train_from_code() {
    let said = say("train_from_code", &[]);
    assert!(said.contains("60 steps") && said.contains("type-type"), "{said}");
}

#[test]
fn make_ensemble() {
    let said = say("make_ensemble", &[]);
    assert_eq!(said.lines().filter(|line| line.ends_with("rows right")).count(), 4, "{said}");
}

#[test]
fn add_a_metric() {
    let said = say("add_a_metric", &[]);
    assert_eq!(said.matches("mean absolute error 0.").count(), 6, "{said}");
}

#[test]
fn custom_data_source() {
    assert_eq!(say("custom_data_source", &[]), "trained on the log: true\n");
}

#[test]
fn watch_a_run() {
    let said = say("watch_a_run", &[]);
    assert!(said.contains("stopped at 25 of 60"), "{said}");
    assert!(said.contains("went on to the end: 60 steps"), "{said}");
}

#[test]
fn score_a_table() {
    let said = say("score_a_table", &[]);
    assert!(said.starts_with("sku, left, right, predicted_grade"), "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn compare_two_models() {
    let said = say("compare_two_models", &[]);
    assert!(said.contains("95 % interval") && said.contains("McNemar"), "{said}");
}

#[test]
fn split_and_check() {
    let said = say("split_and_check", &[]);
    assert!(said.contains("every fifth row: sound is false"), "{said}");
    assert!(said.contains("split by what rows share: sound is true"), "{said}");
}

#[test]
fn know_when_not_to_answer() {
    let said = say("know_when_not_to_answer", &[]);
    assert!(said.contains("of the rows answered"), "{said}");
}
