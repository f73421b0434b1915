//! Imports: judgements as tables, languages, and what goes wrong.

use crate::import_support::{
    RATED, esci, failure, further, grades, parquet, published, run, texts,
};
use sextant_data::import::{ImportError, ImportMap, ImportOptions, Progress, import};
use sextant_data::{Format, Output, ReadOptions};
use sextant_files::Existing;
use std::ops::ControlFlow;
use std::path::Path;

#[test]
fn judgements_of_other_programs_are_tables() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("qrels.txt", "q1 0 d1 2\nq1 0 d2 0\n\nq2 0 d1 1\n");
    write(
        "queries.jsonl",
        "{\"qid\": \"q1\", \"text\": \"drill\"}\n{\"qid\": \"q2\", \"text\": \"saw\"}\n",
    );
    write(
        "docs.jsonl",
        "{\"id\": \"d1\", \"title\": \"Drill 18V\", \"types\": [\"Tools\", \"Drills\"]}\n{\"id\": \"d2\", \"title\": \"Sofa\"}\n",
    );
    let map = r#"
name = "trec"
task = "query-product"
[ratings]
path = "qrels.txt"
format = "trec-qrels"
[tables.queries]
path = "queries.jsonl"
key = ["qid"]
on = ["query_id"]
[tables.docs]
path = "docs.jsonl"
key = ["id"]
on = ["doc_id"]
[left]
text = "queries.text"
[right]
title = "docs.title"
type_path = "docs.types"
[label]
column = "grade"
[row]
query_id = "query_id"
doc_id = "doc_id"
"#;
    let (rows, _) = run(map, folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [2, 0, 1]);
    assert_eq!(rows[2].pair.left.text(), "saw");
    assert_eq!(serde_json::to_value(&rows[0].pair.right).unwrap()["type_path"][1], "Drills");
    assert_eq!(further(&rows[2], "query_id"), Some("q2"));
}

#[test]
fn languages_are_told_by_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "query,title\nchair,This comfortable wooden chair is made for the dining room and comes with a cushion\nsilla,Esta cómoda silla de madera está hecha para el comedor y viene con un cojín muy suave\nx,Zq\n";
    std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
    let map = "name = \"l\"\ntask = \"query-product\"\n[ratings]\npath = \"rows.csv\"\n[left]\ntext = \"query\"\n[right]\ntitle = \"title\"\n[language]\nkeep = [\"eng\"]\n";
    let (rows, report) = run(map, folder.path(), Format::Jsonl).unwrap();
    assert_eq!(rows.iter().map(|row| row.pair.left.text()).collect::<Vec<_>>(), ["chair", "x"]);
    assert_eq!((report.language, rows[0].grade, report.grades), (1, None, [0; 3]));
    let wrong = map.replace("eng", "english");
    let error = run(&wrong, folder.path(), Format::Csv).unwrap_err().to_string();
    assert!(error.contains("language.keep") && error.contains("spa"), "{error}");
}

#[test]
fn faults_name_the_row_or_the_key_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ratings.csv", "a,b,stars\nx,y,1\nx,z,9\n");
    write("t.csv", "k,v\nx,1\nx,2\n");
    let values = format!("{RATED}values = {{ 1 = 0 }}\n");
    let joined = values
        .replace("[left]", "[tables.t]\npath = \"t.csv\"\nkey = [\"k\"]\non = [\"b\"]\n[left]")
        .replace("{ 1 = 0 }", "{ 1 = 0, 9 = 2 }");
    let cases = [
        (
            values.clone(),
            "ratings.csv line 3, column `stars`: label `9` is not in `label.values`, which has `1`",
        ),
        (
            values.replace("text = \"b\"", "text = \"bb\""),
            "no column `bb`; it has `a`, `b`, `stars`",
        ),
        (
            values.replace("text = \"b\"", "title = \"b\""),
            "key `right` of the map: this side of the task is a query",
        ),
        (values.replace("[left]", "[lef]"), "unknown field `lef`"),
        (values.replace("values = { 1 = 0 }", "values = { 1 = 7 }"), "unknown grade `7`"),
        (
            values.replace("values", "thresholds = [2, 1]\nvalues"),
            "either `values` or `thresholds`",
        ),
        (
            format!("{RATED}thresholds = [2, 1]\n"),
            "not two numbers of which the second is at least the first",
        ),
        (
            format!("{RATED}thresholds = [1, 2, 3]\n"),
            "key `label.thresholds` of the map: invalid length 3",
        ),
        (
            format!("{RATED}values = {{ 1 = 0, \"1.0\" = 1 }}\n"),
            "`1` and `1.0` are one number, and have two grades",
        ),
        (
            format!("{values}[raters]\naggregate = \"dawid-skene\"\n"),
            "needs to know who rated what",
        ),
        (
            joined.clone(),
            "ratings.csv line 2: table `t` has no row with k `y`; `missing = \"skip\"`",
        ),
        (
            joined.replace("key = [\"k\"]", "key = [\"k\", \"v\"]"),
            "key `tables.t.on` of the map: 1 columns for a key of 2",
        ),
        (values.replace("path = \"ratings.csv\"", "path = \"none.csv\""), "none.csv"),
        (format!("{values}[row]\nkeep = [\"group\"]\n"), "`group` is already a column"),
        (
            format!("{values}[[where]]\ncolumn = \"b\"\nmin = 1\n"),
            "line 2, column `b`: `y` is no number",
        ),
    ];
    for (map, expected) in cases {
        let error = failure(&map, folder.path());
        assert!(error.contains(expected), "expected {expected}\nfound {error}");
    }
    // A row of the table that is not the key's first is counted.
    let (rows, report) = run(
        &joined
            .replace("on = [\"b\"]", "on = [\"a\"]")
            .replace("text = \"b\"", "text = [\"b\", \"t.v\"]"),
        folder.path(),
        Format::Jsonl,
    )
    .unwrap();
    assert_eq!(rows[1].pair.right.text(), "z 1");
    assert_eq!(report.repeated_keys["t"], 1);
}

#[test]
fn an_observer_hears_every_table_and_may_stop() {
    let folder = tempfile::tempdir().unwrap();
    esci(folder.path());
    let map = ImportMap::parse(&published("esci.toml"), Path::new("esci.toml")).unwrap();
    let options = || ImportOptions {
        sources: folder.path().to_owned(),
        output: Output::open(folder.path().join("rows.jsonl"), Existing::Refuse).unwrap(),
        format: Format::Jsonl,
        temporary: folder.path().to_owned(),
    };
    let mut heard = Vec::new();
    let stopped = import(&map, options(), &mut |step| {
        heard.push(format!("{step:?}"));
        if step == Progress::Table("ratings") {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(matches!(stopped, Err(ImportError::Stopped)));
    assert_eq!(
        heard,
        [
            "Table(\"keys of ratings\")",
            "Rows(6)",
            "Table(\"product\")",
            "Rows(6)",
            "Table(\"ratings\")"
        ]
    );
    assert!(!folder.path().join("rows.jsonl").exists());
}

#[test]
fn a_table_without_rows_is_refused_and_so_is_a_map_that_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let map = format!("{RATED}values = {{ 1 = 0 }}\nskip = [\"9\"]\n");
    write("ratings.csv", "a,b,stars\n");
    let error = failure(&map, folder.path());
    assert!(error.contains("ratings.csv: there are no rows to import"), "{error}");
    write("ratings.csv", "a,b,stars\nx,y,9\nx,z,9\nx,w,1\n");
    let none = format!("{map}[[where]]\ncolumn = \"b\"\nis_not = [\"w\"]\n");
    let error = failure(&none, folder.path());
    assert!(
        error.contains("none of its 3 rows is left: 1 by `where`, 2 with a label that is skipped"),
        "{error}"
    );
    write("ratings.csv", "\n");
    let trec = "[ratings]\npath = \"ratings.csv\"\nformat = \"trec-qrels\"\n";
    let map = map.replace("[ratings]\npath = \"ratings.csv\"\n", trec);
    let error = failure(&map, folder.path());
    assert!(error.contains("ratings.csv: the file is empty"), "{error}");
}

/// Programs write a column of whole numbers with gaps as floating-point numbers.
#[test]
fn numbers_are_compared_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "ratings.csv",
        "a,k,small,fold,stars\nx,1.0,1.0,2.0,1\ny,2.0,0.0,1.0,1\nz,007,1,2,1\nw,7,1,2,1\nv,8.0,1,1,-1.0\n",
    );
    write("t.csv", "k,v\n1,one\n2,two\n7,seven\n007,bond\n8,eight\n");
    let map = RATED
        .replace("[left]", "[tables.t]\npath = \"t.csv\"\nkey = [\"k\"]\n[left]")
        .replace("text = \"b\"", "text = \"t.v\"");
    let rest = "values = { 1 = 0 }\nskip = [\"-1\"]\n[row]\nsplit = \"fold\"\nsplits = { 1 = \"train\", 2 = \"test\" }\n";
    let small = "[[where]]\ncolumn = \"small\"\nis = [\"1\"]\n";
    let (rows, report) = run(&format!("{map}{rest}{small}"), folder.path(), Format::Jsonl).unwrap();
    let texts: Vec<&str> = rows.iter().map(|row| row.pair.right.text()).collect();
    // Codes with leading zeros are no numbers.
    assert_eq!(texts, ["one", "bond", "seven"]);
    assert!(rows.iter().all(|row| row.split.unwrap().as_str() == "test"));
    assert_eq!((report.conditions, report.labels), (1, 1));
    // Lists may hold the numbers themselves.
    let number = small.replace("is = [\"1\"]", "is = [1, 10.5]");
    let numbers = rest.replace("skip = [\"-1\"]", "skip = [-1]");
    let (rows, _) = run(&format!("{map}{numbers}{number}"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(rows.len(), 3);
    let large = small.replace("is = [\"1\"]", "is_not = [\"1.00\"]");
    let (rows, _) = run(&format!("{map}{rest}{large}"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(rows.iter().map(|row| row.pair.right.text()).collect::<Vec<_>>(), ["two"]);
}

/// What helps stands in the map: an import has no options for reading.
#[test]
fn advice_on_a_table_names_keys_of_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let map = format!("{RATED}values = {{ 1 = 0 }}\n");
    let rows = folder.path().join("out.jsonl");
    let fails = |text: &str| {
        // What an import before it has written is no file of this one.
        let _ = std::fs::remove_file(&rows);
        std::fs::write(folder.path().join("ratings.csv"), text).unwrap();
        let error = failure(&map, folder.path());
        assert!(!error.contains("--") && !error.contains("recipe"), "{error}");
        error
    };
    let error = fails("a,b,stars\n\"x\" 5,y,1\n");
    assert!(error.contains("ratings.csv line 2: column `a`: the cell opens"), "{error}");
    assert!(error.contains("say `quoting = \"none\"` for this table in the map"), "{error}");
    let none = map.replace("path = \"ratings.csv\"", "path = \"ratings.csv\"\nquoting = \"none\"");
    assert_eq!(run(&none, folder.path(), Format::Jsonl).unwrap().1.written, 1);
    let error = fails("a,b,stars\n\"x \\\"5\\\" y\",y,1\n");
    assert!(error.contains("say `quoting = \"backslash\"` for this table in the map"), "{error}");
    for (separator, named) in [(";", ";"), ("\t", "tab"), ("|", "|")] {
        let text = "a,b,stars\nx,y,1\n".replace(',', separator);
        let error = fails(&text);
        let advice = format!("separator = \"{named}\"");
        assert!(error.contains(&format!("say `{advice}` for this table in the map")), "{error}");
        let path = "path = \"ratings.csv\"";
        let heeded = map.replace(path, &format!("{path}\n{advice}"));
        assert_eq!(run(&heeded, folder.path(), Format::Jsonl).unwrap().1.written, 1);
    }
    // `task` is a column like any other here.
    std::fs::remove_file(&rows).unwrap();
    std::fs::write(folder.path().join("ratings.csv"), "a,b,stars\nx,y,1\n").unwrap();
    let error = failure(&map.replace("text = \"a\"", "text = \"task\""), folder.path());
    assert!(error.contains("no column `task`; it has `a`, `b`, `stars`"), "{error}");
    let long = format!("a,b,stars\n{},y,1\n", "x".repeat(ReadOptions::MAX_ROW_BYTES));
    let error = fails(&long);
    assert!(error.contains("line 2: the row is longer than"), "{error}");
}

/// A key of the map that changes nothing is a mistake of whoever wrote it.
#[test]
fn keys_by_which_a_format_is_not_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("rows.jsonl", "{\"a\": \"x\", \"b\": \"y\", \"stars\": 1}\n");
    write("qrels.txt", "q1 0 d1 1\n");
    let columns = vec![
        ("a", texts(&[Some("x")])),
        ("b", texts(&[Some("y")])),
        ("stars", texts(&[Some("1")])),
    ];
    parquet(&folder.path().join("rows.parquet"), columns);
    let cases = [
        ("rows.jsonl", "jsonl", &["quoting = \"none\"", "separator = \";\""][..], true),
        (
            "rows.parquet",
            "parquet",
            &["quoting = \"none\"", "separator = \";\"", "encoding = \"latin-1\""],
            true,
        ),
        (
            "qrels.txt",
            "trec-qrels",
            &["quoting = \"none\"", "separator = \";\"", "encoding = \"latin-1\""],
            false,
        ),
    ];
    for (file, format, keys, by_name) in cases {
        let map = format!("{RATED}values = {{ 1 = 0 }}\n").replace("ratings.csv", file);
        let path = format!("path = \"{file}\"");
        let stated = format!("{path}\nformat = \"{format}\"");
        let map = if by_name { map } else { map.replace(&path, &stated) };
        for key in keys {
            let error = failure(&map.replace(&path, &format!("{path}\n{key}")), folder.path());
            let name = key.split(' ').next().unwrap();
            let expected = format!("{file}: the map states `{name}`, which {format} does not have");
            assert!(error.contains(&expected), "expected {expected}\nfound {error}");
        }
        if by_name {
            assert_eq!(run(&map, folder.path(), Format::Jsonl).unwrap().1.written, 1);
            std::fs::remove_file(folder.path().join("out.jsonl")).unwrap();
        }
    }
}

/// Rows that are taken without a partner are counted, and a table that no row finds a partner in is a mistake.
#[test]
fn rows_taken_without_a_partner_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ratings.csv", "a,b,stars\nx,1,1\ny,2,1\nz,3,1\n");
    write("t.csv", "k,v\n2,two\n");
    let map = format!("{RATED}values = {{ 1 = 0 }}\n")
        .replace("[left]", "[tables.t]\npath = \"t.csv\"\nkey = [\"k\"]\non = [\"b\"]\nmissing = \"empty\"\n[left]")
        .replace("text = \"b\"", "text = [\"b\", \"t.v\"]");
    let (rows, report) = run(&map, folder.path(), Format::Jsonl).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.pair.right.text()).collect::<Vec<_>>(),
        ["1", "2 two", "3"]
    );
    assert_eq!(report.unpartnered["t"], 2);
    assert!(report.to_string().contains("`t`: 2 rows were taken without a partner in it"));
    std::fs::remove_file(folder.path().join("out.jsonl")).unwrap();
    for table in ["k,v\n9,nine\n", "k,v\n"] {
        write("t.csv", table);
        let error = failure(&map, folder.path());
        let expected = "key `tables.t` of the map: none of the 3 keys of the ratings is in it";
        assert!(error.contains(expected), "{error}");
    }
}
