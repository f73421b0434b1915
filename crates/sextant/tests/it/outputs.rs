//! No command removes or overwrites a file that it did not make, unless `--overwrite` allows it; and
//! each output is written by one process at a time.

use crate::support::{self, WorkFolder};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BUNDLE: &str = "runs/tiny/bundle";

/// Runs a command that must fail with a message that `--overwrite` would allow it; returns that message.
fn refused(place: &WorkFolder, args: &[&str]) -> String {
    let error = place.fails(args);
    assert!(error.contains("is there already") && error.contains("--overwrite"), "{error}");
    error
}

/// Runs a command with `--overwrite`, which must succeed; returns what was said about the overwriting.
fn overwritten(place: &WorkFolder, args: &[&str]) -> String {
    let all = [args, &["--overwrite"]].concat();
    let output = place.command(&all).assert().success().get_output().stderr.clone();
    let said = String::from_utf8(output).unwrap();
    assert!(said.contains("overwrites"), "{said}");
    said
}

#[test]
fn a_file_that_is_there_is_refused_and_overwritten_on_demand() {
    let place = WorkFolder::with_bundle();
    let (data, test) = ("market", "market/test.jsonl");
    for args in [
        &["score", BUNDLE, test, "out.csv"][..],
        &["eval", BUNDLE, data, "--out", "out.csv"],
        &["data", "stats", data, "--out", "out.csv"],
        &["compare", "runs/tiny", "--data", data, "--out", "out.md"],
    ] {
        place.write("out.csv", "precious");
        let error = refused(&place, args);
        assert!(error.contains("out.csv") && error.contains("8 bytes"), "{error}");
        assert_eq!(place.read("out.csv"), "precious");
        overwritten(&place, args);
        assert_ne!(place.read("out.csv"), "precious");
        // A file that the same command made earlier is refused too: it may be the only copy.
        refused(&place, args);
        std::fs::remove_file(place.path("out.csv")).unwrap();
    }
    let hidden = place.names(".").into_iter().find(|name| name.starts_with('.'));
    assert_eq!(hidden, None);
}

#[test]
fn a_folder_that_is_used_is_refused_and_an_empty_one_is_filled() {
    let place = WorkFolder::with_bundle();
    place.ok(&["train", "tiny.toml", "--set", "model.lora={rank=2}", "--out", "lora"]);
    place.ok(&[
        "train",
        "tiny.toml",
        "--set",
        "model.pooling=\"cls\"",
        "--set",
        "model.dense=true",
        "--out",
        "cls",
    ]);
    place.ok(&["export", "cls/bundle", "--task", "query-type", "--out", "hf"]);
    let empty = |name: &str| std::fs::create_dir(place.path(name)).unwrap();
    let commands: [(&[&str], &str); 4] = [
        (&["export", BUNDLE, "--task", "query-type", "--format", "onnx"], "model.onnx"),
        (&["import", "hf"], "bundle.json"),
        (&["merge", "lora/bundle"], "bundle.json"),
        (&["ensemble", "runs/tiny", "cls"], "ensemble.json"),
    ];
    for (i, (args, head)) in commands.into_iter().enumerate() {
        let out = format!("out{i}");
        let all = [args, &["--out", &out]].concat();
        empty(&out);
        place.ok(&all);
        assert!(place.names(&out).contains(&head.to_owned()));
        place.write(&format!("{out}/notes.md"), "mine");
        refused(&place, &all);
        overwritten(&place, &all);
        assert_eq!(place.read(&format!("{out}/notes.md")), "mine", "{args:?}");
        // An ensemble only names its members, so that it does not replace them.
        if args[0] != "ensemble" {
            let onto_itself = [args, &["--out", args[1], "--overwrite"]].concat();
            let before = place.names(args[1]);
            let said = place.fails(&onto_itself);
            assert!(said.contains("would replace what it is made from"), "{said}");
            assert_eq!(place.names(args[1]), before, "{args:?}");
        }
        assert!(place.names(&out).contains(&head.to_owned()));
        assert!(!place.names(&out).iter().any(|name| name.starts_with(".sextant")), "{out}");
    }
    // The working folder itself as the output: it must stay the same folder, and not be replaced by
    // another.
    empty("here");
    let bundle = place.path(BUNDLE);
    let here = |more: &[&str]| {
        let mut command =
            place.command(&["export", bundle.to_str().unwrap(), "--task", "query-type"]);
        command.args(["--format", "onnx", "--out", "."]).args(more);
        command.current_dir(place.path("here")).assert()
    };
    let _open = std::fs::File::open(place.path("here")).unwrap();
    here(&[]).success();
    here(&["--overwrite"]).success();
    assert!(place.names("here").contains(&"model.onnx".to_owned()));
    // An ensemble and a bundle can be opened in the folders where they were written.
    place.ok(&["score", "out3", "market/test.jsonl", "scored.jsonl"]);
}

#[test]
fn a_run_begins_only_where_nothing_of_the_users_is_in_the_way() {
    let place = WorkFolder::with_market();
    for (name, text) in [("log.jsonl", "{\"note\":\"keep\"}"), ("summary.json", "{\"mine\":1}")] {
        let out = format!("proj-{name}");
        std::fs::create_dir(place.path(&out)).unwrap();
        let path = format!("{out}/{name}");
        place.write(&path, text);
        for args in [&[][..], &["--resume"]] {
            let error = refused(&place, &[&["train", "tiny.toml", "--out", &out], args].concat());
            assert!(error.contains(name), "{error}");
            assert_eq!((place.read(&path).as_str(), place.names(&out).len()), (text, 1));
        }
        overwritten(&place, &["train", "tiny.toml", "--out", &out]);
        assert!(place.path(&out).join("bundle/bundle.json").exists());
    }
    std::fs::create_dir_all(place.path("project/checkpoint")).unwrap();
    place.write("project/checkpoint/weights.bin", "precious");
    refused(&place, &["train", "tiny.toml", "--out", "project"]);
    overwritten(&place, &["train", "tiny.toml", "--out", "project"]);
    assert_eq!(place.read("project/checkpoint/weights.bin"), "precious");
}

#[test]
fn a_run_that_begins_again_keeps_what_is_not_its_own() {
    let place = WorkFolder::with_market();
    place.ok(&["train", "tiny.toml", "--out", "run"]);
    place.write("run/bundle/notes.md", "mine");
    place.write("run/notes.md", "mine");
    let before = place.read("run/summary.json");
    place.fails(&["train", "tiny.toml", "--out", "run"]);
    // A mistake in the recipe loses nothing of the old run.
    place.fails(&[
        "train",
        "tiny.toml",
        "--out",
        "run",
        "--overwrite",
        "--set",
        "optimizer.rate=1",
    ]);
    assert_eq!(place.read("run/summary.json"), before);
    place.ok(&["train", "tiny.toml", "--out", "run", "--overwrite", "--set", "seed=2"]);
    assert_ne!(place.read("run/summary.json"), before);
    assert_eq!(place.read("run/notes.md") + &place.read("run/bundle/notes.md"), "minemine");
    let started = place.read("run/log.jsonl").matches("started").count();
    assert_eq!(started, 1);
}

#[test]
fn a_lab_in_the_users_folder_keeps_recipe_and_report() {
    let place = WorkFolder::with_market();
    let grid = "[grid]\nseeds = [1]\nroutings = [{ prefix = true, heads = \"shared\" }]\n";
    let recipe = support::lab("small", 5, 5, grid);
    place.write("lab.toml", &recipe);
    place.write("report.md", "my report");
    place.ok(&["lab", "run", "lab.toml", "--out", "."]);
    assert_eq!(place.read("lab.toml"), recipe);
    refused(&place, &["lab", "report", "."]);
    assert_eq!(place.read("report.md"), "my report");
    // Nothing of the report is there, not even the files that were not in the way.
    assert!(!place.path("report.html").exists());
    overwritten(&place, &["lab", "report", "."]);
    // A report that the lab wrote is replaced by the next; one that was changed since belongs to the
    // user.
    place.ok(&["lab", "report", "."]);
    place.write("tables/scores.csv", "edited");
    refused(&place, &["lab", "report", "."]);
    // The folder holds a recipe of the user's that differs from the one that is asked for.
    let error = place.fails(&["lab", "run", "lab.toml", "--out", ".", "--set", "grid.seeds=[2]"]);
    assert!(error.contains("lab.toml") && error.contains("--overwrite"), "{error}");
    assert_eq!(place.read("lab.toml"), recipe);
}

#[test]
fn data_sets_replace_only_their_own_parts() {
    let place = WorkFolder::with_market();
    let market = ["data", "market", "mine", "--rows", "60"];
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/train.csv", "precious");
    refused(&place, &market);
    assert_eq!((place.read("mine/train.csv").as_str(), place.names("mine").len()), ("precious", 1));
    overwritten(&place, &market);
    assert!(!place.path("mine/train.csv").exists(), "two train parts would be read as one");
    place.ok(&market);
    place.write("mine/train.jsonl", place.read("mine/train.jsonl") + "\n");
    refused(&place, &market);
    refused(&place, &["data", "split", "market/train.jsonl", "mine"]);
    // Nothing remains of a data set that could not be made.
    place.fails(&["data", "split", "market/absent.jsonl", "new"]);
    assert!(!place.path("new").exists());
}

#[test]
fn a_demo_replaces_its_own_files_alone() {
    let place = WorkFolder::empty();
    let demo =
        ["demo", "--out", "mine", "--set", "schedule.steps=2", "--set", "data.train_rows=200"];
    std::fs::create_dir_all(place.path("mine/market")).unwrap();
    place.write("mine/notes.txt", "keep");
    place.write("mine/market/train.csv", "precious");
    refused(&place, &demo);
    assert_eq!(place.read("mine/market/train.csv"), "precious");
    std::fs::remove_file(place.path("mine/market/train.csv")).unwrap();
    place.ok(&demo);
    place.ok(&demo);
    assert_eq!(place.read("mine/notes.txt"), "keep");
    // A mistake in a setting is found before anything is removed.
    let report = place.read("mine/report.md");
    place.fails(&["demo", "--out", "mine", "--set", "optimizer.rate=1"]);
    assert_eq!(place.read("mine/report.md"), report);
    assert!(place.read("mine/report.html").contains("Sextant demo"));
    // A demo with other settings would have to replace the runs.
    let other = ["demo", "--out", "mine", "--set", "schedule.steps=3"];
    assert!(place.fails(&other).contains("holds a run of another recipe"));
    place.write("mine/report.md", "my own words");
    refused(&place, &demo);
}

/// Waits until a file is there.
fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(unix)]
fn one_output_is_written_by_one_process_at_a_time() {
    let place = WorkFolder::with_bundle();
    assert!(Command::new("mkfifo").arg(place.path("in.jsonl")).status().unwrap().success());
    let mut first = Command::new(assert_cmd::cargo::cargo_bin("sextant"))
        .args(["score", BUNDLE, "in.jsonl", "out.jsonl"])
        .current_dir(place.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The first process opens its output once the pipe has given it the first row, and then waits for
    // more rows.
    let mut pipe = std::fs::File::options().write(true).open(place.path("in.jsonl")).unwrap();
    std::io::Write::write_all(&mut pipe, place.read("market/test.jsonl").as_bytes()).unwrap();
    wait_for(&place.path(".sextant-out.jsonl.part"));
    let error = place.fails(&["score", BUNDLE, "market/test.jsonl", "out.jsonl"]);
    assert!(error.contains(&format!("process {} is writing it", first.id())), "{error}");
    // A process that dies leaves no lock, and the next process removes the file that it left.
    first.kill().unwrap(); // SIGKILL
    first.wait().unwrap();
    assert!(place.path(".sextant-out.jsonl.part").exists());
    place.ok(&["score", BUNDLE, "market/test.jsonl", "out.jsonl"]);
    let hidden = place.names(".").into_iter().find(|name| name.starts_with('.'));
    assert_eq!(hidden, None);
}

#[test]
fn a_folder_that_is_called_like_a_part_is_never_overwritten() {
    let place = WorkFolder::with_market();
    std::fs::create_dir_all(place.path("mine/train")).unwrap();
    place.write("mine/train/rows.csv", "precious");
    for args in [
        &["data", "market", "mine", "--overwrite"][..],
        &["data", "split", "market/train.jsonl", "mine", "--overwrite"],
    ] {
        let error = place.fails(args);
        assert!(error.contains("mine/train: there is a folder at this path"), "{error}");
        assert_eq!(place.read("mine/train/rows.csv"), "precious");
    }
}

#[test]
#[cfg(unix)]
fn a_link_says_what_it_would_overwrite() {
    let place = WorkFolder::with_bundle();
    place.write("elsewhere.jsonl", "precious");
    std::os::unix::fs::symlink("elsewhere.jsonl", place.path("out.jsonl")).unwrap();
    let args = ["score", BUNDLE, "market/test.jsonl", "out.jsonl"];
    assert!(refused(&place, &args).contains("out.jsonl"));
    let said = overwritten(&place, &args);
    assert!(said.contains("a link to") && said.contains("elsewhere.jsonl"), "{said}");
}

#[test]
fn an_output_is_no_part_of_its_input() {
    let place = WorkFolder::with_bundle();
    std::fs::create_dir(place.path("in")).unwrap();
    place.write("in/a.jsonl", place.read("market/test.jsonl"));
    for input in ["in", "in/*.jsonl"] {
        let error = place.fails(&["score", BUNDLE, input, "in/out.jsonl"]);
        assert!(error.contains("part of the input"), "{error}");
    }
    // A data set that is split into itself would replace what it was made from.
    let market = place.read("market/train.jsonl");
    for input in ["in", "market", "market/*.jsonl", "market/train.jsonl"] {
        let out = input.split('/').next().unwrap();
        let error = place.fails(&["data", "split", input, out]);
        assert!(error.contains("its own input"), "{input}: {error}");
    }
    assert_eq!(place.read("market/train.jsonl"), market);
    assert_eq!(place.names("in"), ["a.jsonl"]);
    place.ok(&["score", BUNDLE, "in/*.jsonl", "in/out.csv"]);
    place.ok(&["score", BUNDLE, "in/a.jsonl", "in/b.jsonl"]);
}

/// The state after a kill between two parts: some parts are those of the old data set, some those of the
/// new.
#[test]
fn parts_of_two_data_sets_are_not_read_as_one() {
    let place = WorkFolder::with_market();
    place.write("market/.sextant-unfinished", "");
    for args in [&["data", "check", "market"][..], &["train", "tiny.toml"]] {
        let error = place.fails(args);
        assert!(error.contains("did not come to its end"), "{error}");
    }
    place.ok(&["data", "market", "market", "--rows", "300"]);
    place.ok(&["data", "check", "market"]);
}

#[test]
fn a_run_goes_on_with_its_own_whole_bundle_only() {
    let place = WorkFolder::with_bundle();
    let resume = ["train", "tiny.toml", "--resume"];
    place.ok(&resume);
    let weights = "runs/tiny/bundle/model.safetensors";
    let whole = std::fs::read(place.path(weights)).unwrap();
    place.write(weights, &whole[..100]);
    let error = place.fails(&resume);
    assert!(error.contains("runs/tiny/bundle: is damaged"), "{error}");
    place.write(weights, &whole);
    place.ok(&resume);
    // The bundle is whole, but that of another run.
    place.ok(&["train", "tiny.toml", "--out", "other", "--set", "seed=2"]);
    std::fs::rename(place.path("runs/tiny/bundle"), place.path("aside")).unwrap();
    std::fs::rename(place.path("other/bundle"), place.path("runs/tiny/bundle")).unwrap();
    let error = place.fails(&resume);
    assert!(error.contains("is not the one that this run saved"), "{error}");
}

#[test]
fn a_run_without_a_checkpoint_is_not_gone_on_with() {
    let place = WorkFolder::with_bundle();
    let bundle = || std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap();
    let before = bundle();
    std::fs::remove_dir_all(place.path("runs/tiny/checkpoint")).unwrap();
    let error = place.fails(&["train", "tiny.toml", "--resume"]);
    assert!(error.contains("finished run whose checkpoint is gone"), "{error}");
    std::fs::remove_file(place.path("runs/tiny/summary.json")).unwrap();
    let error = place.fails(&["train", "tiny.toml", "--resume", "--set", "seed=9"]);
    assert!(error.contains("the bundle of another recipe"), "{error}");
    assert!(bundle() == before);
    // With the run's own recipe it begins again, as if it had been stopped before its first checkpoint,
    // and ends in the same weights.
    place.ok(&["train", "tiny.toml", "--resume"]);
    assert!(bundle() == before);
    // If the folder has no run at all, a message says so.
    let mut command = place.command(&["train", "tiny.toml", "--resume", "--out", "mistyped"]);
    let said = command.assert().success().get_output().stderr.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("mistyped: there is no checkpoint to go on from"), "{said}");
}

#[test]
fn a_run_that_fails_to_begin_again_leaves_the_old_bundle() {
    let place = WorkFolder::with_bundle();
    let bundle = || std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap();
    let before = bundle();
    place.fails(&["train", "tiny.toml", "--overwrite", "--set", "optimizer.learning_rate=1e30"]);
    assert!(bundle() == before);
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing() {
    let place = WorkFolder::with_bundle();
    let rows = place.read("market/train.jsonl").repeat(8);
    place.write("big.jsonl", rows);
    let program = assert_cmd::cargo::cargo_bin("sextant");
    let script =
        format!("ulimit -f 20; exec {} score {BUNDLE} big.jsonl out.jsonl", program.display());
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(place.path(".")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("out.jsonl"), "{error}");
    assert!(!place.names(".").iter().any(|name| name.contains("out.jsonl")));
}
