//! Columns that are not interpreted are written as they were read.

use crate::file;
use crate::parquet_types::every_type;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::*;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use sextant_core::Task;
use sextant_data::{BatchReader, BatchWriter, Format, Output, ReadOptions};
use sextant_files::Existing;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Copies a file by reading its batches without the column `score` and writing them.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), sextant_data::DataError> {
    let options = ReadOptions { default_task: Some(Task::QueryQuery), ..ReadOptions::default() };
    let format = Format::of(to)?;
    let mut reader = match format {
        Format::Jsonl => BatchReader::open(from, &options, &["score"])?,
        _ => BatchReader::surveyed(from, &options, &["score"], |_| Ok(()))?,
    };
    let mut writer =
        BatchWriter::create(Output::open(to, Existing::Own)?, format, reader.layout())?;
    while let Some(batch) = reader.next_batch(3) {
        let batch = batch?;
        assert!(batch.columns.num_rows() <= 3);
        writer.write(&batch.columns)?;
    }
    writer.finish()
}

fn copied(name: &str, content: &str, to: &str) -> String {
    let (folder, input) = file(name, content);
    let output = folder.path().join(to);
    copy(&input, &output).unwrap();
    std::fs::read_to_string(output).unwrap()
}

pub(crate) fn write_parquet(path: &Path, batch: &RecordBatch, compression: Compression) {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(crate) fn read_parquet(path: &Path) -> (SchemaRef, RecordBatch) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    let whole = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    (schema, whole)
}

#[test]
fn values_of_jsonl_come_out_as_they_were_written() {
    let rows = concat!(
        r#"{"left":"caf\u00e9","right":"b","id":123456789012345678901234,"h":18446744073709551615,"n":null}"#,
        "\n",
        r#"{"left":{"title":"x",  "price":1.50},"right":"b","ratio":1e-400,"weight":123456789.125}"#,
        "\n",
        r#"{"left":"a","right":"b","list":[1,  2.0,null],"":"","quote\"d":true}"#,
        "\n",
    );
    assert_eq!(copied("in.jsonl", rows, "out.jsonl"), rows);
    // A line with a column to leave out, white space and an escaped key, followed by a blank line.
    let loose = "{ \"left\" : \"a\" , \"score\": 7, \"r\\u0069ght\": \"b\", \"x\": 2 }\n\n";
    assert_eq!(
        copied("in.jsonl", loose, "out.jsonl"),
        "{\"left\":\"a\",\"right\":\"b\",\"x\":2}\n"
    );
}

#[test]
fn cells_of_csv_come_out_as_they_were() {
    let rows = "left,weight,right,grade,note\n\
                a,123456789.125,b,A,\"x, \"\"y\"\"\"\n\
                c,2.5 lb,d,,007\n\
                \"e\ne\",1e3,f,2.00, z \n";
    assert_eq!(copied("in.csv", rows, "out.csv"), rows);
    assert_eq!(
        copied("in.csv", rows, "out.jsonl").lines().nth(1).unwrap(),
        r#"{"left":"c","weight":"2.5 lb","right":"d","note":"007"}"#
    );
}

#[test]
fn json_gets_the_columns_and_types_that_hold_it() {
    let rows = concat!(
        r#"{"left":"a","right":"b","n":1,"big":1,"u":1,"price":1,"tags":[1],"sure":true,"mixed":1}"#,
        "\n",
        r#"{"left":"a","right":"b","n":-7,"big":123456789012345678901234,"u":18446744073709551615,"late":{"a":1.50}}"#,
        "\n",
        r#"{"left":"a","right":{"title":"T"},"n":null,"price":2.5,"tags":[null],"mixed":"one","sure":false}"#,
        "\n",
    );
    assert_eq!(
        copied("in.jsonl", rows, "out.csv"),
        "left,right,n,big,u,price,tags,sure,mixed,late\n\
         a,b,1,1,1,1,[1],true,1,\n\
         a,b,-7,123456789012345678901234,18446744073709551615,,,,,\"{\"\"a\"\":1.50}\"\n\
         a,\"{\"\"title\"\":\"\"T\"\"}\",,,,2.5,[null],false,one,\n"
    );
    let (folder, input) = file("in.jsonl", rows);
    let output = folder.path().join("out.parquet");
    copy(&input, &output).unwrap();
    let (schema, written) = read_parquet(&output);
    let types: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let numbers = DataType::new_list(DataType::Float64, true);
    let expected = [
        DataType::Utf8,
        DataType::Utf8,
        DataType::Int64,
        DataType::Utf8,
        DataType::UInt64,
        DataType::Float64,
        numbers,
        DataType::Boolean,
        DataType::Utf8,
        DataType::Utf8,
    ];
    assert_eq!(types, expected);
    assert_eq!(written["big"].as_string::<i32>().value(1), "123456789012345678901234");
    assert_eq!(written["u"].as_primitive::<UInt64Type>().value(1), u64::MAX);
    assert_eq!(written["late"].as_string::<i32>().value(1), r#"{"a":1.50}"#);
}

#[test]
fn products_in_cells_are_objects_in_jsonl() {
    let rows = "task,left,right\nquery-product,{curly},\"{\"\"title\"\":\n\"\"T\"\"}\"\n";
    assert_eq!(
        copied("in.csv", rows, "out.jsonl"),
        "{\"task\":\"query-product\",\"left\":\"{curly}\",\"right\":{\"title\": \"T\"}}\n"
    );
}

#[test]
fn parts_are_one_input_if_their_columns_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let parts = folder.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    let batch = every_type();
    for part in ["b", "a"] {
        let path = parts.join(format!("part-{part}.parquet"));
        write_parquet(&path, &batch, Compression::SNAPPY);
    }
    let output = folder.path().join("out.parquet");
    copy(&parts, &output).unwrap();
    let (_, whole) = read_parquet(&output);
    assert_eq!(whole.num_rows(), 8);
    assert_eq!(whole["u64"].slice(0, 4).to_data(), whole["u64"].slice(4, 4).to_data());

    let index = batch.schema().index_of("u64").unwrap();
    let mut other = batch.clone();
    let signed = arrow_cast::cast(other.column(index), &DataType::Int32).unwrap();
    let mut fields = batch.schema().fields().to_vec();
    fields[index] = Arc::new(Field::new("u64", DataType::Int32, true));
    let mut columns = other.columns().to_vec();
    columns[index] = signed;
    other = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    write_parquet(&parts.join("part-c.parquet"), &other, Compression::SNAPPY);
    let error = copy(&parts, &folder.path().join("new.parquet")).unwrap_err().to_string();
    assert!(error.contains("part-c.parquet: column `u64` is Int32, and UInt64 in"), "{error}");
    other.remove_column(index);
    write_parquet(&parts.join("part-c.parquet"), &other, Compression::SNAPPY);
    let error = copy(&parts, &folder.path().join("new.parquet")).unwrap_err().to_string();
    assert!(error.contains("part-c.parquet: no column `u64`"), "{error}");
    assert!(!folder.path().join("new.parquet").exists());
}

#[test]
fn a_large_number_in_a_late_row_is_kept() {
    let rows: u64 = 5000;
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("t{i}"))));
    let numbers = (0..rows).map(|i| if i == rows - 1 { u64::MAX } else { i });
    let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(numbers));
    let columns = [("left", texts.clone()), ("right", texts), ("hash", numbers.clone())];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_parquet(&path("in.parquet"), &batch, Compression::SNAPPY);
    copy(&path("in.parquet"), &path("out.parquet")).unwrap();
    assert_eq!(&read_parquet(&path("out.parquet")).1["hash"], &numbers);
    copy(&path("in.parquet"), &path("out.jsonl")).unwrap();
    let text = std::fs::read_to_string(path("out.jsonl")).unwrap();
    let last = r#"{"left":"t4999","right":"t4999","hash":18446744073709551615}"#;
    assert_eq!(text.lines().last(), Some(last));
    // Copying back from JSONL keeps the numbers, since their column gets a type that holds them.
    copy(&path("out.jsonl"), &path("again.parquet")).unwrap();
    assert_eq!(&read_parquet(&path("again.parquet")).1["hash"], &numbers);
}

#[test]
fn parts_without_rows_do_not_end_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let row = "{\"left\":\"a\",\"right\":\"b\"}\n";
    for (format, rows, none) in [("jsonl", row, ""), ("csv", "left,right\na,b\n", "left,right\n")] {
        let parts = folder.path().join(format);
        std::fs::create_dir(&parts).unwrap();
        for (part, text) in
            ["1", "2", "3", "4", "5"].into_iter().zip([none, rows, none, none, rows])
        {
            std::fs::write(parts.join(format!("{part}.{format}")), text).unwrap();
        }
        for (output, lines) in [("out.jsonl", 2), ("out.csv", 3)] {
            let output = folder.path().join(output);
            copy(&parts, &output).unwrap();
            let written = std::fs::read_to_string(output).unwrap();
            assert_eq!(written.lines().count(), lines, "{format}: {written}");
        }
    }
}
