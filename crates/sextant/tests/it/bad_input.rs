//! What goes wrong is said with its place and its fix, and leaves nothing half-written.

use crate::support::{RECIPE, WorkFolder};

/// The message of a failing run, from `error:` on.
fn message(place: &WorkFolder, args: &[&str]) -> String {
    let error = place.fails(args);
    let start = error.find("error:").unwrap_or_else(|| panic!("no message in: {error}"));
    error[start..].trim_end().to_owned()
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` in: {text}");
    }
}

#[test]
fn recipes_with_mistakes() {
    let place = WorkFolder::with_market();
    let cases: &[(&str, &str, &[&str])] = &[
        ("[optimizer]", "[optimizer]\nlearnign_rate = 1", &["bad.toml", "learnign_rate"]),
        ("learning_rate = 2e-3", "learning_rate = \"fast\"", &["bad.toml", "learning_rate"]),
        ("learning_rate = 2e-3", "learning_rate = -1.0", &["optimizer.learning_rate", "-1"]),
        ("rows = 16", "rows = 0", &["batch.rows"]),
        ("max_tokens = 32", "max_tokens = 3", &["max_tokens", "3"]),
        ("heads = \"per_task\"", "heads = \"shared\"", &["private_layers", "per_task"]),
        ("private_layers = 1", "private_layers = 9", &["private_layers", "9"]),
        ("attention_heads = 2", "attention_heads = 3", &["attention_heads", "hidden_size"]),
        ("path = \"market\"", "path = \"nowhere\"", &["nowhere"]),
        (
            "name = \"tiny\"",
            "name = \"tiny\"\ntasks = [\"query-brand\"]",
            &["query-brand", "query-type"],
        ),
        ("precision = \"f32\"", "precision = \"fp8\"", &["fp8", "bf16", "auto"]),
        ("name = \"tiny\"", "name = ", &["bad.toml", "line 2"]),
        ("every = 5", "every = 5\npatience = 0", &["dev.patience", "at least 1"]),
        ("vocab_size = 400", "vocab_size = 9223372036854775807", &["model.backbone.vocab_size"]),
        ("vocab_size = 400", "vocab_sise = 400", &["vocab_sise", "hidden_size"]),
        ("max_tokens = 32", "max_tokens = 9223372036854775807", &["text.max_tokens"]),
        (
            "dense = false",
            "dense = false\nfreeze = [\"embeddings\", \"trunk\", \"branches\"]",
            &["model.freeze", "nothing to train"],
        ),
        ("dense = false", "dense = false\nlora = { rank = 0 }", &["lora.rank", "at least 1"]),
        ("dense = false", "dense = false\nlora = { ranks = 2 }", &["bad.toml", "ranks"]),
        ("dense = false", "dense = false\nlora = { base = \"int3\" }", &["int3", "int4"]),
        (
            "dense = false",
            "dense = false\nlora = { target_modules = [\"q_proj\"] }",
            &["target_modules", "`q_proj`", "query"],
        ),
        ("private_layers = 1", "private_layers = 1, private = \"adapter\"", &["adapter", "lora"]),
    ];
    for (old, new, parts) in cases {
        assert!(RECIPE.contains(old), "{old}");
        place.write("bad.toml", RECIPE.replacen(old, new, 1));
        contains_all(&message(&place, &["train", "bad.toml"]), parts);
        assert!(place.names("runs").is_empty(), "{new}: something was written");
    }
    contains_all(&message(&place, &["train", "absent.toml"]), &["absent.toml"]);
    let error = message(&place, &["train", "tiny.toml", "--set", "optimizer.rate=1"]);
    contains_all(&error, &["rate", "--set"]);
    // Every mistake at once, each with its key.
    let error = message(
        &place,
        &[
            "train",
            "tiny.toml",
            "--set",
            "batch.rows=0",
            "--set",
            "schedule.warmup=2.0",
            "--set",
            "loss.label_smoothing=1.5",
        ],
    );
    contains_all(&error, &["batch.rows", "schedule.warmup", "label_smoothing"]);
}

#[test]
fn backbones_that_are_not_there_or_not_whole() {
    let place = WorkFolder::with_market();
    let train = |name: &str| {
        let set = format!("model.backbone=\"{name}\"");
        message(&place, &["train", "tiny.toml", "--set", &set])
    };
    contains_all(&train("minilm"), &["model.backbone", "sextant get minilm"]);
    contains_all(&train("no-such-model"), &["no-such-model", "config.json", "minilm"]);

    std::fs::create_dir(place.path("backbone")).unwrap();
    contains_all(&train("backbone"), &["config.json"]);
    place.write("backbone/config.json", r#"{"model_type": "mamba"}"#);
    contains_all(&train("backbone"), &["config.json", "mamba", "bert"]);
    contains_all(&message(&place, &["get", "no-such-model"]), &["no-such-model", "minilm"]);
}

#[test]
fn rows_with_mistakes_stop_training_and_name_their_line() {
    let place = WorkFolder::with_market();
    let good = place.read("market/train.jsonl");
    let second = good.lines().nth(1).unwrap().to_owned();
    let cases: &[(&str, &[&str])] = &[
        (r#"{"task": "query-type", "left": "x", "right": "y"}"#, &["grade"]),
        (r#"{"task": "query-brand", "left": "x", "right": "y", "grade": 1}"#, &["query-brand"]),
        (r#"{"task": "query-type", "left": " ", "right": "y", "grade": 1}"#, &["left", "empty"]),
        (r#"{"task": "query-type", "left": "x", "right": "y", "grade": 3}"#, &["grade", "3"]),
        (r#"{"task": "query-type", "left": "x""#, &["JSON"]),
    ];
    for (line, parts) in cases {
        place.write("market/train.jsonl", good.replacen(&second, line, 1));
        let error = message(&place, &["train", "tiny.toml"]);
        contains_all(&error, &["train.jsonl line 2"]);
        contains_all(&error, parts);
        assert!(place.names("runs").is_empty());
    }
    let mut bytes = good.clone().into_bytes();
    bytes[40] = 0xff;
    place.write("market/train.jsonl", bytes);
    contains_all(&message(&place, &["train", "tiny.toml"]), &["train.jsonl line 1", "UTF-8"]);
    // The recipe has a task without rows.
    let others: String =
        good.split_inclusive('\n').filter(|line| !line.contains("type-type")).collect();
    place.write("market/train.jsonl", others);
    contains_all(&message(&place, &["train", "tiny.toml"]), &["no train rows of task `type-type`"]);
}

#[test]
fn scoring_stops_at_a_bad_row_or_reports_it_and_goes_on() {
    let place = WorkFolder::with_bundle();
    let input = concat!(
        "task,left,right\n",
        "query-type,red sofa,Sofas\n",
        "query-type,,Sofas\n",
        "query-brand,red sofa,Acme\n",
        "type-type,Sofas,Lamps\n",
    );
    place.write("in.csv", input);
    let score = |extra: &[&'static str]| {
        [&["score", "runs/tiny/bundle", "in.csv", "out.csv"], extra].concat()
    };
    contains_all(&message(&place, &score(&[])), &["in.csv line 3", "left"]);
    assert!(!place.path("out.csv").exists());
    let output = place.command(&score(&["--skip-bad"])).assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    contains_all(&said, &["skipped: in.csv line 3", "skipped: in.csv line 4", "query-brand"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("2 rows scored, 2 skipped"));
    assert_eq!(place.read("out.csv").lines().count(), 3);
    std::fs::remove_file(place.path("out.csv")).unwrap();
    place.write(
        "twice.jsonl",
        r#"{"task": "query-type", "left": "a", "right": "b", "x": 1, "x": 2}"#,
    );
    let error = message(&place, &["score", "runs/tiny/bundle", "twice.jsonl", "out.csv"]);
    contains_all(&error, &["twice.jsonl line 1", "the key `x` stands in the object twice"]);

    place.write("in.csv", "left,right\nred sofa,Sofas\n");
    contains_all(&message(&place, &score(&[])), &["in.csv", "`task`"]);
    place.ok(&score(&["--task", "query-type"]));
    place.write("in.txt", input);
    let error = message(&place, &["score", "runs/tiny/bundle", "in.txt", "other.csv"]);
    contains_all(&error, &["in.txt", ".csv"]);
    let leftovers: Vec<_> =
        place.names(".").into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[test]
fn bundles_that_are_damaged_or_newer() {
    let place = WorkFolder::with_bundle();
    let eval = |place: &WorkFolder| message(place, &["eval", "runs/tiny/bundle", "market"]);
    let weights = place.path("runs/tiny/bundle/model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 3]).unwrap();
    contains_all(&eval(&place), &["model.safetensors", "copy the bundle again"]);
    std::fs::write(&weights, bytes).unwrap();
    let manifest = place.read("runs/tiny/bundle/bundle.json");
    place.write(
        "runs/tiny/bundle/bundle.json",
        manifest.replacen("\"format_version\": 1", "\"format_version\": 99", 1),
    );
    contains_all(&eval(&place), &["bundle.json", "format version 99"]);
    contains_all(&message(&place, &["eval", "market", "market"]), &["market", "not a bundle"]);
    // The manifest asks for rows that are longer than the model's table of positions.
    place.write(
        "runs/tiny/bundle/bundle.json",
        manifest.replacen("\"max_tokens\": 32", "\"max_tokens\": 512", 1),
    );
    contains_all(&eval(&place), &["bundle.json", "max_tokens", "512", "32"]);
}

#[test]
fn a_used_run_folder_is_not_overwritten() {
    let place = WorkFolder::with_bundle();
    let before = std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap();
    contains_all(&message(&place, &["train", "tiny.toml"]), &["runs/tiny", "--resume", "--out"]);
    let error = message(&place, &["train", "tiny.toml", "--resume", "--set", "seed=9"]);
    contains_all(&error, &["another recipe", "--out"]);
    assert!(before == std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap());
}

/// A limit on the size of files stands for a full disk: writes fail half-way.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_leaves_nothing_half_written() {
    let place = WorkFolder::with_bundle();
    let limited = |blocks: u32, args: &str| {
        let program = assert_cmd::cargo::cargo_bin("sextant");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {} {args}", program.display());
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.path("."))
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.status.code().is_some(), "{error}");
        assert!(!error.contains("panicked"), "{error}");
        error
    };
    let before = std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap();
    contains_all(&limited(1, "train tiny.toml --out full"), &["error:", "full"]);
    assert!(!place.path("full/bundle").exists() && !place.path("full/checkpoint").exists());
    contains_all(&limited(1, "score runs/tiny/bundle market/test.jsonl out.jsonl"), &["out.jsonl"]);
    assert!(!place.path("out.jsonl").exists());
    contains_all(
        &limited(1, "score runs/tiny/bundle market/test.jsonl out.parquet"),
        &["out.parquet"],
    );
    assert!(!place.path("out.parquet").exists());
    contains_all(&limited(1, "data market new --rows 300"), &["new"]);
    assert!(before == std::fs::read(place.path("runs/tiny/bundle/model.safetensors")).unwrap());
    let hidden = |folder| {
        let names = place.names(folder).into_iter();
        // The list of the program's own files may be there before anything else is.
        names.filter(|name| name.starts_with('.') && name != ".sextant-files").count()
    };
    assert_eq!((hidden("."), hidden("full"), hidden("new")), (0, 0, 0));
}

#[test]
fn adapters_that_cannot_be_used() {
    let place = WorkFolder::with_bundle();
    let goldens = concat!(env!("CARGO_MANIFEST_DIR"), "/../sextant-model/tests/goldens");
    let adapter = format!("{goldens}/peft/all_linear");
    let import =
        |args: &[&str]| message(&place, &[&["import", &adapter, "--out", "out"], args].concat());
    contains_all(&import(&[]), &["the adapter's base", "`llama`", "--base"]);
    let bert = format!("{goldens}/families/bert");
    contains_all(&import(&["--base", &bert]), &["adapter for `llama`", "base_model_name_or_path"]);
    let error = message(&place, &["import", &bert, "--base", &bert, "--out", "out"]);
    contains_all(&error, &["--base goes with an adapter"]);
    let export = |args: &[&str]| {
        let bundle = "runs/tiny/bundle";
        let all = ["export", bundle, "--task", "query-type", "--out", "out", "--format"];
        message(&place, &[&all, args].concat())
    };
    contains_all(&export(&["hf", "--base", "x"]), &["--base goes with `--format peft`"]);
    contains_all(&export(&["peft", "--base", "x"]), &["not by LoRA", "--format hf"]);
    contains_all(&export(&["peft"]), &["--base NAME_OR_FOLDER"]);
    let error = message(&place, &["merge", "runs/tiny/bundle", "--out", "out"]);
    contains_all(&error, &["no adapters"]);
    assert!(!place.path("out").exists());
}

#[test]
fn what_eval_writes_does_not_replace_the_rows_that_it_reads() {
    let place = WorkFolder::with_bundle();
    let rows = place.read("market/test.jsonl");
    for (data, option) in [
        ("market/test.jsonl", "--predictions"),
        ("market", "--predictions"),
        ("market/test.jsonl", "--out"),
        ("market", "--errors"),
    ] {
        let args = ["eval", "runs/tiny/bundle", data, "--overwrite", option, "market/test.jsonl"];
        let said = place.fails(&args);
        assert!(said.contains("would replace what it is made from"), "{args:?}: {said}");
        assert_eq!(place.read("market/test.jsonl"), rows);
    }
}
