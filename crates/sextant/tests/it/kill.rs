//! A training that is killed, at any moment, goes on to the same weights.

use crate::support::{Place, RECIPE};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FILES: [&str; 4] = [
    "bundle/model.safetensors",
    "bundle/tokenizer.json",
    "checkpoint/model.safetensors",
    "checkpoint/optimizer.safetensors",
];

/// Starts a training that goes on beside the test.
fn start(place: &Place, out: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("sextant"))
        .args(["train", "long.toml", "--out", out, "--resume"])
        .current_dir(place.path("."))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts a training and kills it as soon as its log has so many lines.
fn kill_after(place: &Place, lines: usize) {
    let mut child = start(place, "killed");
    let begun = Instant::now();
    loop {
        let log = std::fs::read_to_string(place.path("killed/log.jsonl")).unwrap_or_default();
        if log.lines().count() >= lines {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "the training does not get on");
        assert!(child.try_wait().unwrap().is_none(), "the training ended before it was killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
}

#[test]
fn killed_three_times_it_ends_in_the_same_bytes() {
    let place = Place::with_market();
    place.write("long.toml", RECIPE.replace("steps = 20", "steps = 120"));
    place.ok(&["train", "long.toml", "--out", "whole"]);
    for lines in [9, 31, 70] {
        kill_after(&place, lines);
    }
    let said = place.ok(&["train", "long.toml", "--out", "killed", "--resume"]);
    assert!(said.contains("120 steps"), "{said}");
    for file in FILES {
        let [whole, killed] = ["whole", "killed"]
            .map(|out| std::fs::read(place.path(&format!("{out}/{file}"))).unwrap());
        assert!(whole == killed, "{file} differs");
    }
    let steps: Vec<u64> = crate::pipeline::lines(&place.read("killed/log.jsonl"))
        .iter()
        .filter(|line| line["event"] == "step")
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=120).collect::<Vec<_>>());
}

#[test]
fn a_folder_in_use_is_refused_and_a_dead_process_holds_none() {
    let place = Place::with_market();
    // It never looks at the dev rows, so that it leaves no checkpoint.
    let long =
        RECIPE.replace("steps = 20", "steps = 200000").replace("every = 5", "every = 100000");
    place.write("long.toml", long);
    let mut first = start(&place, "run");
    let begun = Instant::now();
    while !place.path("run/log.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_mins(2), "the training does not start");
        std::thread::sleep(Duration::from_millis(2));
    }
    let error = place.fails(&["train", "tiny.toml", "--out", "run"]);
    assert!(error.contains(&format!("process {} is writing into it", first.id())), "{error}");
    first.kill().unwrap(); // SIGKILL
    first.wait().unwrap();
    // The user's own folder stays, whatever it is called.
    std::fs::create_dir(place.path("run/.new-ideas")).unwrap();
    place.write("run/.sextant-new-notes", "a file");
    place.ok(&["train", "tiny.toml", "--out", "run"]);
    let names = place.names("run");
    assert!(names.contains(&".new-ideas".to_owned()), "{names:?}");
    assert!(!names.contains(&".sextant-lock".to_owned()), "{names:?}");
}
