//! A training that is killed or asked to stop, at any moment, goes on to the same weights.

use crate::support::{RECIPE, Running, WorkFolder};

const FILES: [&str; 4] = [
    "bundle/model.safetensors",
    "bundle/tokenizer.json",
    "checkpoint/model.safetensors",
    "checkpoint/optimizer.safetensors",
];

/// The steps of a training that is stopped and resumed.
const STEPS: u64 = 120;

/// A work folder with `long.toml` and, in `whole`, the run of that recipe without any stop.
fn with_whole() -> WorkFolder {
    let place = WorkFolder::with_market();
    place.write("long.toml", RECIPE.replace("steps = 20", &format!("steps = {STEPS}")));
    place.ok(&["train", "long.toml", "--out", "whole"]);
    place
}

/// Starts the training in a folder, or resumes it, and waits until its log has so many lines.
fn start_until(place: &WorkFolder, out: &str, lines: usize) -> Running {
    let mut running = place.start(&["train", "long.toml", "--out", out, "--resume"]);
    let log = format!("{out}/log.jsonl");
    running.until("the training gets on", || place.lines(&log) >= lines);
    running
}

/// Resumes a training to its end, which must be that of `whole`.
fn ends_as_whole(place: &WorkFolder, out: &str) {
    let said = place.ok(&["train", "long.toml", "--out", out, "--resume"]);
    assert!(said.contains(&format!("{STEPS} steps")), "{said}");
    for file in FILES {
        let [whole, ended] =
            ["whole", out].map(|out| std::fs::read(place.path(&format!("{out}/{file}"))).unwrap());
        assert!(whole == ended, "{file} differs");
    }
    let steps: Vec<u64> = crate::pipeline::lines(&place.read(&format!("{out}/log.jsonl")))
        .iter()
        .filter(|line| line["event"] == "step")
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=STEPS).collect::<Vec<_>>());
}

#[test]
fn killed_three_times_it_ends_in_the_same_bytes() {
    let place = with_whole();
    for lines in [9, 31, 70] {
        start_until(&place, "killed", lines).kill();
    }
    ends_as_whole(&place, "killed");
}

/// A stop by a scheduler (TERM), by Ctrl-C (INT) and by a terminal that is closed (HUP).
#[test]
#[cfg(unix)]
fn asked_to_stop_it_saves_its_step_and_ends_in_the_same_bytes() {
    let place = with_whole();
    let mut before = 0;
    for (signal, lines) in [("TERM", 9), ("INT", 31), ("HUP", 70)] {
        if signal == "HUP" && crate::support::ignores_hangups() {
            continue; // the tests run under `nohup`, and so would the program
        }
        let running = start_until(&place, "stopped", lines);
        running.signal(signal);
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(130), "{signal}: {said}");
        // The checkpoint is of the newest step in the log, whether or not the dev rows were evaluated
        // there.
        let log = crate::pipeline::lines(&place.read("stopped/log.jsonl"));
        let steps = log.iter().filter(|line| line["event"] == "step");
        let newest = steps.filter_map(|line| line["step"].as_u64()).max().unwrap();
        let state: serde_json::Value =
            serde_json::from_str(&place.read("stopped/checkpoint/state.json")).unwrap();
        assert_eq!(state["step"].as_u64(), Some(newest), "{signal}");
        let place_and_how = format!("after step {newest} of {STEPS}; run the same command again");
        assert!(said.contains(&place_and_how), "{signal}: {said}");
        assert!(newest > before, "{signal}");
        before = newest;
    }
    ends_as_whole(&place, "stopped");
}

#[test]
#[cfg(unix)]
fn a_first_run_that_is_stopped_says_how_to_go_on() {
    let place = WorkFolder::with_market();
    place.write("long.toml", RECIPE.replace("steps = 20", "steps = 200000"));
    let mut running = place.start(&["train", "long.toml", "--out", "run"]);
    running.until("the training gets on", || place.lines("run/log.jsonl") > 3);
    running.signal("INT");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("add `--resume`"), "{said}");
    assert!(!place.names("run").contains(&".sextant-lock".to_owned()));
}

/// `nohup sextant train …` goes on when its terminal is closed.
#[test]
#[cfg(unix)]
fn a_run_under_nohup_is_not_ended_by_a_hangup() {
    let place = WorkFolder::with_market();
    place.write("long.toml", RECIPE.replace("steps = 20", "steps = 200000"));
    let mut running = place.start_nohup(&["train", "long.toml", "--out", "run"]);
    let log = "run/log.jsonl";
    running.until("the training begins", || place.lines(log) > 3);
    running.signal("HUP");
    let lines = place.lines(log);
    running.until("the training goes on", || place.lines(log) > lines + 50);
    running.signal("TERM");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{said}");
}

/// While a step takes seconds, the first signal waits for the end of the step, and the second does not.
#[test]
#[cfg(unix)]
fn a_second_signal_ends_a_training_at_once() {
    let place = WorkFolder::with_market();
    let slow = RECIPE
        .replace("hidden_size = 16, layers = 2", "hidden_size = 512, layers = 6")
        .replace("rows = 16", "rows = 100000");
    place.write("slow.toml", slow);
    let mut running = place.start(&["train", "slow.toml", "--out", "run"]);
    running.until("the training begins", || place.lines("run/log.jsonl") > 0);
    running.signal("TERM");
    running.signal("INT");
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(130), "{said}");
    // Nothing of the step was saved.
    assert_eq!(place.lines("run/log.jsonl"), 1);
    assert!(!place.path("run/checkpoint").exists());
}

/// The training waits for the rows of a pipe to which nobody writes.
#[test]
#[cfg(unix)]
fn a_signal_while_rows_are_read_ends_a_training_too() {
    let place = WorkFolder::with_market();
    let pipe = place.path("rows.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let setting = "data.path=rows.jsonl";
    let running = place.start(&["train", "tiny.toml", "--out", "run", "--set", setting]);
    std::thread::sleep(std::time::Duration::from_millis(300)); // whatever it does until then
    running.signal("INT");
    let (status, said) = running.end();
    assert!(!status.success(), "{said}");
    assert!(!place.path("run").exists());
}

/// A checkpoint holds the newest weights; the best ones are in the bundle alone.
#[test]
fn a_finished_run_without_its_bundle_is_an_error() {
    let place = WorkFolder::with_bundle();
    place.ok(&["train", "tiny.toml", "--resume"]);
    std::fs::remove_dir_all(place.path("runs/tiny/bundle")).unwrap();
    let error = place.fails(&["train", "tiny.toml", "--resume"]);
    for part in ["runs/tiny/bundle", "is gone", "put the folder back", "--out"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_folder_in_use_is_refused_and_a_dead_process_holds_none() {
    let place = WorkFolder::with_market();
    // The training never evaluates the dev rows, so that it leaves no checkpoint.
    let long =
        RECIPE.replace("steps = 20", "steps = 200000").replace("every = 5", "every = 100000");
    place.write("long.toml", long);
    let first = start_until(&place, "run", 1);
    let error = place.fails(&["train", "tiny.toml", "--out", "run"]);
    let holder = format!("process {}", first.id());
    assert!(error.contains(&holder), "{error}");
    // Another command may not write its bundle or ensemble into the folder or over its bundle either.
    place.ok(&["train", "tiny.toml", "--out", "done"]);
    for out in ["run", "run/bundle"] {
        let error = place.fails(&["ensemble", "done", "--out", out, "--overwrite"]);
        assert!(error.contains(&holder), "{out}: {error}");
    }
    first.kill();
    // A folder that the user made stays, even with a hidden name.
    std::fs::create_dir(place.path("run/.new-ideas")).unwrap();
    place.ok(&["train", "tiny.toml", "--out", "run"]);
    let names = place.names("run");
    assert!(names.contains(&".new-ideas".to_owned()), "{names:?}");
    assert!(!names.contains(&".sextant-lock".to_owned()), "{names:?}");
}
