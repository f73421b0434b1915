//! Every command that predicts names the row at which a model fails by its file and line.

use crate::support::WorkFolder;

const BUNDLE: &str = "runs/tiny/bundle";
/// If this tensor overflows, the model's answers to pairs of this task are not numbers.
const TENSOR: &str = "branches.query-type.layers.0.output_norm.gamma";

/// Commands that predict the test rows of `market`, and one that predicts the dev rows.
const COMMANDS: [(&[&str], &str); 4] = [
    (&["eval", BUNDLE, "market"], "test"),
    (&["compare", "runs/tiny", "--data", "market"], "test"),
    (&["consistency", "runs/tiny", "--data", "market", "--triples", "100000"], "test"),
    (&["ensemble", BUNDLE, "--rule", "weighted", "--data", "market", "--out", "vote"], "dev"),
];

/// The line, from 1, of the first row of a task.
fn line_of(place: &WorkFolder, file: &str, task: &str) -> usize {
    let text = place.read(file);
    let found = text.lines().position(|line| line.contains(&format!("\"task\":\"{task}\"")));
    found.unwrap_or_else(|| panic!("{file} has no row of {task}")) + 1
}

#[test]
fn a_row_without_a_number_for_an_answer_is_named() {
    let place = WorkFolder::with_bundle();
    place.overflow(BUNDLE, TENSOR);
    for (args, split) in COMMANDS {
        let file = format!("market/{split}.jsonl");
        // A blank line is no row, but it is a line.
        place.write(&file, format!("\n{}", place.read(&file)));
        let error = place.fails(args);
        let line = line_of(&place, &file, "query-type");
        // Triples order their pairs in their own way, so that another row may fail first.
        let all = args[0] == "consistency";
        let place = if all { format!("{file} line ") } else { format!("{file} line {line} (") };
        assert!(error.contains(&place) && error.contains("no number"), "{args:?}: {error}");
    }
}

#[test]
fn a_row_without_a_token_is_named() {
    let place = WorkFolder::with_bundle();
    for (args, split) in COMMANDS {
        let file = format!("market/{split}.jsonl");
        let good = place.read(&file);
        // For triples, the row must share an entity with another row, so its right side is replaced.
        let line = line_of(&place, &file, "query-type");
        let row = good.lines().nth(line - 1).unwrap();
        let mut bad: serde_json::Value = serde_json::from_str(row).unwrap();
        bad["right"] = "\u{200b}".into();
        let mut rows = good.replacen(row, &bad.to_string(), 1);
        if args[0] == "consistency" {
            // Two rows that share the query make a triple with their product and type.
            rows = format!(
                "{}\n{}\n",
                r#"{"task":"query-product","left":"red sofa","right":"Sofa, red","grade":2}"#,
                r#"{"task":"query-type","left":"red sofa","right":"\u200b","grade":2}"#,
            );
        }
        place.write(&file, &rows);
        let error = place.fails(args);
        let line = if args[0] == "consistency" { 2 } else { line };
        let expected = format!("{file} line {line} (");
        assert!(error.contains(&expected), "{args:?}: {error}");
        assert!(error.contains("the right text of"), "{args:?}: {error}");
        place.write(&file, good);
    }
}

/// The third pair of a triple may be in no row. The error then names the rows of its entities.
#[test]
fn a_pair_that_is_no_row_is_named_by_the_rows_of_its_entities() {
    let place = WorkFolder::with_bundle();
    place.overflow(BUNDLE, TENSOR);
    place.write(
        "rows.csv",
        "task,left,right,grade,split\n\
         query-product,red sofa,\"Sofa, red\",2,test\n\
         product-type,\"Sofa, red\",Sofas,2,test\n",
    );
    let error = place.fails(&["consistency", "runs/tiny", "--data", "rows.csv"]);
    assert!(error.contains("an entity of rows.csv line 2 with one of rows.csv line 3"), "{error}");
}

#[test]
fn files_of_rows_are_named_whatever_their_format() {
    let place = WorkFolder::with_bundle();
    place.overflow(BUNDLE, TENSOR);
    let rows = "task,left,right,grade\n\
                type-type,Sofas,Lamps,0\n\
                query-product,\"a\nb\",Lamp,0\n\
                query-type,sofa,Sofas,2\n";
    place.write("rows.csv", rows);
    let error = place.fails(&["eval", BUNDLE, "rows.csv"]);
    assert!(error.contains("rows.csv line 5 (") && error.contains("no number"), "{error}");
    // Rows of other splits than the one that is asked for are not predicted.
    place.ok(&["data", "split", "market/train.jsonl", "tables", "--format", "parquet"]);
    let error = place.fails(&["eval", BUNDLE, "tables"]);
    assert!(error.contains("tables/test.parquet row "), "{error}");
}

/// Rows without a split beside rows with one would be left out of every split.
#[test]
fn a_row_without_a_split_is_named_by_eval() {
    let place = WorkFolder::with_bundle();
    place.write(
        "rows.csv",
        "task,left,right,grade,split\nquery-product,a,b,1,test\nquery-product,c,d,2,\n",
    );
    let error = place.fails(&["eval", BUNDLE, "rows.csv"]);
    assert!(error.contains("rows.csv line 3: the row says no split"), "{error}");
    place.write("rows.csv", "task,left,right,grade,split\nquery-product,a,b,1,dev\n");
    let error = place.fails(&["eval", BUNDLE, "rows.csv"]);
    assert!(error.contains("rows.csv: there are no test rows"), "{error}");
}

/// The lab predicts test and dev rows when a run is trained.
#[test]
fn the_lab_names_rows_too() {
    let place = WorkFolder::with_market();
    let recipe = "name = \"small\"\n[grid]\nseeds = [1]\nroutings = [{ prefix = false, heads = \"per_task\", private_layers = 1 }]\n\
                  [[grid.backbones]]\nlabel = \"tiny\"\n\
                  backbone = { vocab_size = 400, hidden_size = 16, layers = 2, attention_heads = 2, intermediate_size = 32 }\n\
                  [base.data]\npath = \"market\"\n[base.model]\npooling = \"mean\"\ndense = false\n\
                  [base.text]\nmax_tokens = 32\n[base.schedule]\nsteps = 5\n[base.batch]\nrows = 16\n[base.dev]\nevery = 5\n";
    place.write("lab.toml", recipe);
    let good = place.read("market/test.jsonl");
    let line = line_of(&place, "market/test.jsonl", "query-type");
    let row = good.lines().nth(line - 1).unwrap();
    let mut bad: serde_json::Value = serde_json::from_str(row).unwrap();
    bad["left"] = "\u{200b}".into();
    place.write("market/test.jsonl", good.replacen(row, &bad.to_string(), 1));
    let lab = ["lab", "run", "lab.toml", "--out", "labs"];
    let error = place.fails(&lab);
    assert!(error.contains(&format!("market/test.jsonl line {line} (")), "{error}");

    // The data set is another one now, and so is the folder. A trained run without predictions predicts
    // again.
    place.write("market/test.jsonl", good);
    let lab = ["lab", "run", "lab.toml", "--out", "other"];
    place.ok(&lab);
    let run = place.names("other/runs").pop().unwrap();
    std::fs::remove_file(place.path(&format!("other/runs/{run}/predictions-test.jsonl"))).unwrap();
    place.overflow(&format!("other/runs/{run}/bundle"), TENSOR);
    let error = place.fails(&lab);
    let dev = line_of(&place, "market/dev.jsonl", "query-type");
    assert!(error.contains(&format!("market/dev.jsonl line {dev} (")), "{error}");
    assert!(error.contains("no number"), "{error}");
}

#[test]
fn an_export_states_what_eight_bits_change_or_names_the_row() {
    let place = WorkFolder::with_bundle();
    let pairs = "left,right,task\nred sofa,Sofas,\nSofas,Beds,type-type\nlamp,Lamps,query-type\n";
    place.write("pairs.csv", pairs);
    let args = [
        "export",
        BUNDLE,
        "--task",
        "query-type",
        "--format",
        "onnx-int8",
        "--out",
        "out",
        "--overwrite",
    ];
    let with = |file: &'static str| [&args[..], &["--pairs", file]].concat();
    let said = place.ok(&with("pairs.csv"));
    assert!(said.contains("8 bits on 2 pairs: "), "{said}");
    let card = place.read("out/README.md");
    assert!(
        card.contains("Measured on this bundle at export, on 2 pairs of `pairs.csv`"),
        "{card}"
    );
    place.ok(&args);
    let card = place.read("out/README.md");
    assert!(card.contains("Nothing was measured on this bundle"), "{card}");

    place.write("empty.csv", "left,right\nlamp,\u{200b}\n");
    let error = place.fails(&with("empty.csv"));
    assert!(error.contains("empty.csv line 2 (") && error.contains("the right text"), "{error}");
    place.write("others.csv", "left,right,task\nSofas,Beds,type-type\n");
    let error = place.fails(&with("others.csv"));
    assert!(error.contains("others.csv: there are no pairs of `query-type`"), "{error}");
    let error = place.fails(&[&args[..5], &["hf", "--out", "x", "--pairs", "pairs.csv"]].concat());
    assert!(error.contains("--pairs goes with `--format onnx-int8`"), "{error}");
    place.overflow(BUNDLE, TENSOR);
    let error = place.fails(&with("pairs.csv"));
    assert!(error.contains("pairs.csv line 2 (") && error.contains("no number"), "{error}");
    assert!(!place.path("x").exists());
}
