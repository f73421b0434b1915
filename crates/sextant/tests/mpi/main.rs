//! Training in several processes, with a real `mpirun` on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};
use support::{RECIPE, Running, WorkFolder};

const FILES: [&str; 4] = [
    "bundle/model.safetensors",
    "bundle/tokenizer.json",
    "checkpoint/model.safetensors",
    "checkpoint/optimizer.safetensors",
];

/// `mpirun` with the program on so many ranks, of one thread each, however few cores there are.
fn mpirun(place: &WorkFolder, ranks: usize, args: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command
        .args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()])
        // Ranks that wait for each other for ever must not hold up the tests for ever.
        .args(["--timeout", "300"])
        .args(["-x", "RAYON_NUM_THREADS=1", "-x", "SEXTANT_HOME"])
        .arg(assert_cmd::cargo::cargo_bin("sextant"))
        .args(args)
        .current_dir(place.path("."))
        .env("SEXTANT_HOME", place.path("home"))
        // The tests may run as root in a container.
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
    command
}

/// Runs the program on so many ranks to its end; returns whether it succeeded, and what it said.
fn on_ranks(place: &WorkFolder, ranks: usize, args: &[&str]) -> (bool, String) {
    let output = mpirun(place, ranks, args).output().expect("mpirun (Debian: openmpi-bin)");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A work folder with `spread.toml`, whose steps have about six packs.
fn with_recipe() -> WorkFolder {
    let place = WorkFolder::with_market();
    let recipe = RECIPE.replace("rows = 16", "rows = 16\npack_tokens = 64");
    place.write("spread.toml", recipe);
    place
}

fn train<'a>(recipe: &'a str, out: &'a str, settings: &[&'a str]) -> Vec<&'a str> {
    let settings = settings.iter().flat_map(|&setting| ["--set", setting]);
    ["train", recipe, "--out", out].into_iter().chain(settings).collect()
}

fn same(place: &WorkFolder, one: &str, other: &str) {
    for file in FILES {
        let [one, other] =
            [one, other].map(|run| std::fs::read(place.path(run).join(file)).unwrap());
        assert!(one == other, "{file} differs");
    }
}

/// One process, two and three.
fn gives_the_same_bytes(settings: &[&str]) {
    let place = with_recipe();
    place.ok(&train("spread.toml", "one", settings));
    for ranks in [2, 3] {
        let out = format!("on-{ranks}");
        let (ended, said) = on_ranks(&place, ranks, &train("spread.toml", &out, settings));
        assert!(ended, "{said}");
        // Only rank 0 speaks.
        assert!(said.contains(&format!("by {ranks} processes")), "{said}");
        assert_eq!(said.matches("20 steps").count(), 1, "{said}");
        same(&place, "one", &out);
    }
}

#[test]
fn ranks_give_the_bytes_of_one_process() {
    gives_the_same_bytes(&[]);
}

#[test]
fn ranks_give_the_bytes_of_one_process_with_adapters() {
    gives_the_same_bytes(&[
        "model.lora={ rank = 2, dropout = 0.1, base = \"int8\" }",
        "model.routing.private=\"adapter\"",
    ]);
}

/// Saving asks ranks for moments that they alone have, so that some send nothing at all.
#[test]
fn ranks_give_the_bytes_of_one_process_with_a_sharded_optimizer() {
    gives_the_same_bytes(&["distributed.shard_optimizer=true"]);
}

#[test]
fn ranks_give_the_bytes_of_one_process_with_projected_gradients() {
    gives_the_same_bytes(&["task_weighting.kind=\"pcgrad\""]);
}

#[test]
fn a_ring_repeats_its_bytes() {
    let place = with_recipe();
    let ring = ["distributed.reduction=\"ring\""];
    for out in ["one", "two"] {
        let (ended, said) = on_ranks(&place, 3, &train("spread.toml", out, &ring));
        assert!(ended, "{said}");
    }
    same(&place, "one", "two");
}

/// Starts a training of many steps on so many ranks, or resumes it, and waits until its log has so many lines.
fn start_until(place: &WorkFolder, ranks: usize, out: &str, lines: usize) -> Running {
    let mut running =
        place.spawn(&mut mpirun(place, ranks, &["train", "long.toml", "--out", out, "--resume"]));
    let log = format!("{out}/log.jsonl");
    running.until("the training gets on", || place.lines(&log) >= lines);
    running
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    children.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// The processes among these that still run.
fn alive(processes: &[u32]) -> usize {
    let runs = |id: &&u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    processes.iter().filter(runs).count()
}

/// Whichever rank dies, the others end within seconds, and the run goes on with another number of ranks.
#[test]
fn a_killed_rank_ends_the_others_and_the_run_goes_on() {
    let place = with_recipe();
    let steps = 400;
    let long = place.read("spread.toml").replace("steps = 20", &format!("steps = {steps}"));
    place.write("long.toml", long);
    place.ok(&["train", "long.toml", "--out", "whole"]);
    for (ranks, victim, lines) in [(3, 1, 20), (2, 0, 120)] {
        let running = start_until(&place, ranks, "killed", lines);
        let processes = children(running.id());
        assert_eq!(processes.len(), ranks, "{}", running.said());
        let kill = format!("kill -KILL {}", processes[victim]);
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let killed = Instant::now();
        let (status, said) = running.end();
        assert!(!status.success(), "{said}");
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}: {said}", killed.elapsed());
        assert_eq!(alive(&processes), 0, "{said}");
    }
    let (ended, said) = on_ranks(&place, 3, &["train", "long.toml", "--out", "killed", "--resume"]);
    assert!(ended, "{said}");
    assert!(said.contains("the weights will be the same, bit for bit"), "{said}");
    same(&place, "whole", "killed");
}

/// `mpirun` passes a request to stop on to its processes, which save the step that they are at.
#[test]
fn asked_to_stop_ranks_save_their_step_and_one_process_goes_on() {
    let place = with_recipe();
    place.write("long.toml", place.read("spread.toml").replace("steps = 20", "steps = 400"));
    place.ok(&["train", "long.toml", "--out", "whole"]);
    let running = start_until(&place, 2, "stopped", 40);
    running.signal("TERM");
    let (status, said) = running.end();
    assert!(!status.success(), "{said}");
    let state: serde_json::Value =
        serde_json::from_str(&place.read("stopped/checkpoint/state.json")).unwrap();
    assert!(state["step"].as_u64().unwrap() > 30, "{said}");
    assert_eq!(state["ranks"], 2);
    place.ok(&["train", "long.toml", "--out", "stopped", "--resume"]);
    same(&place, "whole", "stopped");
}

/// What is wrong with the data is said once.
#[test]
fn an_error_is_said_once_and_ends_all() {
    let place = with_recipe();
    place.write("market/train.jsonl", "{\"task\": \"query-product\"}\n");
    let (ended, said) = on_ranks(&place, 3, &train("spread.toml", "run", &[]));
    assert!(!ended);
    assert!(said.contains("train.jsonl") && said.contains("error:"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(!place.path("run/checkpoint").exists());
}
