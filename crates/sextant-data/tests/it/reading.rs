//! The same rows are read from every format.

use crate::file;
use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Float32Array, Int32Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use serde_json::json;
use sextant_core::{Entity, Example, Grade, LabelOrigin, Product, Split, Task};
use sextant_data::{DataError, Encoding, ReadOptions, Row, RowReader, json_number, read_examples};
use std::sync::Arc;

fn drill() -> Product {
    Product {
        title: "Drill 18V".into(),
        brand: Some("Acme".into()),
        attributes: vec![("volts".into(), "18".into())],
        type_path: vec!["Tools".into(), "Drills".into()],
        ..Product::default()
    }
}

fn expected() -> Vec<Example> {
    let mut rows = vec![
        Example::new(Task::QueryProduct, "cordless, \"18v\" drill", drill(), Grade::Relevant),
        Example::new(Task::TypeType, "café table", "Tables", Grade::Partial),
    ];
    rows[0].id = Some("7".into());
    rows[0].group = Some("q1".into());
    rows[0].weight = 0.1;
    rows[0].source = Some("shop".into());
    rows[0].origin = Some(LabelOrigin::Human);
    rows[0].split = Some(Split::Dev);
    rows
}

const JSONL: &str = r#"{"id": 7, "task": "query-product", "left": "cordless, \"18v\" drill", "right": {"title": "Drill 18V", "brand": "Acme", "attributes": [["volts", "18"]], "type_path": ["Tools", "Drills"]}, "grade": 2, "group": "q1", "weight": 0.1, "source": "shop", "origin": "human", "split": "dev"}

{"task": "type-type", "left": "café table", "right": "Tables", "grade": "partial", "group": null}
"#;

const CSV: &str = r#"id,task,left,right,grade,group,weight,source,origin,split
7,query-product,"cordless, ""18v"" drill","{""title"": ""Drill 18V"", ""brand"": ""Acme"", ""attributes"": {""volts"": 18}, ""type_path"": [""Tools"", ""Drills""]}",2,q1,0.1,shop,human,dev
,type-type,café table,Tables,1.0,,,,,
"#;

#[test]
fn formats_agree() {
    let tsv = CSV.replace("cordless, ", "cordless@ ").replace("\", \"", "\"@ \"");
    let tsv = tsv.replace("]}", "]@}").replace(", ", "@ ").replace(',', "\t").replace('@', ",");
    let tsv = tsv.replace("],}", "]}");
    for (name, content) in [
        ("rows.jsonl", JSONL.to_owned()),
        ("rows.ndjson", format!("\u{feff}{}", JSONL.replace('\n', "\r\n"))),
        ("rows.csv", CSV.to_owned()),
        ("rows.csv", format!("\u{feff}{}", CSV.replace('\n', "\r\n"))),
        ("rows.tsv", tsv),
    ] {
        let (_folder, path) = file(name, &content);
        let rows = read_examples(&path, &ReadOptions::default());
        assert_eq!(rows.unwrap(), expected(), "{content}");
    }
}

#[test]
fn latin_1_is_read_when_asked_for() {
    let latin_1 = |text: &str| -> Vec<u8> { text.chars().map(|c| c as u32 as u8).collect() };
    let options = ReadOptions { encoding: Encoding::Latin1, ..ReadOptions::default() };
    for (name, content) in [("rows.csv", CSV), ("rows.jsonl", JSONL)] {
        let (_folder, path) = file(name, latin_1(content));
        assert_eq!(read_examples(&path, &options).unwrap(), expected());
        let error = read_examples(&path, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("latin-1"), "{error}");
    }
}

#[test]
fn a_row_may_span_lines_and_counts_by_its_first() {
    for end in ["\n", "\r\n"] {
        let content = "task,left,right,grade\nquery-query,\"a\nb\",c,1\n\n\nquery-query,d,e,9\n";
        let (_folder, path) = file("rows.csv", content.replace('\n', end));
        let rows: Vec<_> = RowReader::open(&path, &ReadOptions::default()).unwrap().collect();
        let first = rows[0].as_ref().unwrap();
        assert_eq!((first.line, first.pair.left.text()), (2, &*format!("a{end}b")));
        let DataError::Row(error) = rows[1].as_ref().unwrap_err() else { panic!("{rows:?}") };
        assert_eq!(error.row, 6, "{end:?}");
    }
}

#[test]
fn the_task_can_be_given_for_the_whole_file() {
    let options = ReadOptions { default_task: Some(Task::QueryType), ..ReadOptions::default() };
    for (name, content) in [
        ("rows.csv", "left,right\ndrill,Drills\n"),
        ("rows.csv", "task,left,right\n,drill,Drills\n"),
        ("rows.jsonl", r#"{"left": "drill", "right": "Drills"}"#),
    ] {
        let (_folder, path) = file(name, content);
        let rows: Result<Vec<Row>, _> = RowReader::open(&path, &options).unwrap().collect();
        let rows = rows.unwrap();
        assert_eq!((rows.len(), rows[0].pair.task, rows[0].grade), (1, Task::QueryType, None));
    }
}

#[test]
fn a_bad_row_does_not_end_the_reading() {
    let (_folder, path) = file(
        "rows.csv",
        b"task,left,right\nquery-query,a,b\nquery-brand,a,b\nquery-query,a\nquery-query,a,\xff\nquery-query,c,d\n",
    );
    let rows: Vec<_> = RowReader::open(&path, &ReadOptions::default()).unwrap().collect();
    let lines: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Ok(row) => (row.line, true),
            Err(DataError::Row(error)) => (error.row, false),
            Err(other) => panic!("{other}"),
        })
        .collect();
    assert_eq!(lines, [(2, true), (3, false), (4, false), (5, false), (6, true)]);
}

/// Columns with the types that other tools write: structs for products, small integers, floats, lists, maps.
#[test]
fn parquet_of_other_tools() {
    let texts = |texts: [Option<&str>; 2]| Arc::new(StringArray::from_iter(texts)) as ArrayRef;
    let mut attributes = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    attributes.keys().append_value("volts");
    attributes.values().append_value("18");
    attributes.append(true).unwrap();
    attributes.append(false).unwrap();
    let attributes: ArrayRef = Arc::new(attributes.finish());
    let mut path_builder = arrow_array::builder::ListBuilder::new(StringBuilder::new());
    path_builder.append_value([Some("Tools"), Some("Drills")]);
    path_builder.append_null();
    let type_path: ArrayRef = Arc::new(path_builder.finish());
    let text = |name| Arc::new(Field::new(name, DataType::Utf8, true));
    let field =
        |name, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let right: ArrayRef = Arc::new(StructArray::from(vec![
        (text("title"), texts([Some("Drill 18V"), Some("Saw")])),
        (text("brand"), texts([Some("Acme"), None])),
        (field("attributes", &attributes), attributes),
        (field("type_path", &type_path), type_path),
    ]));
    let numbers: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        None,
    ]));
    let batch = RecordBatch::try_from_iter([
        ("task", texts([Some("query-product"), Some("query-product")])),
        ("left", texts([Some("drill"), Some("saw")])),
        ("right", right),
        ("grade", Arc::new(Int32Array::from(vec![Some(2), None])) as ArrayRef),
        ("weight", Arc::new(Float32Array::from(vec![0.1, 1.0])) as ArrayRef),
        ("numbers", numbers),
    ])
    .unwrap();
    let (_folder, path) = file("rows.parquet", "");
    let output = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(output, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let rows: Result<Vec<Row>, _> =
        RowReader::open(&path, &ReadOptions::default()).unwrap().collect();
    let rows = rows.unwrap();
    assert_eq!(rows[0].pair.right, Entity::from(drill()));
    let saw = Product { title: "Saw".into(), ..Product::default() };
    assert_eq!(rows[1].pair.right, Entity::from(saw));
    assert_eq!((rows[0].grade, rows[1].grade), (Some(Grade::Relevant), None));
    assert_eq!(json_number(rows[0].weight), json!(0.1));
    assert_eq!((rows[0].line, rows[1].line), (1, 2));

    let error = read_examples(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("row 2, column `grade`: no value"), "{error}");
}
