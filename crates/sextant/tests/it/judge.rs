//! `sextant judge` against a small server in the process of the test.

use crate::support::WorkFolder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A server that grades by whether the sides share a word, with the probabilities of constrained sampling.
pub(crate) fn judge_server() -> String {
    server(answer)
}

/// A server whose answers, headers and bodies, `answer` makes of paths and requests. It ends with the tests.
pub(crate) fn server(answer: fn(&str, &Value) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap(), answer));
        }
    });
    base
}

fn serve(mut stream: TcpStream, answer: fn(&str, &Value) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_ascii_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let _ = write!(stream, "HTTP/1.1 {}", answer(&lines[0], &request));
}

fn answer(path: &str, request: &Value) -> String {
    let chat = path.contains("/chat/completions");
    let (status, body) = if chat {
        let messages = request["messages"].as_array().unwrap();
        let question = messages.last().unwrap()["content"].as_str().unwrap();
        let sides: Vec<&str> = question.lines().rev().take(4).collect();
        let words =
            |text: &str| text.to_lowercase().split(' ').map(str::to_owned).collect::<Vec<_>>();
        let left = words(sides[3]);
        let shared = words(sides[2]).iter().filter(|word| left.contains(word)).count();
        let label = shared.min(2);
        let probs: Vec<Value> = (0..3)
            .map(|k| json!({"token": k.to_string(), "prob": if k == label { 0.8 } else { 0.1 }}))
            .collect();
        let token = json!({"token": label.to_string(), "top_probs": probs});
        let choice =
            json!({"message": {"content": label.to_string()}, "logprobs": {"content": [token]}});
        (200, json!({"choices": [choice], "usage": {"prompt_tokens": 90, "completion_tokens": 1}}))
    } else {
        (404, json!({"error": "no such path"}))
    };
    let body = body.to_string();
    format!("{status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The number of different pairs in parts of the market; the sides of symmetric tasks may change places.
fn pairs_of(place: &WorkFolder, parts: &[&str]) -> usize {
    let lines = parts.iter().map(|part| place.read(&format!("market/{part}.jsonl")));
    let pair = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let symmetric = ["query-query", "product-product", "type-type"];
        let mut sides = [row["left"].to_string(), row["right"].to_string()];
        if symmetric.contains(&row["task"].as_str().unwrap()) {
            sides.sort();
        }
        (row["task"].to_string(), sides)
    };
    let pairs: std::collections::BTreeSet<_> =
        lines.flat_map(|text| text.lines().map(pair).collect::<Vec<_>>()).collect();
    pairs.len()
}

#[test]
fn pairs_are_judged_resumed_compared_with_people_and_learned_from() {
    let place = WorkFolder::with_bundle();
    let base = judge_server();
    let judge = |more: &[&str]| {
        let args = ["judge", "market", "--endpoint", &base, "--model", "words", "--out", "judged"];
        place.ok(&[&args, more].concat())
    };
    let said = judge(&["--limit", "40"]);
    assert!(said.contains("40 of 40 rows have a grade (by constrained)"), "{said}");
    let rows = place.lines("market/train.jsonl")
        + place.lines("market/dev.jsonl")
        + place.lines("market/test.jsonl");
    let said = judge(&[]);
    assert!(said.contains(&format!("{rows} of {rows} rows")), "{said}");
    let head: Value = serde_json::from_str(&place.read("judged/judge.json")).unwrap();
    assert_eq!(
        (&head["method"], &head["prompt"]["name"]),
        (&json!("constrained"), &json!("three-point"))
    );
    let answers = place.lines("judged/answers.jsonl");
    assert!(answers <= rows && head["answers"] == answers);
    // All is known now.
    assert!(judge(&[]).contains("0 answered now"));
    assert_eq!(place.lines("judged/answers.jsonl"), answers);

    // The grades are rows like any others, and a teacher.
    place.ok(&["data", "stats", "judged/rows.jsonl"]);
    place.ok(&[
        "train",
        "tiny.toml",
        "--set",
        "teacher={sources=[\"judged\"], share=1.0}",
        "--out",
        "runs/judged",
    ]);

    let said = place.ok(&["judge", "agree", "judged", "--out", "agreement.json"]);
    for expected in ["query-product", "NOT trusted", "people (rows) by judge (columns)", "bias"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let found: Value = serde_json::from_str(&place.read("agreement.json")).unwrap();
    // One label of people is one, however many rows have its pair, and in whichever order.
    assert_eq!(found["agreement"]["pooled"]["rows"], pairs_of(&place, &["train", "dev", "test"]));

    // People's labels of the dev rows only, and a bundle whose accuracy is wanted.
    let powered = ["judge", "agree", "judged", "market", "--split", "dev", "--bundle", "runs/tiny"];
    let said = place.ok(&powered);
    assert!(
        said.contains(&format!("from {} labels of people", pairs_of(&place, &["dev"]))),
        "{said}"
    );
    assert!(said.contains("to settle a difference of 0.02"), "{said}");
    place.ok(&[&powered[..], &["--against", "runs/judged"]].concat());

    for (args, expected) in [
        (
            &["judge", "market", "--endpoint", "localhost", "--model", "m", "--out", "x"][..],
            "http://",
        ),
        (
            &["judge", "market", "--endpoint", &base, "--model", "other", "--out", "judged"],
            "another judge",
        ),
        (
            &[
                "judge",
                "market",
                "--endpoint",
                &base,
                "--model",
                "m",
                "--prompt",
                "none",
                "--out",
                "x",
            ],
            "umbrela",
        ),
        (
            &[
                "judge",
                "market",
                "--endpoint",
                &base,
                "--model",
                "m",
                "--budget",
                "1",
                "--input-price",
                "0.5",
                "--out",
                "x",
            ],
            "--output-price",
        ),
        (
            &[
                "judge",
                "market",
                "--endpoint",
                &base,
                "--model",
                "m",
                "--method",
                "best",
                "--out",
                "x",
            ],
            "logprobs",
        ),
        (&["judge", "agree", "market"], "not the folder of a judge"),
        (&["judge", "agree", "runs/tiny/log.jsonl"], "log.jsonl"),
        (&["judge"], "--endpoint"),
    ] {
        let error = place.fails(args);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    // Another judge may begin anew in the folder, if that is asked for; what people have put there stays.
    place.write("judged/notes.md", "mine\n");
    let anew = ["--limit", "10", "--seed", "5", "--overwrite"];
    let other = ["judge", "market", "--endpoint", &base, "--model", "other", "--out", "judged"];
    let output = place.command(&[&other[..], &anew].concat()).assert().success();
    let (out, err) = (&output.get_output().stdout, &output.get_output().stderr);
    assert!(
        String::from_utf8_lossy(err)
            .contains(&format!("{answers} answers were there and are removed"))
    );
    assert!(String::from_utf8_lossy(out).contains("10 of 10 rows have a grade"));
    assert_eq!(
        (place.lines("judged/answers.jsonl"), place.read("judged/notes.md")),
        (10, "mine\n".into())
    );
    place.ok(&[
        &["judge", "market", "--endpoint", &base, "--model", "words", "--out", "judged"][..],
        &["--limit", "3", "--overwrite"],
    ]
    .concat());
    place.write("judged/answers.jsonl", "not an answer\n");
    let error = place.fails(&[
        "judge",
        "market",
        "--endpoint",
        &base,
        "--model",
        "words",
        "--out",
        "judged",
    ]);
    assert!(error.contains("answers.jsonl: line 1"), "{error}");
}

#[test]
fn examples_are_chosen_on_dev_rows() {
    let place = WorkFolder::with_market();
    let base = judge_server();
    let output = place
        .command(&[
            "judge",
            "market",
            "--endpoint",
            &base,
            "--model",
            "words",
            "--out",
            "judged",
            "--limit",
            "5",
            "--examples-from",
            "market",
            "--examples",
            "2",
            "--example-sets",
            "1",
            "--example-rows",
            "12",
        ])
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("12 examples: agreement") && said.contains("0 examples: agreement"),
        "{said}"
    );
    let head: Value = serde_json::from_str(&place.read("judged/judge.json")).unwrap();
    assert_eq!(head["trials"].as_array().unwrap().len(), 2);
    assert_eq!(place.names("judged/trials").len(), 2);
}

#[test]
fn a_budget_that_is_met_is_an_error_and_what_was_answered_is_kept() {
    let place = WorkFolder::with_market();
    let base = judge_server();
    // 91 tokens each.
    let args = ["judge", "market", "--endpoint", &base, "--model", "words", "--out", "judged"];
    let error = place.fails(&[&args[..], &["--budget-tokens", "300"]].concat());
    assert!(error.contains("the budget is met with"), "{error}");
    assert_eq!((place.lines("judged/answers.jsonl"), place.lines("judged/rows.jsonl")), (3, 3));
    let examples = ["--examples-from", "market", "--example-sets", "1", "--example-rows", "12"];
    let few = ["judge", "market", "--endpoint", &base, "--model", "words", "--out", "few"];
    let budget = ["--budget-tokens", "500"];
    let error = place.fails(&[&few[..], &examples, &budget].concat());
    assert!(error.contains("before all sets of examples were tried"), "{error}");
    assert!(!place.names("few").contains(&"answers.jsonl".to_owned()));
    let said = place.ok(&[&few[..], &examples, &["--limit", "5"]].concat());
    let head: Value = serde_json::from_str(&place.read("few/judge.json")).unwrap();
    assert!(head["spent"]["input_tokens"].as_u64().unwrap() > 5 * 90, "{said}");
}

#[test]
fn agreement_is_that_of_the_grades_in_the_file_on_pairs_labelled_once() {
    let place = WorkFolder::empty();
    let judged = |left: &str, right: &str| {
        json!({"task": "query-query", "left": left, "right": right, "probs": [0.5, 0.1, 0.4],
            "predicted_grade": 2})
    };
    let people = |left: &str, right: &str, grade: u8| json!({"task": "query-query", "left": left, "right": right, "grade": grade});
    let lines =
        |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<Vec<_>>().concat();
    let rows = [judged("a", "b"), judged("c", "d"), judged("c", "d"), judged("e", "f")];
    place.write("judged.jsonl", lines(&rows));
    // The sides of this task may change places, and one pair is not the judge's.
    place.write(
        "people.jsonl",
        lines(&[people("b", "a", 2), people("c", "d", 2), people("x", "y", 0)]),
    );
    let output =
        place.command(&["judge", "agree", "judged.jsonl", "people.jsonl", "--out", "a.json"]);
    let output = { output }.assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 rows repeat a pair"), "{said}");
    assert!(said.contains("1 of 3 labelled pairs are not among the judge's rows"), "{said}");
    let found: Value = serde_json::from_str(&place.read("a.json")).unwrap();
    let pooled = &found["agreement"]["pooled"];
    assert_eq!((&pooled["rows"], &pooled["agreement"]["value"]), (&json!(2), &json!(1.0)));
    place.write("two.jsonl", lines(&[people("a", "b", 2), people("b", "a", 0)]));
    let error = place.fails(&["judge", "agree", "judged.jsonl", "two.jsonl"]);
    assert!(error.contains("two.jsonl line 2: the pair was labelled"), "{error}");
}

#[test]
fn numbers_that_are_no_probabilities_are_told_by_file_and_line() {
    let place = WorkFolder::empty();
    let row = |more: &str| {
        let row = r#"{"task": "query-query", "left": "a", "right": "b", "people": 1"#;
        format!("{row}, {more}}}\n")
    };
    let good = row(r#""probs": [0.2, 0.7, 0.1]"#);
    for (bad, expected) in [
        (r#""probs": [0.5, 0.9, 0.1]"#, "`probs` [0.5, 0.9, 0.1] are not probabilities"),
        (r#""probs": [1.2, -0.3, 0.1]"#, "`probs` [1.2, -0.3, 0.1] are not probabilities"),
        (r#""probs": [1e39, 0, 0]"#, "number out of range"),
        (r#""probs": [null, null, null]"#, "null"),
        (r#""probs": [0.2, 0.7, 0.1], "label_mass": -1"#, "`label_mass` -1 is not"),
    ] {
        place.write("judged.jsonl", format!("{good}{}", row(bad)));
        let error = place.fails(&["judge", "agree", "judged.jsonl"]);
        assert!(error.contains("judged.jsonl line 2") && error.contains(expected), "{error}");
        assert!(!error.contains("learning rate"), "{error}");
    }
    place.write("judged.jsonl", good.repeat(2));
    place.ok(&["judge", "agree", "judged.jsonl"]);
    place.write("judged.jsonl", format!("{good}{}", row(r#""probs": [NaN, 0.5, 0.5]"#)));
    let error = place.fails(&["judge", "agree", "judged.jsonl"]);
    assert!(error.contains("judged.jsonl line 2") && !error.contains("learning rate"), "{error}");
}
