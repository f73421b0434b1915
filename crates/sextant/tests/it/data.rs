//! Files of rows as people have them, used through the commands.

use crate::support::WorkFolder;

/// All rows of a market are split anew after their splits and groups are removed.
#[test]
fn rows_without_a_split_get_one_that_passes_the_check() {
    let place = WorkFolder::with_market();
    let strip = |text: String| {
        let rows = text.lines().map(|line| {
            let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
            row.as_object_mut()
                .unwrap()
                .retain(|name, _| !["split", "group"].contains(&name.as_str()));
            row.to_string() + "\n"
        });
        rows.collect::<String>()
    };
    let all: String = ["train", "dev", "test"]
        .map(|part| strip(place.read(&format!("market/{part}.jsonl"))))
        .concat();
    place.write("all.jsonl", &all);
    let said = place.ok(&["data", "split", "all.jsonl", "mine"]);
    assert!(said.contains("| query-product "), "{said}");
    assert!(said.contains(&format!("mine: {} rows", all.lines().count())), "{said}");
    let checked = place.ok(&["data", "check", "mine"]);
    assert_eq!(
        checked.matches("| dev ").count(),
        6,
        "every task has rows in every split: {checked}"
    );
    assert!(checked.contains("ok: no pair and no group is in two splits"), "{checked}");

    // The same seed gives the same files and may replace its own; files of other people are left alone.
    let before = place.read("mine/test.jsonl");
    place.ok(&["data", "split", "all.jsonl", "mine"]);
    assert_eq!(place.read("mine/test.jsonl"), before);
    place.write("theirs.txt", "");
    std::fs::create_dir(place.path("theirs")).unwrap();
    place.write("theirs/train.csv", "precious");
    let error = place.fails(&["data", "split", "all.jsonl", "theirs"]);
    assert!(error.contains("train.csv: it is there already"), "{error}");
    assert_eq!(place.names("theirs"), ["train.csv"]);
    let error = place.fails(&["data", "split", "all.jsonl", "new", "--train", "0.9"]);
    assert!(error.contains("sum to") && error.contains("--train"), "{error}");
    assert!(!place.path("new").exists());
}

/// The check fails if a part is not read, whatever the reason.
#[test]
fn the_check_sees_every_file() {
    let place = WorkFolder::with_market();
    let rename = |from: &str, to: &str| std::fs::rename(place.path(from), place.path(to)).unwrap();
    rename("market/dev.jsonl", "market/validation.jsonl");
    rename("market/train.jsonl", "market/Train.NDJSON");
    let said = place.ok(&["data", "check", "market"]);
    assert_eq!(said.matches(" dev ").count(), 6, "{said}");
    rename("market/test.jsonl", "market/holdout.jsonl");
    let error = place.fails(&["data", "check", "market"]);
    assert!(error.contains("not all files were read"), "{error}");
    rename("market/holdout.jsonl", "market/test-00000-of-00002.jsonl");
    let error = place.fails(&["data", "check", "market"]);
    assert!(error.contains("shard 1 of test is missing"), "{error}");
}

/// A row that training would refuse and a pair in two splits are both named by file and line.
#[test]
fn the_check_names_rows_by_file_and_line() {
    let place = WorkFolder::with_market();
    let good = place.read("market/train.jsonl");
    let row = good.lines().next().unwrap();
    let mut bad: serde_json::Value = serde_json::from_str(row).unwrap();
    bad["left"] = "\u{200b}".into();
    place.write("market/train.jsonl", format!("{bad}\n{good}"));
    let output = place.command(&["data", "check", "market"]).assert().failure();
    let (said, error) = (&output.get_output().stdout, &output.get_output().stderr);
    let (said, error) = (String::from_utf8_lossy(said), String::from_utf8_lossy(error));
    assert!(
        said.contains("market/train.jsonl line 1 (query-product-0): the left text of the "),
        "{said}"
    );
    assert!(error.contains("rows have nothing to read on one side"), "{error}");

    place.write("market/train.jsonl", &good);
    let test = place.read("market/test.jsonl");
    let row = row.replacen("\"split\":\"train\"", "\"split\":\"test\"", 1);
    place.write("market/test.jsonl", format!("{test}{row}\n"));
    let output = place.command(&["data", "check", "market"]).assert().failure();
    let said = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let last = format!("market/test.jsonl line {} (", test.lines().count() + 1);
    assert!(said.contains(&last) && said.contains("market/train.jsonl line 1 ("), "{said}");
}
