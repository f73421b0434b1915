//! Standard input and output, pipes, and outputs that are full or closed.

use crate::support::WorkFolder;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BUNDLE: &str = "runs/tiny/bundle";

/// The program, to be run in the folder of `place`.
fn program(place: &WorkFolder, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("sextant"));
    command.current_dir(place.path(".")).args(args);
    command
}

fn mkfifo(place: &WorkFolder, name: &str) {
    let made = Command::new("mkfifo").arg(place.path(name)).status().unwrap();
    assert!(made.success());
}

/// Checks that no hidden files are left in the folder.
fn no_leftovers(place: &WorkFolder) {
    let hidden: Vec<_> =
        place.names(".").into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let place = WorkFolder::with_bundle();
    let rows = place.read("market/test.jsonl");
    place.ok(&["score", BUNDLE, "market/test.jsonl", "file.jsonl"]);
    let scored = |args: &[&str], input: &str| {
        let all = [&["score", BUNDLE][..], args].concat();
        let output = place.command(&all).write_stdin(input).assert().success().get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("rows scored, 0 skipped"), "{said}");
        assert!(!said.contains('\u{1b}'), "colour codes without a terminal: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(scored(&["-", "-"], &rows), place.read("file.jsonl"));
    let csv = "task,left,right,weight\nquery-type,sofa,Sofas,2.5 lb\n";
    let out = scored(&["-", "-", "--input-format", "csv"], csv);
    assert!(out.starts_with("task,left,right,weight,predicted_grade"), "{out}");
    assert!(out.lines().nth(1).unwrap().starts_with("query-type,sofa,Sofas,2.5 lb,"), "{out}");
    // The columns of a table must be known before the first row: standard input is copied first.
    let out = scored(&["-", "-", "--output-format", "csv"], &rows);
    place.ok(&["score", BUNDLE, "market/test.jsonl", "file.csv"]);
    assert_eq!(out, place.read("file.csv"));
    let parquet = ["score", BUNDLE, "market/test.jsonl", "-", "--output-format", "parquet"];
    let output = place.command(&parquet).assert().success().get_output().stdout.clone();
    assert!(output.starts_with(b"PAR1") && output.ends_with(b"PAR1"));
    no_leftovers(&place);
}

#[cfg(unix)]
#[test]
fn pipes_with_names_are_read_once() {
    let place = WorkFolder::with_bundle();
    mkfifo(&place, "in.jsonl");
    mkfifo(&place, "out.jsonl");
    let rows = place.read("market/test.jsonl");
    for output in ["out.csv", "scored.jsonl"] {
        let (pipe, rows) = (place.path("in.jsonl"), rows.clone());
        let writer = std::thread::spawn(move || std::fs::write(pipe, rows));
        place.ok(&["score", BUNDLE, "in.jsonl", output]);
        writer.join().unwrap().unwrap();
    }
    assert_eq!(place.read("out.csv").lines().count(), rows.lines().count() + 1);
    // A named pipe can also be the output, which then appears as it is written.
    let pipe = place.path("out.jsonl");
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe));
    place.ok(&["score", BUNDLE, "market/test.jsonl", "out.jsonl"]);
    assert_eq!(reader.join().unwrap().unwrap(), place.read("scored.jsonl"));
    no_leftovers(&place);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_an_error() {
    let place = WorkFolder::with_bundle();
    let commands: &[&[&str]] = &[
        &["eval", BUNDLE, "market"],
        &["data", "check", "market", "--json"],
        &["data", "stats", "market"],
        &["inspect", BUNDLE],
        &["score", BUNDLE, "market/test.jsonl", "-"],
        &["score", BUNDLE, "market/test.jsonl", "/dev/full", "--output-format", "jsonl"],
    ];
    for args in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = program(&place, args).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("cannot write") && said.contains("No space left"), "{said}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_output_quietly() {
    let place = WorkFolder::with_bundle();
    place.write("many.jsonl", place.read("market/test.jsonl").repeat(40));
    for args in [&["score", BUNDLE, "many.jsonl", "-"][..], &["data", "check", "market", "--json"]]
    {
        let mut child =
            program(&place, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::with_capacity(64, child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        drop(output);
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.success(), "{args:?}: {said}");
        assert!(line.starts_with('{') && !said.contains("error"), "{said}");
    }
}

/// A pipe that never ends stands for a file that takes hours.
#[cfg(unix)]
#[test]
fn an_interrupted_scoring_leaves_nothing() {
    let place = WorkFolder::with_bundle();
    mkfifo(&place, "endless.jsonl");
    std::fs::create_dir(place.path("out")).unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = program(&place, &["score", BUNDLE, "endless.jsonl", "out/scored.jsonl"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe =
            std::fs::File::options().write(true).open(place.path("endless.jsonl")).unwrap();
        std::io::Write::write_all(&mut pipe, place.read("market/test.jsonl").as_bytes()).unwrap();
        let start = Instant::now();
        while place.names("out").is_empty() {
            assert!(start.elapsed() < Duration::from_mins(1), "the scoring does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(130), "{signal}: {said}");
        assert!(said.contains("interrupted"), "{said}");
        assert!(place.names("out").is_empty(), "{signal}: {:?}", place.names("out"));
        drop(pipe);
    }
}
