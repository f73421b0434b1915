//! Other programs' tables and judgements, through the commands.

use crate::support::WorkFolder;

const RATINGS: &str = "rating_id;search_term;product_title;brand;annotator;stars;product_id\n\
    1;drill;Drill 18V;Acme;ann;5;p1\n2;drill;Drill 18V;Acme;bob;4;p1\n3;drill;Hammer;;ann;1;p2\n\
    4;hammer;Hammer;;ann;5;p2\n5;hammer;Drill 18V;Acme;bob;2;p1\n";

#[test]
fn questions_about_a_table_become_a_map_that_imports_it() {
    let place = WorkFolder::empty();
    place.write("ratings.csv", RATINGS);
    // A wrong answer is asked for again; an empty one takes what is likely.
    let answers = "query-thing\n\n\n\nbrnd\n\n\n\n0\n1\n\nbad\n2\n\n\n\n\n\n";
    let output =
        place.command(&["data", "new", "ratings.csv"]).write_stdin(answers).assert().success();
    let asked = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    insta::assert_snapshot!("data-new-asks", asked);
    let map = place.read("ratings.map.toml");
    insta::assert_snapshot!("data-new-map", map);
    let said = place.ok(&["data", "import", "ratings.map.toml", "--out", "rows.jsonl"]);
    insta::assert_snapshot!("data-import-says", said);
    assert_eq!(place.lines("rows.jsonl"), 4);
    let error = place.fails(&["data", "import", "ratings.map.toml", "--out", "rows.jsonl"]);
    assert!(error.contains("rows.jsonl: it is there already"), "{error}");
    // Without questions, what is likely is taken.
    place.ok(&["data", "new", "ratings.csv", "--yes", "--out", "likely.toml"]);
    let json = place.ok(&["data", "import", "likely.toml", "--out", "rows.parquet", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["read"], &report["written"]), (&5.into(), &4.into()));
    let error = place.fails(&["data", "new", "ratings.csv"]);
    assert!(error.contains("ratings.map.toml: it is there already"), "{error}");
}

/// The end of the answers is no answer, and what cannot be guessed is said as one question.
#[test]
fn nothing_is_taken_for_an_answer_that_is_none() {
    let place = WorkFolder::empty();
    place.write("a.csv", "query,title,rating\nsaw,Saw,10%\nsaw,Axe,90%\n");
    let ended = place.command(&["data", "new", "a.csv"]).write_stdin("").assert().failure();
    let error = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
    assert!(error.contains("the answers have ended, and nothing was written"), "{error}");
    assert_eq!(place.names("."), ["a.csv"]);
    let error = place.fails(&["data", "new", "a.csv", "--yes"]);
    let expected = "skip to leave them out (its name is not known.) Leave out --yes to answer";
    assert!(error.contains(expected), "{error}");
    // A table without a format's name is helped by a key of the map, since there are no options for it.
    place.write("a.txt", "query,title,rating\n");
    let error = place.fails(&["data", "new", "a.txt", "--yes"]);
    assert!(error.contains("`format = \"csv\"` for this table in the map"), "{error}");
    assert!(!error.contains("--input-format"), "{error}");
}

/// Rows without a label are no mistake of the table; the map that is made leaves them out.
#[test]
fn gaps_among_labels_are_left_out_by_the_map() {
    let place = WorkFolder::empty();
    place.write("a.csv", "query,title,rating\nsaw,Saw,1\nsaw,Axe,2\nsaw,Pen,\nsaw,Cup,3\n");
    let said = place.command(&["data", "new", "a.csv", "--yes"]).assert().success();
    let said = String::from_utf8_lossy(&said.get_output().stderr).into_owned();
    assert!(said.contains("1 of the first 4 rows have no label"), "{said}");
    let json = place.ok(&["data", "import", "a.map.toml", "--out", "rows.jsonl", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["labels"], &report["written"]), (&1.into(), &3.into()));
}

#[test]
fn a_table_is_not_replaced_by_its_own_rows() {
    let place = WorkFolder::empty();
    place.write("a.csv", "query,title,rating\nsaw,Saw,1\nsaw,Axe,2\nsaw,Pen,3\n");
    place.ok(&["data", "new", "a.csv", "--yes"]);
    for own in ["a.csv", "a.map.toml"] {
        let before = place.read(own);
        let args = ["data", "import", "a.map.toml", "--out", own, "--overwrite"];
        let error = place.fails(&[&args[..], &["--output-format", "csv"]].concat());
        assert!(error.contains("would replace what it is made from"), "{error}");
        assert_eq!(place.read(own), before);
    }
    place.write("b.csv", "one,two\nsaw,Saw\n");
    let error = place.fails(&["data", "new", "b.csv", "--yes"]);
    assert!(error.contains("No name tells; there are the columns one, two"), "{error}");
}

#[test]
fn what_is_no_label_is_left_out_and_not_guessed() {
    let place = WorkFolder::empty();
    place.write("a.csv", "query,title,rating\nsaw,Saw,1\nsaw,Axe,2\nsaw,Pen,3\nsaw,Cup,nan\n");
    place.ok(&["data", "new", "a.csv", "--yes"]);
    let map = place.read("a.map.toml");
    assert!(map.contains(r#"values = { "1" = 0, "2" = 1, "3" = 2 }"#), "{map}");
    assert!(map.contains(r#"skip = ["nan"]"#), "{map}");
    let json = place.ok(&["data", "import", "a.map.toml", "--out", "rows.jsonl", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["read"], &report["written"]), (&4.into(), &3.into()));
}

/// What is guessed is said, and no column goes without a word.
#[test]
fn guesses_are_said_and_columns_are_carried_or_named() {
    let place = WorkFolder::empty();
    let rows = "id,query,title,stars,split,price\n\
        r1,saw,Saw,5,train,9\nr2,saw,Axe,3,TEST,8\nr3,saw,Pen,4,validation,7\n";
    place.write("a.csv", rows);
    let said = |args: &[&str]| {
        let output = place.command(args).assert().success().get_output().stderr.clone();
        String::from_utf8(output).unwrap()
    };
    let guessed = said(&["data", "new", "a.csv", "--yes"]);
    for expected in [
        "`stars` is taken for a scale from 1 to 5, of which the first 3 rows have 3 to 5",
        "labels of `stars`: `3` partial, `4` relevant, `5` relevant",
        "nothing of the columns price;",
    ] {
        assert!(guessed.contains(expected), "{expected}: {guessed}");
    }
    place.ok(&["data", "import", "a.map.toml", "--out", "rows.jsonl"]);
    let rows: Vec<serde_json::Value> =
        place.read("rows.jsonl").lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let of = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("id"), ["r1", "r2", "r3"]);
    assert_eq!(of("split"), ["train", "test", "dev"]);
    assert_eq!(of("grade"), [2, 1, 2]);
    // A split that is not one of ours is said, and left to people.
    place.write("b.csv", "query,title,stars,fold\nsaw,Saw,1.5,1\nsaw,Axe,2,2\n");
    let guessed = said(&["data", "new", "b.csv", "--yes"]);
    assert!(guessed.contains("`fold` has other values than train, dev and test"), "{guessed}");
    assert!(!place.read("b.map.toml").contains("split ="));
    // The scale also counts where labels are too many to be named.
    let rows: Vec<String> =
        (21..=50).map(|n| format!("saw,Saw {n},{}\n", f64::from(n) / 10.0)).collect();
    place.write("c.csv", format!("query,title,stars\n{}", rows.concat()));
    let guessed = said(&["data", "new", "c.csv", "--yes"]);
    assert!(
        guessed.contains("`stars` below 2.33 becomes irrelevant, below 3.67 partial"),
        "{guessed}"
    );
    assert!(place.read("c.map.toml").contains("thresholds = [2.33, 3.67]"));
}

#[test]
fn a_table_with_a_header_only_is_refused() {
    let place = WorkFolder::empty();
    place.write("a.csv", "query,title,rating\nsaw,Saw,1\nsaw,Axe,2\n");
    place.ok(&["data", "new", "a.csv", "--yes"]);
    place.write("a.csv", "query,title,rating\n");
    let error = place.fails(&["data", "import", "a.map.toml", "--out", "rows.jsonl"]);
    assert!(error.contains("a.csv: there are no rows to import"), "{error}");
    assert_eq!(place.names("."), ["a.csv", "a.map.toml"]);
}

#[test]
fn a_map_with_a_mistake_is_told_by_its_file_and_key() {
    let place = WorkFolder::empty();
    place.write("map.toml", "name = \"a\"\ntask = \"query-product\"\n[ratings]\npath = \"a.csv\"\n[left]\ntext = \"q\"\n[right]\nheadline = \"t\"\n");
    let error = place.fails(&["data", "import", "map.toml", "--out", "rows.jsonl"]);
    assert!(error.contains("map.toml") && error.contains("headline"), "{error}");
    assert_eq!(place.names("."), ["map.toml"]);
}

#[test]
fn rows_go_out_as_judgements_and_come_back() {
    let place = WorkFolder::empty();
    place.write("ratings.csv", RATINGS);
    place.ok(&["data", "new", "ratings.csv", "--yes"]);
    place.ok(&["data", "import", "ratings.map.toml", "--out", "rows.csv"]);
    let qrels = place.ok(&["data", "export", "rows.csv", "--to", "trec-qrels", "--out", "-"]);
    assert_eq!(
        qrels.lines().collect::<Vec<_>>(),
        ["drill 0 p1 2", "drill 0 p2 0", "hammer 0 p2 2", "hammer 0 p1 0"]
    );
    for format in ["quepid", "opensearch", "elasticsearch", "label-studio"] {
        let said = place.ok(&["data", "export", "rows.csv", "--to", format, "--out", format]);
        assert!(said.contains(&format!("{format}: 4 rows as {format}")), "{said}");
    }
    let some = ["--to", "trec-qrels", "--out", "some", "--tasks", "query-query,query-type"];
    let error = place.fails(&[&["data", "export", "rows.csv"], &some[..]].concat());
    assert!(error.contains("no rows of these tasks"), "{error}");
    let more = "task,left,right,grade\nquery-query,drill,drills,2\nquery-product,drill,hammer,0\n";
    place.write("more.csv", more);
    let said = place.ok(&[&["data", "export", "more.csv"], &some[..]].concat());
    assert!(said.contains("rows of other tasks left out: 1"), "{said}");
    assert_eq!(place.read("some").lines().count(), 1);
    let error = place.fails(&["data", "export", "rows.csv", "--to", "trec-run", "--out", "run"]);
    assert!(error.contains("no score"), "{error}");
}

#[test]
fn a_model_is_evaluated_by_judgements_and_its_run_again() {
    let place = WorkFolder::with_bundle();
    let bundle = "runs/tiny/bundle";
    // Queries with their products, each once.
    let mut seen = std::collections::HashSet::new();
    let rows = place.read("market/test.jsonl");
    let rows: String = rows
        .lines()
        .filter(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["task"] == "query-product"
                && seen.insert((row["left"].clone(), row["right"].to_string()))
        })
        .map(|line| line.to_owned() + "\n")
        .collect();
    place.write("rows.jsonl", &rows);
    let repeated = rows.clone() + rows.lines().next().unwrap();
    place.write("repeated.jsonl", repeated);
    let error =
        place.fails(&["data", "export", "repeated.jsonl", "--to", "trec-qrels", "--out", "-"]);
    assert!(error.contains("already; keep one row of each"), "{error}");
    place.ok(&["data", "export", "rows.jsonl", "--to", "trec-qrels", "--out", "qrels.txt"]);
    let args = ["--qrels", "qrels.txt", "--measure", "nDCG@10", "--measure", "RBP(p=0.8)"];
    let by_model =
        [&["eval", bundle, "rows.jsonl", "--write-run", "run.txt", "--out", "a.json"], &args[..]]
            .concat();
    let said = place.ok(&by_model);
    assert!(said.contains("nDCG@10") && said.contains("judged queries"), "{said}");
    place.ok(&[&["eval", "--run", "run.txt", "--out", "b.json"], &args[..]].concat());
    assert_eq!(place.read("a.json"), place.read("b.json"), "the written run is the ranking");
    let report: serde_json::Value = serde_json::from_str(&place.read("a.json")).unwrap();
    assert_eq!(report["unanswered"], 0);
    let value = report["measures"][0]["mean"]["value"].as_f64().unwrap();
    assert!(value > 0.3 && value <= 1.0, "{value}");
    place.write("other.txt", "nobody 0 d1 1\n");
    let error = place.fails(&["eval", bundle, "rows.jsonl", "--qrels", "other.txt"]);
    assert!(
        error.contains("no query of the judgements is in the run, such as `nobody`"),
        "{error}"
    );
    place.write("empty.txt", "");
    for args in [
        &["eval", bundle, "rows.jsonl", "--qrels", "empty.txt"][..],
        &["eval", "--run", "run.txt", "--qrels", "empty.txt"],
    ] {
        let error = place.fails(args);
        assert!(
            error.contains("judgements of `--qrels`")
                && error.contains("empty.txt: the file is empty"),
            "{error}"
        );
    }
    // Grades above those of ERR are not cut off in silence.
    let graded = "q1 0 d1 5\nq1 0 d2 0\n";
    place.write("five.txt", graded);
    place.write("five-run.txt", "q1 Q0 d1 1 0.9 t\nq1 Q0 d2 2 0.8 t\n");
    let five = ["eval", "--run", "five-run.txt", "--qrels", "five.txt"];
    let output = place.command(&five).assert().success().get_output().clone();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(out.contains("ERR(max=5)@20"), "{out}");
    assert!(err.contains("ERR(max=5)@20 in place of ERR@20"), "{err}");
    let error = place.fails(&[&five[..], &["--measure", "ERR@20"]].concat());
    assert!(error.contains("grade 5 is above 4"), "{error}");
    let error = place.fails(&["eval", "--run", "run.txt"]);
    assert!(error.contains("--qrels"), "{error}");
    let error = place.fails(&["eval"]);
    assert!(error.contains("<BUNDLE>"), "{error}");
}

#[test]
fn errors_become_a_page_and_predictions_a_file() {
    let place = WorkFolder::with_bundle();
    let bundle = "runs/tiny/bundle";
    // A column that the data has beside those of Sextant.
    let rows = place.read("market/test.jsonl");
    let rows = rows
        .lines()
        .enumerate()
        .map(|(n, row)| row.replacen('{', &format!("{{\"shop\": \"shop {}\", ", n % 3), 1) + "\n");
    place.write("rows.jsonl", rows.collect::<String>());
    place.ok(&[
        "eval",
        bundle,
        "rows.jsonl",
        "--errors",
        "errors.html",
        "--predictions",
        "answers.csv",
    ]);
    let page = place.read("errors.html");
    for part in
        ["<title>Errors of runs", "Labels that are likely wrong", "slices-shop", "rows.jsonl line "]
    {
        assert!(page.contains(part), "{part}");
    }
    let answers = place.read("answers.csv");
    let header = answers.lines().next().unwrap();
    assert!(header.ends_with(",shop,predicted_grade,predicted_label,score,probs"), "{header}");
    assert_eq!(place.lines("answers.csv"), 1 + place.lines("rows.jsonl"));
    // What was predicted is what scoring says.
    place.ok(&["score", bundle, "rows.jsonl", "scored.csv"]);
    let scores = |name: &str| -> Vec<String> {
        let text = place.read(name);
        text.lines().skip(1).map(|line| line.rsplit_once(",\"[").unwrap().1.to_owned()).collect()
    };
    assert_eq!(scores("answers.csv"), scores("scored.csv"));
    let error = place.fails(&["eval", bundle, "rows.jsonl", "--errors", "errors.html"]);
    assert!(error.contains("errors.html: it is there already"), "{error}");
}
