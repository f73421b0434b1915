//! Judgements and runs, out and in again.

use crate::file;
use sextant_core::{Entity, Grade, Pair, Product, Task};
use sextant_data::exchange::{
    ExchangeFormat, IdColumns, Judged, Judgements, read, read_qrels, read_run, write,
};
use sextant_data::{Output, ReadOptions, RowReader};
use sextant_files::Existing;
use std::path::Path;

fn judged() -> Vec<Judged> {
    let row = |query: &str, text: &str, doc: &str, grade: Grade, score: f64| {
        let product = Product {
            title: format!("Product {doc}, \"big\""),
            brand: Some("Acme".into()),
            ..Product::default()
        };
        let right = Entity::from(product);
        Judged {
            query_id: query.into(),
            doc_id: doc.into(),
            pair: Pair { task: Task::QueryProduct, left: text.into(), right },
            grade: Some(grade),
            score: Some(score),
            id: Some(format!("{query}/{doc}")),
        }
    };
    vec![
        row("q1", "red, dress", "d1", Grade::Relevant, 0.25),
        row("q2", "drill", "d1", Grade::Irrelevant, 0.5),
        row("q1", "red, dress", "d2", Grade::Partial, 0.75),
        row("q1", "red, dress", "d3", Grade::Irrelevant, 0.25),
    ]
}

fn written(rows: &[Judged], format: ExchangeFormat, path: &Path) -> String {
    let output = Output::open(path, Existing::Overwrite).unwrap();
    write(rows, format, "shop", output).unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// The columns of these names, in each row.
fn columns(table: &Judgements, names: &[&str]) -> Vec<Vec<String>> {
    let places = names.iter().map(|name| table.columns.iter().position(|c| c == name).unwrap());
    let places: Vec<usize> = places.collect();
    let cell = |row: &[Option<String>], at: usize| row[at].clone().unwrap_or_default();
    let rows = table.rows.iter();
    rows.map(|row| places.iter().map(|&at| cell(&row.cells, at)).collect()).collect()
}

#[test]
fn every_format_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judgements");
    let grades = [["q1", "d1", "2"], ["q2", "d1", "0"], ["q1", "d2", "1"], ["q1", "d3", "0"]];

    let text = written(&judged(), ExchangeFormat::TrecQrels, &path);
    assert_eq!(text, "q1 0 d1 2\nq2 0 d1 0\nq1 0 d2 1\nq1 0 d3 0\n");
    let table = read(&path, ExchangeFormat::TrecQrels).unwrap();
    assert_eq!(columns(&table, &["query_id", "doc_id", "grade"]), grades);
    assert_eq!(read_qrels(&path).unwrap()["q1"]["d2"], 1);

    let text = written(&judged(), ExchangeFormat::TrecRun, &path);
    assert_eq!(
        text,
        "q1 Q0 d2 1 0.75 shop\nq1 Q0 d3 2 0.25 shop\nq1 Q0 d1 3 0.25 shop\nq2 Q0 d1 1 0.5 shop\n"
    );
    assert_eq!(read_run(&path).unwrap()["q1"]["d1"], 0.25);

    let text = written(&judged(), ExchangeFormat::Quepid, &path);
    assert!(text.starts_with("query,docid,rating\n\"red, dress\",d1,2\n"), "{text}");
    let table = read(&path, ExchangeFormat::Quepid).unwrap();
    assert_eq!(columns(&table, &["query", "docid", "rating"])[1], ["drill", "d1", "0"]);

    written(&judged(), ExchangeFormat::Opensearch, &path);
    let table = read(&path, ExchangeFormat::Opensearch).unwrap();
    let found = columns(&table, &["query", "doc_id", "rating"]);
    assert_eq!(found[1], ["red, dress", "d2", "1.000"]);
    assert_eq!(found[3], ["drill", "d1", "0.000"]);

    written(&judged(), ExchangeFormat::Elasticsearch, &path);
    let table = read(&path, ExchangeFormat::Elasticsearch).unwrap();
    let found = columns(&table, &["query_id", "query", "index", "doc_id", "rating"]);
    assert_eq!(found[0], ["q1", "red, dress", "shop", "d1", "2"]);

    let text = written(&judged(), ExchangeFormat::LabelStudio, &path);
    let tasks: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(tasks[0]["data"]["right"], "Product d1, \"big\"");
    assert_eq!(tasks[0]["data"]["right_product"]["brand"], "Acme");
    assert_eq!(tasks[0]["predictions"][0]["result"][0]["value"]["choices"][0], "relevant");
}

#[test]
fn published_documents_are_read() {
    // The example of OpenSearch's documentation, of Elasticsearch's, and an export of Label Studio.
    let (_folder, path) = file(
        "list.json",
        r#"{"name": "Imported Judgments", "description": "outside", "type": "IMPORT_JUDGMENT",
        "judgmentRatings": [{"query": "red dress", "ratings": [{"docId": "B077ZJXCTS", "rating": "3.000"}, {"docId": "B071S6LTJJ", "rating": 2}]}]}"#,
    );
    let table = read(&path, ExchangeFormat::Opensearch).unwrap();
    assert_eq!(
        columns(&table, &["doc_id", "rating"]),
        [["B077ZJXCTS", "3.000"], ["B071S6LTJJ", "2"]]
    );

    let (_folder, path) = file(
        "eval.json",
        r#"{"requests": [
        {"id": "amsterdam_query", "request": {"query": {"match": {"text": "amsterdam"}}}, "ratings": [{"_index": "my-index", "_id": "doc2", "rating": 0}]},
        {"id": "berlin", "template_id": "t", "params": {"query_string": "berlin"}, "ratings": [{"_index": "my-index", "_id": "doc1", "rating": 1}]}]}"#,
    );
    let table = read(&path, ExchangeFormat::Elasticsearch).unwrap();
    let found = columns(&table, &["query_id", "query", "doc_id", "rating"]);
    assert_eq!(
        found,
        [["amsterdam_query", "amsterdam", "doc2", "0"], ["berlin", "berlin", "doc1", "1"]]
    );

    let (_folder, path) = file(
        "export.json",
        r#"[{"id": 7, "data": {"query": "drill", "title": "Saw", "n": 3}, "annotations": [
        {"id": 1, "completed_by": {"id": 4, "email": "a@b.c"}, "result": [{"from_name": "grade", "to_name": "pair", "type": "choices", "value": {"choices": ["irrelevant"]}}]},
        {"id": 2, "completed_by": 5, "was_cancelled": true, "result": []},
        {"id": 3, "completed_by": 6, "result": [{"type": "rating", "value": {"rating": 4}}]}]}]"#,
    );
    let table = read(&path, ExchangeFormat::LabelStudio).unwrap();
    let found = columns(&table, &["task_id", "annotation_id", "annotator", "label", "query", "n"]);
    assert_eq!(
        found,
        [["7", "1", "a@b.c", "irrelevant", "drill", "3"], ["7", "3", "6", "4", "drill", "3"]]
    );

    // Of several controls, the one called so has the label, wherever it stands.
    let flags = r#"{"from_name": "flags", "value": {"choices": ["irrelevant"]}}"#;
    let of = |answers: &str| {
        let text = format!(
            r#"[{{"id": 1, "data": {{}}, "annotations": [{{"id": 9, "result": [{answers}]}}]}}]"#
        );
        let (_folder, path) = file("export.json", text);
        read(&path, ExchangeFormat::LabelStudio)
    };
    let grade = r#"{"from_name": "grade", "value": {"choices": ["partial"]}}"#;
    let table = of(&format!("{flags}, {grade}")).unwrap();
    assert_eq!(columns(&table, &["label"]), [["partial"]]);
    let other = r#"{"from_name": "other", "value": {"rating": 3}}"#;
    let both = r#"{"from_name": "grade", "value": {"choices": ["partial", "irrelevant"]}}"#;
    for answers in [&format!("{flags}, {other}"), both] {
        let error = of(answers).unwrap_err().to_string();
        assert!(error.contains("task 1, annotation 9: it has several answers"), "{error}");
    }

    let (_folder, path) = file("quepid.csv", "Query Text,Doc ID,Rating\nsaw,4,1\n");
    let table = read(&path, ExchangeFormat::Quepid).unwrap();
    assert_eq!(columns(&table, &["query", "docid", "rating"]), [["saw", "4", "1"]]);
}

#[test]
fn faults_name_line_and_fix() {
    for (format, text, expected) in [
        (
            ExchangeFormat::TrecQrels,
            "q 0 d 1\nq 0 d\n",
            "line 2: 3 words; expected 4: query iteration document grade",
        ),
        (ExchangeFormat::TrecRun, "q Q0 d 1 high t\n", "line 1: score `high` is not a number"),
        (ExchangeFormat::TrecRun, "q Q0 d 1 NaN t\n", "not finite"),
        (ExchangeFormat::Opensearch, "{\"judgmentRatings\": [\n{\"query\": 1}]}", "line 2"),
        (ExchangeFormat::Quepid, "query,rating\na,1\n", "no column `docid`"),
        (ExchangeFormat::LabelStudio, "{}", "line 1"),
    ] {
        let (_folder, path) = file("in", text);
        let error = read(&path, format).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (_folder, path) = file("qrels", "q 0 d 1\nq 0 d 2\n");
    assert!(
        read_qrels(&path)
            .unwrap_err()
            .to_string()
            .contains("line 2: query `q` has document `d` twice")
    );
    // No option says how Quepid's files are read.
    let (_folder, path) = file("quepid.csv", "query,docid,rating\n\"a\" b,c,1\n");
    let error = read(&path, ExchangeFormat::Quepid).unwrap_err().to_string();
    assert!(error.contains("quepid.csv line 2") && error.contains("double the quotes"), "{error}");
    assert!(!error.contains("--quoting"), "{error}");
    let (_folder, path) = file("nothing.txt", "\n \n");
    for (error, words) in [
        (read_qrels(&path).unwrap_err(), "query iteration document grade"),
        (read_run(&path).unwrap_err(), "query Q0 document rank score tag"),
        (read(&path, ExchangeFormat::TrecQrels).unwrap_err(), "query iteration document grade"),
    ] {
        let error = error.to_string();
        assert!(
            error.contains("nothing.txt: the file is empty") && error.contains(words),
            "{error}"
        );
    }
    let (_folder, path) = file("qrels", "q 0 d 1.5\n");
    assert!(read_qrels(&path).unwrap_err().to_string().contains("`1.5` is not a whole number"));
    let (_folder, path) = file("qrels", "q 0 d 99999\n");
    assert!(read_qrels(&path).unwrap_err().to_string().contains("grades go from -100 to 100"));

    let folder = tempfile::tempdir().unwrap();
    let fails = |change: fn(&mut Judged), format, expected: &str| {
        let mut rows = judged();
        change(&mut rows[1]);
        let output = Output::open(folder.path().join("out"), Existing::Refuse).unwrap();
        let error = write(&rows, format, "x", output).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains(expected), "{error}");
        assert!(!folder.path().join("out").exists());
    };
    fails(|row| row.query_id = "a b".into(), ExchangeFormat::TrecRun, "white space");
    fails(|row| row.grade = None, ExchangeFormat::Quepid, "no grade");
    fails(|row| row.score = None, ExchangeFormat::TrecRun, "no score");
    fails(|row| row.query_id = "q1".into(), ExchangeFormat::Opensearch, "already");
    let another_text = |row: &mut Judged| (row.query_id, row.doc_id) = ("q1".into(), "d9".into());
    fails(another_text, ExchangeFormat::Elasticsearch, "has the text `drill` here");
    // Both know a query by its text, so that two of one text would contradict each other.
    let same_text = |row: &mut Judged| {
        (row.query_id, row.pair.left) = ("q9".into(), Entity::from("red, dress"));
    };
    for format in [ExchangeFormat::Quepid, ExchangeFormat::Opensearch] {
        fails(same_text, format, "queries `q1` and `q9` have one text, `red, dress`");
    }
    let output = Output::open(folder.path().join("out"), Existing::Refuse).unwrap();
    let error =
        write(&judged(), ExchangeFormat::TrecRun, "my tag", output).unwrap_err().to_string();
    assert!(error.contains("the name `my tag` is empty or has white space"), "{error}");
}

/// Elasticsearch must take a query's text for words, not for syntax.
#[test]
fn queries_with_signs_are_words_to_elasticsearch() {
    let mut rows = judged();
    rows.truncate(1);
    rows[0].pair.left = Entity::from("3/4\" pipe: (new OR -old");
    let (_folder, path) = file("x", "");
    let text = written(&rows, ExchangeFormat::Elasticsearch, &path);
    let request: serde_json::Value = serde_json::from_str(&text).unwrap();
    let query = &request["requests"][0]["request"]["query"]["simple_query_string"];
    assert_eq!(
        (&query["query"], &query["flags"]),
        (&"3/4\" pipe: (new OR -old".into(), &"NONE".into())
    );
    let back = read(&path, ExchangeFormat::Elasticsearch).unwrap();
    assert_eq!(back.rows[0].cells[1].as_deref(), Some("3/4\" pipe: (new OR -old"));
}

#[test]
fn identifiers_are_stable() {
    let row = |more: &str| {
        format!(
            r#"{{"task": "query-product", "left": "drill", "right": {{"title": "Drill"}}{more}}}"#
        )
    };
    let lines = [
        row(""),
        row(r#", "group": "g7", "doc_id": 12"#),
        row(r#", "sku": "s1", "query_id": "q9", "group": "g7""#),
        row(r#", "query_id": "17.0", "doc_id": 3.0"#),
    ];
    let (_folder, path) = file("rows.jsonl", lines.join("\n"));
    let options = ReadOptions { further: true, ..ReadOptions::default() };
    let rows: Vec<_> = RowReader::open(&path, &options).unwrap().collect::<Result<_, _>>().unwrap();
    let ids = IdColumns::default();
    let first = ids.of(&rows[0]).unwrap();
    assert!(
        first.0.starts_with('q') && first.1.starts_with('d') && first.1.len() == 17,
        "{first:?}"
    );
    assert_eq!(ids.of(&rows[1]).unwrap(), ("g7".into(), "12".into()));
    let mut spaced = rows[1].clone();
    spaced.group = Some("red shoe".into());
    assert_eq!(ids.of(&spaced).unwrap().0, first.0, "the same left side as the first row's");
    assert_eq!(ids.of(&rows[2]).unwrap(), ("q9".into(), first.1));
    assert_eq!(
        ids.of(&rows[3]).unwrap(),
        ("17".into(), "3".into()),
        "whole numbers of a table with gaps"
    );
    let named = IdColumns { query: Some("group".into()), document: Some("sku".into()) };
    assert_eq!(named.of(&rows[2]).unwrap(), ("g7".into(), "s1".into()));
    assert!(named.of(&rows[1]).unwrap_err().to_string().contains("no value in the column `sku`"));
}
