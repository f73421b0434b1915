//! Grids that several processes work on, and grids that are asked to stop.

use crate::lab::{ledger, results};
use crate::support::{self, Running, WorkFolder};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Two routings with two seeds, and a search of two rounds.
const GRID: &str = r#"[grid]
seeds = [1, 2]
routings = [{ prefix = true, heads = "shared" }, { prefix = false, heads = "per_task" }]

[search]
trials = 4
rounds = 2
eta = 2
keys = { "optimizer.learning_rate" = { log_uniform = [1e-4, 1e-2] } }
"#;

fn recipe() -> String {
    support::lab("shared", 60, 15, GRID)
}

/// Four runs of the grid, four trials of the first round and two of the second.
const RUNS: usize = 4 + 4 + 2;

const RUN: [&str; 5] = ["lab", "run", "lab.toml", "--out", "shared"];

fn place() -> WorkFolder {
    let place = WorkFolder::with_market();
    place.write("lab.toml", recipe());
    place
}

/// The results of the grid when one process runs it without a stop.
fn alone() -> &'static [String] {
    static ALONE: OnceLock<Vec<String>> = OnceLock::new();
    ALONE.get_or_init(|| {
        let place = place();
        place.ok(&RUN);
        results(&place, "shared")
    })
}

/// Every run is in the ledger once, with the results that one process alone gets.
fn is_as_alone(place: &WorkFolder) {
    let entries = ledger(place, "shared");
    let names: BTreeSet<&str> = entries.iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!((entries.len(), names.len()), (RUNS, RUNS), "{names:?}");
    assert_eq!(results(place, "shared"), alone());
    for name in names {
        let left = place.names(&format!("shared/runs/{name}"));
        assert!(!left.contains(&".sextant-lock".to_owned()), "{name}: {left:?}");
    }
}

fn ends_well(running: Running) -> String {
    let (status, said) = running.end();
    assert!(status.success(), "{said}");
    assert!(said.contains("shared: every run is finished"), "{said}");
    said
}

/// How many runs a process began.
fn begun(said: &str) -> usize {
    said.lines().filter(|line| line.contains(" begins")).count()
}

#[test]
fn two_processes_share_a_grid_and_train_no_run_twice() {
    let place = place();
    let mut first = place.start(&RUN);
    first.until("the first begins a run", || {
        place.lines("shared/runs/tiny-prefix-s1/log.jsonl") > 0
    });
    let (first_id, second) = (first.id(), place.start(&RUN));
    let said = [ends_well(first), ends_well(second)];
    is_as_alone(&place);
    assert_eq!(begun(&said[0]) + begun(&said[1]), RUNS, "{said:?}");
    assert!(said.iter().all(|said| begun(said) > 0), "{said:?}");
    // The second process came while the first was training.
    assert!(said[1].contains(&format!(" is trained by process {first_id}")), "{}", said[1]);
    assert!(said[1].contains(" was finished by another process"), "{}", said[1]);
}

/// The processes also settle which of them makes the folder and keeps the recipe.
#[test]
fn processes_that_are_started_at_once_share_a_grid() {
    let place = place();
    let said = [(); 3].map(|()| place.start(&RUN)).map(ends_well);
    is_as_alone(&place);
    assert_eq!(said.iter().map(|said| begun(said)).sum::<usize>(), RUNS, "{said:?}");
}

#[test]
fn what_a_dead_process_leaves_is_taken_over() {
    let place = place();
    let mut first = place.start(&RUN);
    first.until("the first finishes a run", || place.lines("shared/ledger.jsonl") > 0);
    let mut second = place.start(&RUN);
    // The second process says so only of a run that it would have begun itself.
    second.until_said(&format!(" is trained by process {}", first.id()));
    first.kill();
    let said = ends_well(second);
    is_as_alone(&place);
    assert!(begun(&said) > 0, "{said}");
}

#[test]
fn the_status_says_who_trains_what() {
    let place = place();
    // The runs are so long that they are still being trained when the status is asked for.
    let long = recipe().replace("steps = 60", "steps = 200000");
    place.write("lab.toml", long);
    let mut running = place.start(&RUN);
    let log = "shared/runs/tiny-prefix-s1/log.jsonl";
    // Waits until the first evaluation of the dev set is over, so that there is a checkpoint.
    running.until("a run gets on", || place.lines(log) > 20);
    let said = place.ok(&["lab", "status", "shared"]);
    let expected = format!("running   tiny-prefix-s1  by process {}", running.id());
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("waiting   tiny-multi-head-s1\n"), "{said}");
    let said = place.ok(&["lab", "status", "shared", "--json"]);
    assert!(said.contains(&format!("\"holder\": \"process {}\"", running.id())), "{said}");
    running.kill();
    let said = place.ok(&["lab", "status", "shared"]);
    assert!(said.contains("begun     tiny-prefix-s1") && !said.contains("running"), "{said}");
}

#[test]
#[cfg(unix)]
fn a_grid_that_is_asked_to_stop_goes_on_where_it_was() {
    let place = place();
    let mut lines = 0;
    for signal in ["TERM", "INT", "TERM"] {
        let mut running = place.start(&RUN);
        // Each time the stop comes in the middle of another run.
        running.until("the grid gets on", || {
            let runs = place.names("shared/runs");
            let logs = runs.iter().map(|run| format!("shared/runs/{run}/log.jsonl"));
            logs.map(|log| place.lines(&log)).sum::<usize>() > lines + 90
        });
        running.signal(signal);
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(130), "{signal}: {said}");
        assert!(said.contains("shared: stopped, as asked, "), "{signal}: {said}");
        assert!(said.contains("run the same command again to go on"), "{signal}: {said}");
        lines += 90;
    }
    assert!(ledger(&place, "shared").len() < RUNS);
    ends_well(place.start(&RUN));
    is_as_alone(&place);
}
