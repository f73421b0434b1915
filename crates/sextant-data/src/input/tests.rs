use super::*;
use crate::RowReader;
use std::io::Write;

const ROW: &str = "{\"task\": \"query-query\", \"left\": \"caf\u{e9}\", \"right\": \"b\"}\n";
const CSV: &str = "task,left,right\nquery-query,caf\u{e9},b\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf_16(text: &str, little: bool) -> Vec<u8> {
    let mark = std::iter::once(0xfeff);
    let units = mark.chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// The left texts of an input, or the first error.
fn lefts(path: &Path, options: &ReadOptions) -> Result<Vec<String>, String> {
    RowReader::open(path, options)
        .and_then(|reader| reader.map(|row| Ok(row?.pair.left.text().to_owned())).collect())
        .map_err(|error| error.to_string())
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    lefts(&path, &ReadOptions::default())
}

#[test]
fn compression_and_encoding_are_seen_in_the_content() {
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    // A gzip file of two members, as `cat a.gz b.gz` makes it.
    let two = [gzip(&CSV.as_bytes()[..20]), gzip(&CSV.as_bytes()[20..])].concat();
    for (name, bytes) in [
        ("a.csv.gz", gzip(CSV.as_bytes())),
        ("a.csv", gzip(CSV.as_bytes())),
        ("a.csv", two),
        ("A.JSONL.GZ", gzip(ROW.as_bytes())),
        ("a.jsonl.zst", zstd(ROW)),
        ("a.ndjson", zstd(ROW)),
        ("a.jsonl.gz", ROW.as_bytes().to_vec()), // It was decompressed, but has kept its name.
        ("rows", ROW.as_bytes().to_vec()),       // The format is recognized by the content.
        ("rows.gz", gzip(format!("\u{feff}\n {ROW}").as_bytes())),
        ("a.csv", format!("\u{feff}{CSV}").into_bytes()),
        ("a.csv", utf_16(CSV, true)),
        ("a.csv", utf_16(CSV, false)),
        ("a.jsonl", utf_16(ROW, true)),
        ("a.csv.gz", gzip(&utf_16(CSV, true))),
    ] {
        assert_eq!(read(name, &bytes), Ok(vec!["caf\u{e9}".to_owned()]), "{name} {bytes:?}");
    }
    // Latin-1 is read as Windows-1252, which is what most such files are.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let options = ReadOptions { encoding: Encoding::Latin1, ..ReadOptions::default() };
    std::fs::write(&path, b"task,left,right\nquery-query,caf\xe9 \x933/4\x94,b\n").unwrap();
    assert_eq!(lefts(&path, &options).unwrap(), ["caf\u{e9} \u{201c}3/4\u{201d}"]);
    // A byte order mark takes precedence over the option.
    for bytes in [utf_16(CSV, true), format!("\u{feff}{CSV}").into_bytes()] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(lefts(&path, &options), Ok(vec!["caf\u{e9}".to_owned()]));
    }
}

#[test]
fn content_that_cannot_be_read_is_named() {
    let half = gzip(CSV.repeat(100).as_bytes());
    let unmarked: Vec<u8> = utf_16(CSV, true)[2..].to_vec();
    let lone_surrogate = [&utf_16(CSV, true)[..], &[0, 0xd8, b'x', 0]].concat();
    for (name, bytes, parts) in [
        ("a.csv", b"PK\x03\x04\x14\0".to_vec(), ["a zip archive", "save the sheet as CSV"]),
        ("a.xlsx", b"PK\x03\x04\x14\0".to_vec(), ["Excel", "CSV"]),
        ("a.parquet", b"PK\x03\x04\x14\0".to_vec(), ["Excel", "CSV"]),
        ("a.csv", b"BZh91AY".to_vec(), ["bzip2", "gzip or zstd"]),
        ("a.csv", unmarked, ["UTF-16 without a byte order mark", "save it as UTF-8"]),
        ("a.csv", lone_surrogate, ["cannot read", "not UTF-16LE"]),
        ("a.csv", b"PAR1....".to_vec(), ["is Parquet", "--input-format parquet"]),
        ("a.csv.gz", gzip(b"PAR1...."), ["unpacked content is Parquet", "unpack the file"]),
        ("a.parquet.gz", gzip(b"PAR1...."), ["compressed Parquet", "unpack it"]),
        ("a.csv.gz", gzip(&gzip(CSV.as_bytes())), ["compressed once more", "unpack"]),
        ("a.csv.gz", half[..half.len() / 2].to_vec(), ["cannot read", "a.csv.gz"]),
        ("rows", CSV.as_bytes().to_vec(), ["unknown format", "--input-format csv"]),
        ("rows", Vec::new(), ["unknown format", ".jsonl, .csv, .tsv or .parquet"]),
    ] {
        let error = read(name, bytes).unwrap_err();
        assert!(error.contains(name), "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("latin-1"), "a wrong guess: {error}");
    }
    let options = ReadOptions { format: Some(Format::Csv), ..ReadOptions::default() };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows"), CSV).unwrap();
    assert_eq!(lefts(&folder.path().join("rows"), &options).unwrap().len(), 1);
}

#[test]
fn a_folder_or_a_pattern_of_parts_is_one_input() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let row = |left: &str| ROW.replace("caf\u{e9}", left);
    put("part-2.jsonl", row("c").as_bytes());
    put("part-0.jsonl.gz", &gzip(row("a").as_bytes()));
    put("part-1.JSONL", row("b").as_bytes());
    for name in ["_SUCCESS", ".part-0.jsonl.crc", ".hidden.jsonl", "part-0.crc"] {
        put(name, b"no rows");
    }
    let options = ReadOptions::default();
    let all = Ok(["a", "b", "c"].map(str::to_owned).to_vec());
    assert_eq!(lefts(folder.path(), &options), all);
    assert_eq!(lefts(&folder.path().join("*.[jJ]*"), &options), all);
    assert_eq!(lefts(&folder.path().join("part-[12].*"), &options).unwrap(), ["b", "c"]);

    // Errors name the part in which they are.
    put("part-1.JSONL", b"{}\n");
    let error = lefts(folder.path(), &options).unwrap_err();
    assert!(error.contains("part-1.JSONL line 1, column `task`"), "{error}");
    put("part-3.csv", CSV.as_bytes());
    let error = lefts(folder.path(), &options).unwrap_err();
    assert!(error.contains("part-0.jsonl.gz is jsonl and"), "{error}");
    assert!(error.contains("part-3.csv is csv; the parts of one input"), "{error}");

    let error = lefts(&folder.path().join("*.tsv"), &options).unwrap_err();
    assert!(error.contains("*.tsv: there are no data files in it"), "{error}");
    std::fs::create_dir(folder.path().join("inside")).unwrap();
    let error = lefts(folder.path(), &options).unwrap_err();
    assert!(error.contains("inside is a folder inside") && error.contains("**/"), "{error}");
}

#[test]
fn parts_of_a_table_have_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("0.csv", CSV);
    put("1.csv", "right,left,task\nb,d,query-query\n");
    let read = || lefts(folder.path(), &ReadOptions::default());
    assert_eq!(read().unwrap(), ["caf\u{e9}", "d"]);
    put("1.csv", "task,left,right,price\nquery-query,c,d,3\n");
    let error = read().unwrap_err();
    assert!(error.contains("1.csv: a column `price`, which the first part lacks"), "{error}");
}

/// A pipe gives its bytes only once, and opening it a second time would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("rows.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let link = folder.path().join("link.jsonl");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for path in [&pipe, &link] {
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, ROW.repeat(1000))
        });
        let input = Input::open(path, &ReadOptions::default()).unwrap();
        assert!(!input.is_reopenable());
        let rows = RowReader::over(input, &ReadOptions::default()).unwrap();
        assert_eq!(rows.flatten().count(), 1000);
        writer.join().unwrap().unwrap();
    }
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "PAR1")
    });
    let options = ReadOptions { format: Some(Format::Parquet), ..ReadOptions::default() };
    let error = Input::open(&pipe, &options).unwrap_err().to_string();
    assert!(error.contains("Parquet is read from its end"), "{error}");
    let _ = writer.join().unwrap(); // Writing may have failed because the pipe had no reader.
}
