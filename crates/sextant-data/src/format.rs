//! File formats, which are recognized by the file's extension, and text encodings.

use crate::error::{DataError, RowUnit};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How rows are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// One JSON object per line: `.jsonl`, `.ndjson`.
    Jsonl,
    /// Comma-separated with a header line: `.csv`.
    Csv,
    /// Tab-separated with a header line: `.tsv`, `.tab`. Cells are quoted as in CSV.
    Tsv,
    /// Apache Parquet: `.parquet`, `.pq`.
    Parquet,
}

impl Format {
    /// Every format, in the order in which folders are searched.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Csv, Self::Tsv, Self::Parquet];

    /// The format that the extension of `path` names, in upper or lower case.
    ///
    /// # Errors
    /// [`DataError::UnknownFormat`] if the extension names none.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            Some("csv") => Ok(Self::Csv),
            Some("tsv" | "tab") => Ok(Self::Tsv),
            Some("parquet" | "pq") => Ok(Self::Parquet),
            _ => Err(DataError::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// The format of a file to be read, by its name. After the extension of the format, the name may have
    /// that of a compression, `.gz` or `.zst`.
    pub fn of_input(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        Self::of(Path::new(uncompressed_name(name))).ok()
    }

    /// The unit in which the positions of rows are counted.
    pub const fn row_unit(self) -> RowUnit {
        match self {
            Self::Parquet => RowUnit::Row,
            Self::Jsonl | Self::Csv | Self::Tsv => RowUnit::Line,
        }
    }

    /// The extension that files of this format get, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        }
    }
}

/// A file's name without the extension of a compression; compressed files are decompressed while reading.
pub(crate) fn uncompressed_name(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if ["gz", "gzip", "zst", "zstd"].contains(&&*extension.to_ascii_lowercase()) =>
        {
            stem
        }
        _ => name,
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.extension())
    }
}

impl std::str::FromStr for Format {
    type Err = sextant_core::UnknownName;

    /// Reads an extension, without the dot.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::of(Path::new(&format!("x.{name}"))).map_err(|_| sextant_core::UnknownName {
            what: "format",
            found: name.to_owned(),
            expected: Self::ALL.map(Self::extension).join(", "),
        })
    }
}

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.extension())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// The character encoding of a text file (JSONL, CSV, TSV). Parquet is always UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8; other bytes are an error.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    /// Latin-1 in the usual sense of Windows-1252, which has printable characters where ISO-8859-1 has
    /// control codes. Every byte is valid.
    #[serde(rename = "latin-1", alias = "latin1")]
    Latin1,
}

impl Encoding {
    /// The name that options use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "latin-1",
        }
    }
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Encoding {
    type Err = sextant_core::UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "latin-1" | "latin1" => Ok(Self::Latin1),
            _ => Err(sextant_core::UnknownName {
                what: "encoding",
                found: name.to_owned(),
                expected: "utf-8, latin-1".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_names_the_format() {
        for format in Format::ALL {
            let name = format!("a.b/train.{}", format.extension());
            assert_eq!(Format::of(Path::new(&name)).unwrap(), format);
            assert_eq!(Format::of(Path::new(&name.to_uppercase())).unwrap(), format);
        }
        for (name, format) in [
            ("a.ndjson", Format::Jsonl),
            ("a.tab", Format::Tsv),
            ("A.JSONL.GZ", Format::Jsonl),
            ("a.csv.zst", Format::Csv),
            ("a.pq", Format::Parquet),
        ] {
            assert_eq!(Format::of_input(Path::new(name)), Some(format), "{name}");
        }
        for name in ["a.gz", "gz", "a.csv.bz2", "-"] {
            assert_eq!(Format::of_input(Path::new(name)), None, "{name}");
        }
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("xlsx".parse::<Format>().unwrap_err().to_string().contains("jsonl, csv"));
        for name in ["train", "train.json", "train.xlsx", ".csv", "train.csv.gz"] {
            let error = Format::of(Path::new(name)).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(".parquet"), "{error}");
        }
    }

    #[test]
    fn encodings_have_names() {
        for encoding in [Encoding::Utf8, Encoding::Latin1] {
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
            let json = serde_json::to_string(&encoding).unwrap();
            assert_eq!(json, format!("\"{encoding}\""));
            assert_eq!(serde_json::from_str::<Encoding>(&json).unwrap(), encoding);
        }
        assert!("utf-16".parse::<Encoding>().unwrap_err().to_string().contains("latin-1"));
    }
}
