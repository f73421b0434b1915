//! Whose answers a judge's folder holds, and what stays in it.

use crate::judge::{judge_server, server};
use crate::support::WorkFolder;
use serde_json::{Value, json};

/// A judge's folder keeps what was judged of other data, and takes no answers of another judge.
#[test]
fn a_folder_is_of_one_judge_and_keeps_all_of_its_rows() {
    let place = WorkFolder::with_market();
    let base = judge_server();
    let args = |data: &'static str, base: &str| {
        let args = ["judge", data, "--model", "words", "--out", "judged", "--endpoint", base];
        args.map(str::to_owned)
    };
    let run = |data: &'static str, more: &[&str]| {
        let args = args(data, &base);
        place.ok(&args.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    run("market/train.jsonl", &["--limit", "10"]);
    let first = place.read("judged/rows.jsonl");
    run("market/dev.jsonl", &["--limit", "5"]);
    let both = place.read("judged/rows.jsonl");
    assert!(both.ends_with(&first), "{both}");
    assert_eq!((first.lines().count(), both.lines().count()), (10, 15));
    // The same rows again are not there twice.
    run("market/train.jsonl", &["--limit", "10"]);
    let mut again: Vec<String> =
        place.read("judged/rows.jsonl").lines().map(str::to_owned).collect();
    again.sort();
    let mut expected: Vec<String> = both.lines().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(again, expected);
    let refused = |base: &str, more: &[&str]| {
        let args = args("market/dev.jsonl", base);
        place
            .fails(&args.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let error = refused(&base, &["--seed", "7"]);
    assert!(
        error.contains("judge.json: the answers here were had with `--seed 1`, not 7"),
        "{error}"
    );
    let other = judge_server();
    let error = refused(&other, &[]);
    assert!(error.contains(&format!("of the endpoint {base}, not of {other}")), "{error}");
    assert_eq!(place.read("judged/rows.jsonl").lines().count(), 15);
    // Where the same server has moved, its new address may be written into the file.
    let moved = place.read("judged/judge.json").replace(&base, &other);
    place.write("judged/judge.json", moved);
    let further = args("market/dev.jsonl", &other);
    place.ok(&further.iter().map(String::as_str).chain(["--limit", "5"]).collect::<Vec<_>>());
    assert_eq!(place.read("judged/rows.jsonl").lines().count(), 15);
    assert!(place.read("judged/judge.json").contains(&other));
    let moved = place.read("judged/judge.json").replace(&other, &base);
    place.write("judged/judge.json", moved);
    // A slash at the end makes no other endpoint.
    let same = format!("{base}/");
    let args = args("market/dev.jsonl", &same);
    place.ok(&args.iter().map(String::as_str).chain(["--limit", "5"]).collect::<Vec<_>>());
    std::fs::remove_file(place.path("judged/judge.json")).unwrap();
    let error = refused(&base, &[]);
    assert!(error.contains("no `judge.json` that says whose they are"), "{error}");
}

/// A pair that the data has twice stays twice, however often fewer rows are judged.
#[test]
fn a_run_over_fewer_rows_takes_none_away() {
    let place = WorkFolder::empty();
    let base = judge_server();
    let row = |left: &str, group: &str| json!({"task": "query-query", "left": left, "right": "red sofa", "group": group});
    let rows = [row("sofa", "a"), row("chair", "b"), row("sofa", "c")];
    place.write("rows.jsonl", rows.map(|row| format!("{row}\n")).concat());
    let judge = |more: &[&str]| {
        let args =
            ["judge", "rows.jsonl", "--endpoint", &base, "--model", "words", "--out", "judged"];
        place.ok(&[&args[..], more].concat());
        let mut groups: Vec<String> = place
            .read("judged/rows.jsonl")
            .lines()
            .map(|line| {
                let row: Value = serde_json::from_str(line).unwrap();
                row["group"].as_str().unwrap().to_owned()
            })
            .collect();
        groups.sort();
        groups
    };
    for more in [&[][..], &["--limit", "1"], &["--limit", "2"], &["--limit", "1"], &[]] {
        assert_eq!(judge(more), ["a", "b", "c"], "{more:?}");
    }
}

/// Whose answers a folder has is known from the first one on, also while examples are tried.
#[test]
fn a_folder_with_trials_only_is_of_one_judge_too() {
    let place = WorkFolder::with_market();
    let base = judge_server();
    let judge = |seed: &str| {
        let args = ["judge", "market", "--endpoint", &base, "--model", "words", "--out", "judged"];
        let few = ["--examples-from", "market", "--example-sets", "1", "--example-rows", "12"];
        place.fails(&[&args[..], &few, &["--budget-tokens", "500", "--seed", seed]].concat())
    };
    let error = judge("1");
    assert!(error.contains("before all sets of examples were tried"), "{error}");
    let error = judge("2");
    assert!(error.contains("the answers here were had with `--seed 1`, not 2"), "{error}");
}

/// A server that asks for a long pause is not waited for in silence.
#[test]
fn a_long_pause_is_said() {
    let place = WorkFolder::with_market();
    let base = server(|_, _| {
        "429 X\r\nRetry-After: 3600\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo many"
            .to_owned()
    });
    let args = ["judge", "market", "--endpoint", &base, "--model", "m", "--out", "judged"];
    let mut running = place.start(&args);
    running.until_said(
        "the endpoint gave no answer (status 429: too many): asked again after 120 s, where the server asks for 3600 s",
    );
    running.kill();
}
