//! Every fault of a file is an error that says where it is and how to mend it.

use crate::file;
use sextant_data::{DataError, Quoting, ReadOptions, RowReader, read_examples};

fn error_of(name: &str, content: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file(name, content);
    let error = read_examples(&path, &ReadOptions::default()).unwrap_err().to_string();
    let path = path.to_string_lossy().into_owned();
    assert!(error.starts_with(&path), "{error}");
    error[path.len()..].to_owned()
}

/// The error messages for a good row followed by a row with `field` replaced or left out, in JSONL and in
/// CSV.
fn errors_of_row(field: &str, value: Option<&str>) -> [String; 2] {
    fn row<'a>(field: &str, value: Option<&'a str>) -> [(&'static str, Option<&'a str>); 7] {
        let fields = [
            ("task", "query-product"),
            ("left", "drill"),
            ("right", "Drill 18V"),
            ("grade", "2"),
            ("weight", "1"),
            ("origin", "human"),
            ("split", "train"),
        ];
        fields.map(|(name, good)| (name, if name == field { value } else { Some(good) }))
    }
    let jsonl = [row("", None), row(field, value)].map(|row| {
        let fields = row.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        serde_json::to_string(&fields.collect::<std::collections::BTreeMap<_, _>>()).unwrap()
    });
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(row("", None).map(|(name, _)| name)).unwrap();
    for row in [row("", None), row(field, value)] {
        csv.write_record(row.map(|(_, value)| value.unwrap_or_default())).unwrap();
    }
    let csv = csv.into_inner().unwrap();
    [error_of("rows.jsonl", jsonl.join("\n")), error_of("rows.csv", csv)]
}

#[test]
fn values() {
    let cases: [(&str, Option<&str>, &[&str]); 14] = [
        ("task", Some("query-brand"), &["unknown task `query-brand`", "product-type"]),
        ("task", None, &["no value", "default task"]),
        ("grade", Some("3"), &["unknown grade `3`", "2 (relevant)"]),
        ("grade", Some("-1"), &["unknown grade `-1`"]),
        ("grade", Some("exact"), &["unknown grade `exact`"]),
        ("grade", None, &["no value", "needs one"]),
        ("left", Some(" \t "), &["the text is empty", "both sides"]),
        ("weight", Some("0"), &["not a finite number above 0", "leave it out"]),
        ("weight", Some("-2"), &["`-2`"]),
        ("weight", Some("NaN"), &["`NaN`"]),
        ("weight", Some("1e39"), &["`1e39`"]), // The number is too large for an `f32`.
        ("weight", Some("heavy"), &["`heavy`"]),
        ("origin", Some("machine"), &["unknown label origin `machine`", "human, derived"]),
        ("split", Some("holdout"), &["unknown split `holdout`", "train, dev, test"]),
    ];
    for (field, value, parts) in cases {
        for (error, line) in errors_of_row(field, value).iter().zip([2, 3]) {
            let place = format!(" line {line}, column `{field}`: ");
            assert!(error.starts_with(&place), "{error}");
            for part in parts {
                assert!(error.contains(part), "{error}");
            }
        }
    }
}

#[test]
fn products() {
    let row = |left: &str, right: &str| {
        format!(r#"{{"task": "query-product", "left": {left}, "right": {right}, "grade": 1}}"#)
    };
    for (left, right, parts) in [
        (r#""q""#, r#"{"name": "x"}"#, ["column `right`: not a product", "`name`"]),
        (r#""q""#, r#"{"title": "x", "attributes": 3}"#, ["`right`: not a product", "title"]),
        (r#""q""#, r#"{"title": ""}"#, ["column `right`", "the text is empty"]),
        (r#""q""#, "17", ["column `right`: found 17", "a text in quotes"]),
        (r#"{"title": "x"}"#, r#""p""#, ["`left`: a product object", "is a query"]),
    ] {
        let error = error_of("rows.jsonl", row(left, right));
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let csv = "task,left,right,grade\nquery-product,q,\"{\"\"title\"\": \"\"Dr\",1\n";
    let error = error_of("rows.csv", csv);
    assert!(error.contains("line 2, column `right`: not a product: EOF"), "{error}");
}

#[test]
fn missing_columns() {
    for name in ["rows.csv", "rows.tsv"] {
        let header = ["task", "left", "right", "grade"];
        let separator = if name.ends_with("csv") { "," } else { "\t" };
        for missing in header {
            let rest: Vec<_> = header.into_iter().filter(|name| *name != missing).collect();
            let error = error_of(name, format!("{}\n", rest.join(separator)));
            assert!(error.contains(&format!("no column `{missing}`")), "{error}");
            assert!(error.contains(&format!("it has `{}`", rest[0])), "{error}");
        }
        let error = error_of(name, "task;left;right;grade\nquery-query;a;b;1\n");
        assert!(error.contains("separated by `;`: read the file with --separator ';'"), "{error}");
        let error = error_of(name, header.join(separator).to_uppercase());
        assert!(error.contains("lower case"), "{error}");
    }
    let error = error_of("rows.jsonl", r#"{"task": "query-query", "left": "a", "grade": 1}"#);
    assert!(error.contains("line 1, column `right`: no value"), "{error}");
}

#[test]
fn broken_lines_of_jsonl() {
    let good = r#"{"task": "query-query", "left": "a", "right": "b", "grade": 1}"#;
    for (line, part) in [
        (&br#"{"task": "query-query", "left": "a"#[..], "line 3: bad JSON: EOF"),
        (b"[1, 2]", "line 3: bad JSON: not an object"),
        (b"{\"left\": \"a\xff\"}", "line 3: byte 12 is not UTF-8; save the file as UTF-8"),
        (b"{\"left\": \"a\"} {}", "line 3: bad JSON: trailing characters at character 15"),
        (
            b"{\"left\": \"a\", \"left\": \"z\"}",
            "line 3: the key `left` stands in the object twice",
        ),
        (
            br#"{"left": {"title": "a", "brand": "b", "brand": "c"}}"#,
            "line 3: bad JSON: a key stands twice in an object; give it once at character",
        ),
        (b"{\"x\": 1, \"\\u0078\": 2}", "line 3: the key `x` stands in the object twice"),
    ] {
        let content = [good.as_bytes(), b"", line].join(&b"\n"[..]);
        let error = error_of("rows.jsonl", content);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn broken_tables_of_text() {
    let header = "task,left,right,grade\n";
    let row = "query-query,a,b,1\n";
    for (bad, part) in [
        ("query-query,a,b", "line 3: 3 cells where the header has 4; quote cells"),
        ("query-query,a, with comma,b,1", "line 3: 5 cells"),
    ] {
        let error = error_of("rows.csv", format!("{header}{row}{bad}\n"));
        assert!(error.contains(part), "{error}");
    }
    let error = error_of("rows.csv", b"task,left,right,grade\nquery-query,a,caf\xe9,1\n");
    assert!(error.contains("line 2, column `right`: byte 4 is not UTF-8"), "{error}");
    let error = error_of("rows.csv", b"task,left,right,grade,caf\xe9\n");
    assert!(error.contains("line 1: the column names are not UTF-8"), "{error}");
    let error = error_of("rows.csv", "task,left,right,left,grade\n");
    assert!(error.contains("two columns are named `left`"), "{error}");
    for empty in ["", "\n\n"] {
        assert!(error_of("rows.csv", empty).contains("the file is empty"));
    }
}

/// A quote that is never closed makes the rest of the file one cell, which must be an error.
#[test]
fn unclosed_quote() {
    let content = "left,right,grade,task,note\na,b,1,query-query,\"5 inch\nc,d,1,query-query,x\n";
    let error = error_of("rows.csv", content);
    let expected = "line 2, column `note`: the cell opens with a quote that is never closed";
    assert!(error.contains(expected) && error.contains("--quoting none"), "{error}");
    // A cell that is closed at the end of the file is accepted, unless lines in it look like rows.
    let (_folder, path) = file("rows.csv", content.replace("d,1", "d 1").replace("x\n", "x\"\n"));
    assert_eq!(read_examples(&path, &ReadOptions::default()).unwrap().len(), 1);
    let error = error_of("rows.csv", content.replace("x\n", "x\"\n"));
    let expected = "line 2, column `note`: the cell opens with a quote and holds lines that look like \
        rows, such as line 3; if quotes are ordinary characters here, such as inch marks, read the file \
        with --quoting none (`data.quoting` in a recipe); if the cell really has all these lines, say --quoting rfc4180";
    assert!(error.contains(expected), "{error}");
}

/// A thousand rows, in which one title begins with an inch mark and another title is `second`.
fn with_inch_marks(separator: &str, second: &str) -> String {
    let mut lines = vec!["task\tleft\tright\tgrade".to_owned()];
    for i in 1..=1000 {
        lines.push(match i {
            10 => "query-product\tmonitor\t\"24 inch monitor\t2".to_owned(),
            900 => format!("query-product\ttv\t{second}\t1"),
            _ => format!("query-product\tmonitor {i}\tMonitor number {i}\t{}", i % 3),
        });
    }
    lines.join("\n").replace('\t', separator) + "\n"
}

#[test]
fn rows_are_not_swallowed_by_quotes() {
    let quoted = |quoting| ReadOptions { quoting: Some(quoting), ..ReadOptions::default() };
    for (name, separator) in [("rows.csv", ","), ("rows.tsv", "\t")] {
        let content = with_inch_marks(separator, "\"32 inch tv");
        let error = error_of(name, &content);
        let expected = "line 11, column `right`: the cell opens with a quote whose next quote, on line \
            901, is followed by text; if quotes are ordinary characters here, such as inch marks, read \
            the file with --quoting none (`data.quoting` in a recipe); else double the quotes inside the cell";
        assert!(error.contains(expected), "{error}");
        // A title that ends with an inch mark closes the quoted cell, which is then well-formed.
        let error = error_of(name, with_inch_marks(separator, "32\""));
        assert!(error.contains("line 11, column `right`") && error.contains("line 12"), "{error}");

        let (_folder, path) = file(name, &content);
        let rows = read_examples(&path, &quoted(Quoting::None)).unwrap();
        assert_eq!(rows.len(), 1000);
        assert_eq!(rows[9].pair.right.text(), "\"24 inch monitor");
        // After the fault it is uncertain where rows start, so nothing more is read.
        let rows: Vec<_> = RowReader::open(&path, &ReadOptions::default()).unwrap().collect();
        assert_eq!(rows.len(), 10);
        assert!(rows[..9].iter().all(Result::is_ok) && matches!(rows[9], Err(DataError::Quote(_))));
    }
}

#[test]
fn text_after_a_quote_and_escaped_quotes() {
    let error =
        error_of("rows.csv", "task,left,right\nquery-query,pipe,\"Half inch\" copper pipe\n");
    assert!(error.contains("no column `grade`"), "{error}");
    let error = error_of(
        "rows.csv",
        "task,grade,left,right\nquery-query,1,pipe,\"Half inch\" copper pipe\n",
    );
    let expected =
        "line 2, column `right`: the cell opens with a quote and goes on after the quote";
    assert!(error.contains(expected), "{error}");

    let spark = "task,left,right,grade,note\n\
        query-product,monitor,\"Monitor 24\\\"\",1,x\nquery-product,tv,\"TV 32\\\"\",1,y\n";
    let error = error_of("rows.csv", spark);
    let expected =
        "line 2, column `right`: the cell opens with a quote whose next quote, on line 3";
    assert!(error.contains(expected) && error.contains("--quoting backslash"), "{error}");
    let (_folder, path) = file("rows.csv", spark);
    let options = ReadOptions { quoting: Some(Quoting::Backslash), ..ReadOptions::default() };
    let rows = read_examples(&path, &options).unwrap();
    let texts: Vec<_> = rows.iter().map(|row| row.pair.right.text()).collect();
    assert_eq!(texts, ["Monitor 24\"", "TV 32\""]);
}

#[test]
fn rows_are_bounded() {
    let options = ReadOptions { max_row_bytes: 1 << 10, ..ReadOptions::default() };
    let error = |name: &str, content: &str| {
        let (_folder, path) = file(name, content);
        read_examples(&path, &options).unwrap_err().to_string()
    };
    let header = "task,left,right,grade\n";
    let long = error("rows.csv", &format!("{header}query-query,\"5 inch,{}", "a\n".repeat(1000)));
    let parts = ["line 2, column `left`", "not closed within 1 KiB", "--max-row-bytes"];
    assert!(parts.iter().all(|part| long.contains(part)), "{long}");
    let long = error("rows.csv", &format!("{header}query-query,{},b,1\n", "a".repeat(2000)));
    assert!(long.contains("line 2: the row is longer than 1 KiB"), "{long}");

    // The end of a JSONL line is certain, so the next line can be read.
    let row = |left: &str| {
        format!(
            "{{\"task\": \"query-query\", \"left\": \"{left}\", \"right\": \"b\", \"grade\": 1}}\n"
        )
    };
    let (_folder, path) = file("rows.jsonl", row("a") + &row(&"long ".repeat(1000)) + &row("c"));
    let rows: Vec<_> = RowReader::open(&path, &options).unwrap().collect();
    assert_eq!(rows.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let error = rows[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("line 2: the line is longer than 1 KiB"), "{error}");
}

#[test]
fn separators_of_spreadsheets() {
    let rows = |name: &str, content: &str, options: &ReadOptions| {
        let (_folder, path) = file(name, content);
        read_examples(&path, options).map(|rows| rows.len()).map_err(|error| error.to_string())
    };
    let semicolons = "task;left;right;grade\nquery-query;a, b;c;1\n";
    let options = ReadOptions { separator: Some(";".parse().unwrap()), ..ReadOptions::default() };
    assert_eq!(rows("rows.csv", semicolons, &options), Ok(1));
    for (separator, option) in [("|", "'|'"), ("\t", "tab")] {
        let error = error_of("rows.csv", semicolons.replace(';', separator));
        assert!(error.contains(&format!("--separator {option}")), "{error}");
    }
    let error = error_of("rows.tsv", "task,left,right,grade\n");
    assert!(error.contains("--separator ','"), "{error}");
    // Excel states the separator in the first line, and also writes cells for columns that are no longer
    // used.
    for end in ["\n", "\r\n"] {
        let excel = format!("sep=;{end}task;left;right;grade;;{end}query-query;a;b;1;;{end}");
        assert_eq!(rows("rows.csv", &excel, &ReadOptions::default()), Ok(1));
        let error = error_of("rows.csv", excel.replace("1;;", "1; ;x"));
        let expected = "line 3: column 6 has no name but holds \"x\"; name it, or remove it";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn lines_of_any_end_are_counted() {
    for end in ["\n", "\r\n", "\r"] {
        let rows =
            "task,left,right,grade\nquery-query,a,b,1\nquery-query,,b,1\n".replace('\n', end);
        let error = error_of("rows.csv", rows);
        assert!(error.contains("line 3, column `left`: the text is empty"), "{error}");
        let good = r#"{"task": "query-query", "left": "a", "right": "b", "grade": 1}"#;
        let error = error_of("rows.jsonl", format!("{good}{end}{end}{{}}{end}"));
        assert!(error.contains("line 3, column `task`"), "{error}");
    }
}

#[test]
fn files() {
    let error = error_of("rows.parquet", "task,left,right,grade\n");
    assert!(error.contains("not a readable Parquet file"), "{error}");
    let error = error_of("rows.xlsx", "PK");
    assert!(error.contains("unknown format; name the file .jsonl"), "{error}");
    let error = read_examples("none/rows.csv", &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read none/rows.csv: No such file"), "{error}");
}

/// A damaged file: truncated, so that the footer is missing, or with a damaged page.
#[test]
fn damaged_parquet() {
    let (_folder, path) = file("rows.parquet", "");
    let row = sextant_core::Example::new(
        sextant_core::Task::QueryQuery,
        "a long enough text",
        "b",
        sextant_core::Grade::Partial,
    );
    sextant_data::write_examples(&path, &vec![row; 100], sextant_files::Existing::Refuse).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], &[&[0; 200], &whole[200..]].concat()] {
        std::fs::write(&path, damaged).unwrap();
        let error = read_examples(&path, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("rows.parquet: not a readable Parquet file"), "{error}");
    }
    // The library panics on some damaged Arrow schemas in the metadata, which must be an error, too.
    let mark = b"ARROW:schema";
    let at = whole.windows(mark.len()).position(|part| part == mark).unwrap() + mark.len();
    let refused = (8..200).filter(|start| {
        let mut damaged = whole.clone();
        damaged[at + start..at + start + 16].fill(b'A');
        std::fs::write(&path, damaged).unwrap();
        read_examples(&path, &ReadOptions::default()).is_err()
    });
    assert!(refused.count() > 50);
}
