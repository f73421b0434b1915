//! What tests of imports share.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use sextant_data::import::{ImportError, ImportMap, ImportOptions, ImportReport, import};
use sextant_data::{BatchWriter, Format, Layout, Output, ReadOptions, Row, RowReader};
use sextant_files::Existing;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// The beginning of a map of rated pairs of queries, to which the labels' meaning is to be added.
pub(crate) const RATED: &str = r#"
name = "rated"
task = "query-query"
[ratings]
path = "ratings.csv"
[left]
text = "a"
[right]
text = "b"
[label]
column = "stars"
"#;

/// Imports by a map whose tables are in `folder`; the rows, and what was reported.
pub(crate) fn run(
    map: &str,
    folder: &Path,
    format: Format,
) -> Result<(Vec<Row>, ImportReport), ImportError> {
    let map = ImportMap::parse(map, Path::new("map.toml"))?;
    let out = folder.join(format!("out.{format}"));
    let options = ImportOptions {
        sources: folder.to_owned(),
        output: Output::open(&out, Existing::Overwrite).unwrap(),
        format,
        temporary: folder.to_owned(),
    };
    let report = import(&map, options, &mut |_| ControlFlow::Continue(()))?;
    let options = ReadOptions { further: true, ..ReadOptions::default() };
    let rows = RowReader::open(&out, &options).unwrap().collect::<Result<_, _>>().unwrap();
    Ok((rows, report))
}

pub(crate) fn failure(map: &str, folder: &Path) -> String {
    let error = run(map, folder, Format::Jsonl).unwrap_err().to_string();
    assert!(!folder.join("out.jsonl").exists(), "nothing is left: {error}");
    error
}

pub(crate) fn parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let output = Output::open(path, Existing::Refuse).unwrap();
    let layout = Layout::from(batch.schema());
    let mut writer = BatchWriter::create(output, Format::Parquet, Some(&layout)).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(crate) fn published(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/import");
    std::fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

pub(crate) fn further<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.further.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

pub(crate) fn grades(rows: &[Row]) -> Vec<usize> {
    rows.iter().map(|row| row.grade.unwrap().index()).collect()
}

/// Amazon's tables, with a product of the same id in two locales and one without a title.
pub(crate) fn esci(folder: &Path) {
    let some =
        |values: &[&'static str]| texts(&values.iter().map(|v| Some(*v)).collect::<Vec<_>>());
    parquet(
        &folder.join("shopping_queries_dataset_examples.parquet"),
        vec![
            ("example_id", numbers(&[0, 1, 2, 3, 4, 5])),
            ("query", some(&["drill", "drill", "drill", "taladro", "red shoe", "red shoe"])),
            ("query_id", numbers(&[7, 7, 7, 8, 9, 9])),
            ("product_id", some(&["B01", "B02", "B03", "B01", "B04", "B02"])),
            ("product_locale", some(&["us", "us", "us", "es", "us", "us"])),
            ("esci_label", some(&["E", "S", "C", "E", "I", "I"])),
            ("small_version", numbers(&[1, 1, 0, 1, 0, 0])),
            ("large_version", numbers(&[1, 1, 1, 1, 1, 1])),
            ("split", some(&["train", "train", "train", "train", "test", "test"])),
        ],
    );
    parquet(
        &folder.join("shopping_queries_dataset_products.parquet"),
        vec![
            ("product_id", some(&["B01", "B01", "B02", "B03", "B04", "B99"])),
            (
                "product_title",
                texts(&[
                    Some("Drill 18V"),
                    Some("Taladro 18V"),
                    Some("Hammer &amp; nails"),
                    Some("Bit set"),
                    None,
                    Some("never needed"),
                ]),
            ),
            (
                "product_description",
                texts(&[Some("<p>Two-speed<br>drill</p>"), None, None, None, None, None]),
            ),
            (
                "product_bullet_point",
                texts(&[Some("with battery\nand case"), None, None, None, None, None]),
            ),
            ("product_brand", texts(&[Some("Acme"), None, None, None, None, None])),
            ("product_color", texts(&[Some("Red"), None, Some(""), None, None, None])),
            ("product_locale", some(&["us", "es", "us", "us", "us", "us"])),
        ],
    );
}
