//! Columns of every type that Parquet stores, pages of every codec, and annotations.

use crate::batches::{copy, read_parquet, write_parquet};
use arrow_array::builder::*;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::*;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{BrotliLevel, Compression, ConvertedType, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// Four rows with a column of every type that Parquet stores, and with nulls wherever they are possible.
pub(crate) fn every_type() -> RecordBatch {
    let nulls = || Some(NullBuffer::from(vec![true, false, true, true]));
    let numbers = [i64::MIN, 0, 7, i64::MAX];
    let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
    let mut add = |name: &str, array: ArrayRef| {
        columns.push((Field::new(name, array.data_type().clone(), true), array));
    };
    let texts = vec![Some("a"), Some("b"), Some("c"), Some("{\"title\": \"d\"}")];
    add("left", Arc::new(StringArray::from(texts)));
    add("right", Arc::new(LargeStringArray::from(vec!["a", "b", "c", "d"])));
    add("null", Arc::new(NullArray::new(4)));
    add("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None])));
    macro_rules! primitives {
        ($($name:literal $type:ty: $values:expr),* $(,)?) => {$({
            let values: ScalarBuffer<_> = $values.to_vec().into();
            add($name, Arc::new(PrimitiveArray::<$type>::new(values, nulls())));
        })*};
    }
    primitives!(
        "i8" Int8Type: [-128, 0, 1, 127], "i16" Int16Type: [-32768, 0, 1, 32767],
        "i32" Int32Type: [i32::MIN, 0, 1, i32::MAX], "i64" Int64Type: numbers,
        "u8" UInt8Type: [0, 0, 1, 255], "u16" UInt16Type: [0, 0, 1, 65535],
        "u32" UInt32Type: [0, 0, 1, u32::MAX], "u64" UInt64Type: [0, 0, 1, u64::MAX],
        "f16" Float16Type: [1.5_f32, 0.0, -0.0, f32::INFINITY].map(half::f16::from_f32),
        "f32" Float32Type: [f32::MIN, 0.0, f32::NAN, f32::NEG_INFINITY],
        "f64" Float64Type: [f64::MIN, 0.0, f64::NAN, f64::INFINITY],
        "date32" Date32Type: [-719_162, 0, 19_724, 2_932_896],
        "date64" Date64Type: [-86_400_000, 0, 86_400_000, 1_704_153_600_000],
        "time32s" Time32SecondType: [0, 0, 1, 86_399],
        "time32ms" Time32MillisecondType: [0, 0, 1, 86_399_999],
        "time64us" Time64MicrosecondType: [0, 0, 1, 86_399_999_999],
        "time64ns" Time64NanosecondType: [0, 0, 1, 86_399_999_999_999],
        "ts_s" TimestampSecondType: [-1, 0, 1, 1_704_153_600],
        "ts_ms" TimestampMillisecondType: [-1, 0, 1, 1_704_153_600_123],
        "ts_us" TimestampMicrosecondType: numbers,
        "ts_ns" TimestampNanosecondType: numbers,
        "duration_s" DurationSecondType: numbers, "duration_ns" DurationNanosecondType: numbers,
        "months" IntervalYearMonthType: [-1, 0, 1, 1200],
        "days" IntervalDayTimeType: [IntervalDayTime::new(1, 2); 4],
    );
    for zone in ["UTC", "Europe/Berlin", "+05:30"] {
        let array = TimestampMicrosecondArray::new(numbers.to_vec().into(), nulls());
        add(&format!("ts_{zone}"), Arc::new(array.with_timezone(zone)));
    }
    let decimals: [i128; 4] = [-12_345, 0, 7, 99_999];
    let array = Decimal128Array::new(decimals.to_vec().into(), nulls());
    add("decimal128", Arc::new(array.clone().with_precision_and_scale(10, 2).unwrap()));
    add("decimal128_38", Arc::new(array.with_precision_and_scale(38, 10).unwrap()));
    let array =
        Decimal256Array::from_iter(decimals.map(|n| Some(arrow_buffer::i256::from_i128(n))));
    add("decimal256", Arc::new(array.with_precision_and_scale(50, 2).unwrap()));
    let array = Decimal32Array::new(vec![-12_345, 0, 7, 99_999].into(), nulls());
    add("decimal32", Arc::new(array.with_precision_and_scale(7, 2).unwrap()));
    let array = Decimal64Array::new(vec![-12_345, 0, 7, 99_999].into(), nulls());
    add("decimal64", Arc::new(array.with_precision_and_scale(12, 2).unwrap()));

    let bytes = vec![Some(b"\xff\xd8".as_slice()), None, Some(b""), Some(b"ok")];
    add("binary", Arc::new(BinaryArray::from(bytes.clone())));
    add("large_binary", Arc::new(LargeBinaryArray::from(bytes.clone())));
    add("binary_view", Arc::new(BinaryViewArray::from_iter(bytes)));
    add(
        "text_view",
        Arc::new(StringViewArray::from(vec![Some("é"), None, Some(""), Some("x\ty")])),
    );
    let fixed = |size: usize| {
        let values = (0..4).map(|row| (row != 1).then(|| vec![row as u8; size]));
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, size as i32).unwrap()
    };
    add("fixed_binary", Arc::new(fixed(2)));
    let dictionary: DictionaryArray<Int8Type> =
        vec![Some("red"), None, Some("blue"), Some("red")].into_iter().collect();
    add("dictionary", Arc::new(dictionary));

    // Lists, maps and structs, nested in one another.
    let ints = Int32Array::from(vec![Some(1), None, Some(3), Some(4), Some(5), None]);
    let item = Arc::new(Field::new("element", DataType::Int32, true));
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 2, 6].into());
    let list = ListArray::new(item.clone(), offsets, Arc::new(ints.clone()), nulls());
    add("list", Arc::new(list.clone()));
    let offsets = OffsetBuffer::new(vec![0_i64, 2, 2, 2, 6].into());
    add(
        "large_list",
        Arc::new(LargeListArray::new(item.clone(), offsets, Arc::new(ints.clone()), nulls())),
    );
    let eight: Int32Array = (0..8).map(|i| (i % 3 != 0).then_some(i)).collect();
    add("fixed_list", Arc::new(FixedSizeListArray::new(item, 2, Arc::new(eight), nulls())));
    let offsets = OffsetBuffer::new(vec![0, 1, 1, 1, 4].into());
    let inner = Arc::new(Field::new("element", list.data_type().clone(), true));
    add("nested", Arc::new(ListArray::new(inner, offsets, Arc::new(list.clone()), nulls())));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..4 {
        for entry in 0..row {
            map.keys().append_value(format!("k{entry}"));
            map.values().append_option((entry != 1).then_some(entry));
        }
        map.append(row != 1).unwrap();
    }
    add("map", Arc::new(map.finish()));
    let fields = vec![
        Field::new("numbers", list.data_type().clone(), true),
        Field::new("word", DataType::Utf8, true),
    ];
    let words = StringArray::from(vec![Some("x"), Some("y"), None, Some("z")]);
    let children: Vec<ArrayRef> = vec![Arc::new(list), Arc::new(words)];
    add("struct", Arc::new(StructArray::new(fields.into(), children, nulls())));

    let (mut fields, mut arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let metadata = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
    fields.push(
        Field::new("uuid", DataType::FixedSizeBinary(16), true)
            .with_metadata(metadata("ARROW:extension:name", "arrow.uuid")),
    );
    arrays.push(Arc::new(fixed(16)));
    fields.push(
        Field::new("required", DataType::Int64, false).with_metadata(metadata("unit", "EUR")),
    );
    arrays.push(Arc::new(Int64Array::from(numbers.to_vec())));
    let schema = Schema::new_with_metadata(fields, metadata("owner", "shop 7"));
    RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
}

#[test]
fn parquet_columns_of_every_type_pass_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_parquet(&path("in.parquet"), &every_type(), Compression::UNCOMPRESSED);
    copy(&path("in.parquet"), &path("out.parquet")).unwrap();
    let (schema, expected) = read_parquet(&path("in.parquet"));
    let (written_schema, written) = read_parquet(&path("out.parquet"));
    assert_eq!(written_schema, schema);
    for (i, field) in schema.fields().iter().enumerate() {
        // NaN is not equal to itself, so columns that have it are compared by their debug output.
        let [one, other] = [&expected, &written].map(|batch| batch.column(i).to_data());
        let same = one == other || format!("{one:?}") == format!("{other:?}");
        assert!(same, "{field}: {one:?} {other:?}");
    }
    // Text formats can hold values of each of these types.
    for name in ["out.jsonl", "out.csv", "out.tsv"] {
        copy(&path("in.parquet"), &path(name)).unwrap();
    }
    insta::assert_snapshot!(
        "every_type_as_json",
        std::fs::read_to_string(path("out.jsonl")).unwrap()
    );
    insta::assert_snapshot!("every_type_as_csv", std::fs::read_to_string(path("out.csv")).unwrap());
}

/// Files of pyarrow store `Date64` as days, as Parquet prescribes.
#[test]
fn dates_stay_what_the_file_stores() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.parquet"].map(|name| folder.path().join(name));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let dates = Date64Array::from(vec![Some(86_400_000), None]);
    let mut lists = ListBuilder::new(Date64Builder::new());
    lists.append_value([Some(0), None]);
    lists.append_null();
    let columns: [(&str, ArrayRef); 4] = [
        ("left", texts.clone()),
        ("right", texts),
        ("at", Arc::new(dates)),
        ("all", Arc::new(lists.finish())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let days = WriterProperties::builder().set_coerce_types(true).build();
    let file = File::create(&input).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(days)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    copy(&input, &output).unwrap();
    let stored = |path: &std::path::Path| {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
        let of = columns.iter().map(|column| {
            (column.name().to_owned(), column.physical_type(), column.converted_type())
        });
        of.collect::<Vec<_>>()
    };
    assert_eq!(stored(&input)[2].2, ConvertedType::DATE);
    assert_eq!(stored(&output), stored(&input));
    let (_, written) = read_parquet(&output);
    assert_eq!(
        *written.column_by_name("at").unwrap().as_primitive::<Date32Type>(),
        Date32Array::from(vec![Some(1), None])
    );
}

#[test]
fn pages_of_every_codec_are_read() {
    let codecs = [
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.jsonl"].map(|name| folder.path().join(name));
    for codec in codecs {
        write_parquet(&input, &every_type(), codec);
        copy(&input, &output).unwrap();
        assert_eq!(std::fs::read_to_string(&output).unwrap().lines().count(), 4, "{codec}");
    }
}

#[test]
fn annotations_that_arrow_has_no_words_for_are_kept() {
    // A file as programs without Arrow write it: only the Parquet schema states the types of the values.
    let message = "message schema {
        REQUIRED BYTE_ARRAY left (STRING) = 7;
        REQUIRED BYTE_ARRAY right (STRING);
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) id (UUID);
        OPTIONAL BYTE_ARRAY facts (JSON);
        OPTIONAL BYTE_ARRAY color (ENUM);
        OPTIONAL INT64 at (TIMESTAMP(MICROS,true));
    }";
    let parquet = Arc::new(parquet::schema::parser::parse_message_type(message).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.parquet"].map(|name| folder.path().join(name));
    parquet::file::writer::SerializedFileWriter::new(
        File::create(&input).unwrap(),
        parquet.clone(),
        Arc::default(),
    )
    .unwrap()
    .close()
    .unwrap();
    copy(&input, &output).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(output).unwrap()).unwrap();
    assert_eq!(builder.parquet_schema().root_schema().get_fields(), parquet.get_fields());
}
