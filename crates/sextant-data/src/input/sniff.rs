//! Recognizes formats, compressions and encodings by the first bytes of a file.

use crate::Format;

/// The first bytes of every Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// A compression that is decompressed while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

/// The compression that the bytes show, whatever the file's name.
pub(super) fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// Content of a kind that cannot be read: what it is, and what the user can do.
pub(super) fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it first, or pack it with gzip or zstd";
    match head {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some((
            "a zip archive, as Excel workbooks are",
            "save the sheet as CSV UTF-8, or unpack the archive",
        )),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            Some(("an old Excel workbook", "save the sheet as CSV UTF-8"))
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(("compressed by bzip2", UNPACK)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(("compressed by xz", UNPACK)),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(("compressed by lz4", UNPACK)),
        [b'O', b'b', b'j', 1, ..] => Some(("an Avro file", "convert it to Parquet or JSONL")),
        [b'O', b'R', b'C', ..] if head.contains(&0) => {
            Some(("an ORC file", "convert it to Parquet or JSONL"))
        }
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            Some(("an Arrow (Feather) file", "convert it to Parquet"))
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some(("text in UTF-32", "save it as UTF-8"))
        }
        _ => None,
    }
}

/// The encoding that a byte order mark states.
pub(super) fn byte_order_mark(head: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    encoding_rs::Encoding::for_bom(head).map(|(encoding, _)| encoding)
}

/// Whether so many bytes are zero that the content cannot be text in UTF-8 or Latin-1.
pub(super) fn is_mostly_zeros(head: &[u8]) -> bool {
    head.iter().map(|&byte| usize::from(byte == 0)).sum::<usize>() > head.len() / 4
}

/// JSONL, if the text begins like a JSON object. CSV and TSV cannot be recognized by their content.
pub(super) fn text_format(head: &[u8]) -> Option<Format> {
    head.trim_ascii_start().starts_with(b"{").then_some(Format::Jsonl)
}
