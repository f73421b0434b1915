//! Distillation: a small model learns from a larger one, from a file, and from pairs without grades.

use crate::support::{WorkFolder, pairs_of_their_own};
use serde_json::Value;

const SMALL: [&str; 4] =
    ["--set", "model.backbone.layers=1", "--set", "model.routing.private_layers=0"];

fn weights(place: &WorkFolder, run: &str) -> String {
    let manifest: Value =
        serde_json::from_str(&place.read(&format!("{run}/bundle/bundle.json"))).unwrap();
    manifest["files"]["model.safetensors"].as_str().unwrap().to_owned()
}

#[test]
fn models_learn_from_models_files_and_pairs_without_grades() {
    let place = WorkFolder::with_bundle();
    let train = |out: &str, settings: &[&str]| {
        let mut args = [&["train", "tiny.toml", "--out", out][..], &SMALL].concat();
        for setting in settings {
            args.extend(["--set", setting]);
        }
        place.ok(&args);
        weights(&place, out)
    };
    let teacher = "teacher={sources=[\"runs/tiny\"]}";
    let plain = train("runs/plain", &[]);
    let taught = train("runs/taught", &[teacher]);
    assert_ne!(plain, taught);
    // The answers are kept by the teacher's hash, and a run that finds them is the same run.
    let kept = place.names("home/teachers");
    assert!(kept.len() == 1 && kept[0].ends_with(".answers"), "{kept:?}");
    assert_eq!(train("runs/again", &[teacher]), taught);
    // With no share, a teacher changes nothing.
    let idle = "teacher={sources=[\"runs/tiny\"], share=0.0}";
    assert_eq!(train("runs/idle", &[idle]), plain);

    // A file with the same answers teaches the same, up to the decimals of its numbers; here with pairs that
    // have no grade besides.
    place.ok(&["score", "runs/tiny/bundle", "market/train.jsonl", "said.jsonl"]);
    let from_file = "teacher={sources=[\"said.jsonl\"]}";
    assert_eq!(train("runs/file", &[from_file]), taught);
    let ungraded: Vec<String> = pairs_of_their_own(&place.read("market/test.jsonl"))
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("grade");
            row.to_string()
        })
        .collect();
    place.write("more.jsonl", ungraded.join("\n") + "\n");
    let more = "teacher={sources=[\"runs/tiny\", \"said.jsonl\"], unlabelled=\"more.jsonl\", loss=\"mse\"}";
    assert_ne!(train("runs/more", &[more]), taught);
    let summary: Value = serde_json::from_str(&place.read("runs/more/summary.json")).unwrap();
    let rows = place.lines("market/train.jsonl") + ungraded.len();
    assert_eq!(summary["train_rows"], rows);
    // The data set itself: its dev and test rows are left out, and said.
    let all = "teacher={sources=[\"runs/tiny\"], unlabelled=\"market\"}";
    let args = ["train", "tiny.toml", "--set", all, "--out", "runs/all"];
    let said = place.command(&args).assert().success().get_output().stderr.clone();
    let held_out = place.lines("market/dev.jsonl") + place.lines("market/test.jsonl");
    let expected = format!("market: {held_out} of its pairs are dev or test rows");
    assert!(
        String::from_utf8_lossy(&said).contains(&expected),
        "{}",
        String::from_utf8_lossy(&said)
    );
    let summary: Value = serde_json::from_str(&place.read("runs/all/summary.json")).unwrap();
    assert_eq!(summary["train_rows"], 2 * place.lines("market/train.jsonl"));

    let mut lines: Vec<String> = place.read("said.jsonl").lines().map(str::to_owned).collect();
    lines[1] = lines[1].replace("\"probs\":[", "\"probs\":[7,");
    place.write("damaged.jsonl", lines.join("\n"));
    let twice = place.read("said.jsonl").lines().next().unwrap().to_owned();
    let mut other: Value = serde_json::from_str(&twice).unwrap();
    other["probs"] = serde_json::json!([0.25, 0.25, 0.5]);
    place.write("twice.jsonl", format!("{twice}\n{twice}\n{other}\n"));
    place.ok(&["score", "runs/tiny", "market/train.jsonl", "said.parquet"]);
    for (setting, expected) in [
        ("teacher={sources=[]}", "at least one teacher"),
        ("teacher={sources=[\"runs/tiny\"], share=1.5}", "teacher.share = 1.5"),
        ("teacher={sources=[\"runs/tiny\"], weights=[1.0, 2.0]}", "teacher.weights"),
        ("teacher={sources=[\"runs/tiny\"], temperature=0.0}", "temperature"),
        ("teacher={sources=[\"market\"]}", "neither a run"),
        ("teacher={sources=[\"damaged.jsonl\"]}", "line 2"),
        (
            "teacher={sources=[\"twice.jsonl\"]}",
            "line 3: the pair has other `probs` in a line before",
        ),
        ("teacher={sources=[\"said.parquet\"]}", "a teacher's file is JSONL with task"),
        ("teacher={sources=[\"more.jsonl\"]}", "missing field `probs`"),
        (
            "teacher={sources=[\"said.jsonl\"], unlabelled=\"more.jsonl\"}",
            "no teacher answers pair 1",
        ),
        ("teacher={source=\"runs/tiny\"}", "source"),
    ] {
        let error = place.fails(&["train", "tiny.toml", "--set", setting, "--out", "runs/wrong"]);
        assert!(error.contains(expected), "{setting}: {error}");
    }
    let ordinal = ["--set", "loss.kind=ordinal", "--set", teacher];
    let error =
        place.fails(&[&["train", "tiny.toml", "--out", "runs/wrong"][..], &ordinal].concat());
    assert!(error.contains("softmax head"), "{error}");
}

#[test]
fn layers_are_learned_where_they_fit_and_refused_where_not() {
    let place = WorkFolder::with_bundle();
    // A wider and deeper teacher with the same vocabulary, and one that fits in nothing.
    let wide = "model.backbone={ vocab_size = 400, hidden_size = 24, layers = 4, attention_heads = 2, intermediate_size = 32 }";
    place.ok(&["train", "tiny.toml", "--out", "runs/wide", "--set", wide]);
    let other = "model.backbone={ vocab_size = 300, hidden_size = 24, layers = 4, attention_heads = 3, intermediate_size = 32 }";
    let prefix = "model.routing={ prefix = true, heads = \"shared\" }";
    let prefix = ["--set", prefix, "--set", "text.max_tokens=64"];
    let settings = ["train", "tiny.toml", "--out", "runs/other", "--set", other];
    place.ok(&[&settings[..], &prefix].concat());
    let one_task = ["--set", "tasks=[\"query-type\"]", "--set", wide];
    place.ok(&[&["train", "tiny.toml", "--out", "runs/one"][..], &one_task].concat());

    let student = |out: &str, setting: &str| {
        place.ok(&["train", "tiny.toml", "--out", out, "--set", setting]);
        weights(&place, out)
    };
    let answers = "teacher={ sources = [\"runs/wide\"] }";
    let layers = "teacher={ sources = [\"runs/wide\"], layers = {} }";
    let (answers, learned) = (student("runs/answers", answers), student("runs/layers", layers));
    assert_ne!(answers, learned);
    assert_eq!(student("runs/again", layers), learned);
    let last =
        "teacher={ sources = [\"runs/wide\"], layers = { map = \"last\", attention = 0.0 } }";
    assert_ne!(student("runs/last", last), learned);
    // A bundle says nothing of the matrix: it is a bundle like any other.
    place.ok(&["eval", "runs/layers/bundle", "market"]);

    for (setting, expected) in [
        ("sources = [\"runs/other\"], layers = {}", "3 attention heads and the student 2"),
        ("sources = [\"runs/other\"], layers = { attention = 0.0 }", "reads other texts"),
        ("sources = [\"runs/one\"], layers = {}", "has no task"),
        ("sources = [\"runs/wide\", \"runs/one\"], layers = {}", "name the run or bundle"),
        (
            "sources = [\"runs/wide\"], layers = { model = \"market\" }",
            "neither a run nor a bundle",
        ),
        ("sources = [\"runs/wide\"], layers = { hidden = -1.0 }", "`hidden` -1"),
        ("sources = [\"runs/wide\"], layers = { map = \"first\" }", "unknown variant `first`"),
    ] {
        let setting = format!("teacher={{ {setting} }}");
        let error = place.fails(&["train", "tiny.toml", "--set", &setting, "--out", "runs/wrong"]);
        assert!(error.contains(expected), "{setting}: {error}");
    }
    let deep = "model.backbone.layers=6";
    let settings = ["train", "tiny.toml", "--set", layers, "--set", deep, "--out", "runs/wrong"];
    let error = place.fails(&settings);
    assert!(error.contains("the teacher has 4 layers and the student 6"), "{error}");
    let small = ["--set", "model.backbone.vocab_size=300"];
    let error = place.fails(&[&settings[..4], &small, &["--out", "runs/wrong"]].concat());
    assert!(error.contains("another vocabulary") && error.contains("token"), "{error}");
    let again = ["--set", "model.gradient_checkpointing=true", "--out", "runs/wrong"];
    let error = place.fails(&[&settings[..4], &again].concat());
    assert!(error.contains("model.gradient_checkpointing = false"), "{error}");
}
