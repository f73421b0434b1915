//! What is written reads back as it was.

use crate::file;
use proptest::prelude::*;
use serde_json::json;
use sextant_core::{Entity, Example, Grade, LabelOrigin, Product, Split, Task};
use sextant_data::{
    Column, ColumnKind, Format, ReadOptions, Row, RowReader, RowWriter, read_examples,
    write_examples,
};

fn text() -> impl Strategy<Value = String> {
    // Texts with what formats quote and escape; a leading `{"` has its own test.
    "[a-z,;\"'\t\n\r{}é漢 ]{0,12}[a-z\"][,\"\n ]{0,3}"
        .prop_filter("opens like an object", |text| !text.trim_start().starts_with('{'))
}

fn product() -> impl Strategy<Value = Entity> {
    let lists =
        (prop::collection::vec((text(), text()), 0..3), prop::collection::vec(text(), 0..3));
    let fields = (text(), prop::option::of(text()), prop::option::of(text()), lists);
    fields.prop_map(|(title, brand, description, (attributes, type_path))| {
        Product { title, brand, description, attributes, type_path }.into()
    })
}

fn example() -> impl Strategy<Value = Example> {
    let names = (prop::option::of("[a-z0-9 ]{1,4}"), prop::option::of(text()));
    let rest = (0.001_f32..1e6, 0_usize..3, 0_usize..3, 0_usize..4);
    (text(), prop_oneof![product(), text().prop_map(Entity::from)], names, rest).prop_map(
        |(left, right, (id, group), (weight, grade, origin, split))| Example {
            id,
            group,
            weight,
            source: None,
            origin: LabelOrigin::ALL.get(origin).copied(),
            split: Split::ALL.get(split).copied(),
            ..Example::new(Task::QueryProduct, left, right, Grade::from_index(grade).unwrap())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn examples_round_trip(examples in prop::collection::vec(example(), 0..8)) {
        let folder = tempfile::tempdir().unwrap();
        for format in Format::ALL {
            let path = folder.path().join(format!("rows.{}", format.extension()));
            write_examples(&path, &examples).unwrap();
            let read = read_examples(&path, &ReadOptions::default()).unwrap();
            prop_assert_eq!(&read, &examples, "{:?}", format);
            let bytes = std::fs::read(&path).unwrap();
            write_examples(&path, &read).unwrap();
            prop_assert_eq!(bytes, std::fs::read(&path).unwrap(), "the same bytes each time");
        }
    }
}

/// What scoring does: every row of the input, its own columns, and the results beside them.
#[test]
fn scored_output_in_every_format() {
    let (folder, input) = file(
        "in.jsonl",
        concat!(
            r#"{"task": "query-query", "left": "a", "right": "b", "price": 3}"#,
            "\nnot json\n",
            r#"{"task": "query-query", "left": "c", "right": "d", "price": 3.5, "tags": ["x"], "id": "n"}"#,
        ),
    );
    let options = ReadOptions::default();
    let mut columns = RowReader::columns_of(&input, &options).unwrap();
    let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["task", "left", "right", "price", "tags", "id"]);
    assert_eq!(columns[3].kind, ColumnKind::Number);
    columns.push(Column::new("probs", ColumnKind::Numbers));
    columns.push(Column::new("sure", ColumnKind::Boolean));

    for format in Format::ALL {
        let output = folder.path().join(format!("out.{}", format.extension()));
        let mut writer = RowWriter::create(&output, columns.clone()).unwrap();
        for row in RowReader::open(&input, &options).unwrap().flatten() {
            let mut row = row;
            row.extra.insert("probs".into(), json!([0.25, 0.5, 0.25]));
            row.extra.insert("sure".into(), json!(true));
            writer.write(&row).unwrap();
        }
        assert_eq!(writer.rows(), 2);
        assert!(!output.exists(), "the file appears at the end");
        writer.finish().unwrap();

        let rows: Result<Vec<Row>, _> = RowReader::open(&output, &options).unwrap().collect();
        let rows = rows.unwrap();
        assert_eq!((rows.len(), rows[1].id.as_deref()), (2, Some("n")));
        let cell = |value: serde_json::Value| match format {
            Format::Csv | Format::Tsv => json!(value.to_string()),
            _ => value,
        };
        assert_eq!(rows[0].extra["probs"], cell(json!([0.25, 0.5, 0.25])), "{format:?}");
        assert_eq!(rows[0].extra["sure"], cell(json!(true)));
        assert_eq!(rows[1].extra["price"], cell(json!(3.5)));
    }
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out.csv")).unwrap(),
        "task,left,right,price,tags,id,probs,sure\n\
         query-query,a,b,3,,,\"[0.25,0.5,0.25]\",true\n\
         query-query,c,d,3.5,\"[\"\"x\"\"]\",n,\"[0.25,0.5,0.25]\",true\n"
    );
}

#[test]
fn large_files_stream_through_every_format() {
    let rows = 10_001; // several batches, the last one short
    let examples: Vec<_> = (0..rows)
        .map(|i| Example::new(Task::QueryQuery, format!("query {i}"), "b", Grade::Partial))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join(format!("rows.{}", format.extension()));
        write_examples(&path, &examples).unwrap();
        let reader = RowReader::open(&path, &ReadOptions::default()).unwrap();
        let mut last = 0;
        for (i, row) in reader.enumerate() {
            let row = row.unwrap();
            assert_eq!(row.pair.left.text(), format!("query {i}"));
            last = row.line;
        }
        let header = u64::from(matches!(format, Format::Csv | Format::Tsv));
        assert_eq!(last, rows + header, "{format:?}");
    }
}

#[test]
fn refuses_what_it_could_not_write_faithfully() {
    let folder = tempfile::tempdir().unwrap();
    let row = |left: &str| Row::from(Example::new(Task::QueryQuery, left, "b", Grade::Partial));
    for format in Format::ALL {
        let path = folder.path().join(format!("out.{}", format.extension()));
        let columns = || ["task", "left", "right"].map(Column::known).to_vec();

        let mut scored = row("a");
        scored.extra.insert("score".into(), json!(0.5));
        let write = |columns, rows: &[Row]| {
            let mut writer = RowWriter::create(&path, columns)?;
            rows.iter().try_for_each(|row| writer.write(row))
        };
        let error = write(columns(), &[scored.clone()]).unwrap_err().to_string();
        assert!(error.contains("row 1: no output column `score`"), "{error}");

        let whole = [columns(), vec![Column::new("score", ColumnKind::Integer)]].concat();
        let error = write(whole, &[row("a"), scored]).unwrap_err().to_string();
        let expected = "row 2, column `score`: cannot store 0.5 as a whole number";
        assert!(error.contains(expected), "{error}");

        let doubled = [columns(), columns()].concat();
        let error = RowWriter::create(&path, doubled).unwrap_err().to_string();
        assert!(error.contains("two columns are named `left`"), "{error}");

        // A text that a cell would turn into a product survives only in JSONL.
        let result = write(columns(), &[row("{\"title\": \"x\"}")]);
        assert_eq!(result.is_ok(), format == Format::Jsonl);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
    }
}
