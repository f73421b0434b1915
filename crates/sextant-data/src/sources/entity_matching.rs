//! Product matching sets in the text form of DITTO: Abt-Buy, Amazon-Google, Walmart-Amazon and
//! four categories of the Web Data Commons (WDC) training sets.
//!
//! A line is `COL name VAL text COL … <TAB> COL … <TAB> 0|1`. The published splits of these sets
//! share offers, and the sizes of the WDC sets overlap, so all lines are read as one pool.

use super::SourceError;
use super::table::{Charset, line_error, read_text};
use crate::clean::collapse;
use sextant_core::Product;
use std::path::Path;

/// The sets: the name of the folder, and the files in it.
pub const SETS: [(&str, &[&str]); 7] = [
    ("Abt-Buy", &["train.txt", "valid.txt", "test.txt"]),
    ("Amazon-Google", &["train.txt", "valid.txt", "test.txt"]),
    ("Walmart-Amazon", &["train.txt", "valid.txt", "test.txt"]),
    (
        "wdc_cameras",
        &[
            "train.txt.large",
            "train.txt.medium",
            "train.txt.small",
            "valid.txt.large",
            "valid.txt.medium",
            "test.txt",
        ],
    ),
    (
        "wdc_computers",
        &["train.txt.medium", "train.txt.small", "valid.txt.large", "valid.txt.medium", "test.txt"],
    ),
    (
        "wdc_shoes",
        &[
            "train.txt.large",
            "train.txt.medium",
            "train.txt.small",
            "valid.txt.large",
            "valid.txt.medium",
            "test.txt",
        ],
    ),
    (
        "wdc_watches",
        &["train.txt.medium", "train.txt.small", "valid.txt.large", "valid.txt.medium", "test.txt"],
    ),
];

/// The files of all sets.
pub(super) fn files() -> Vec<String> {
    SETS.iter()
        .flat_map(|(set, files)| {
            files.iter().map(move |file| format!("er_products_ditto/{set}/{file}"))
        })
        .collect()
}

/// Two offers, and whether they are offers of the same product.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedPair {
    /// The set, by the name of its folder in [`SETS`].
    pub set: &'static str,
    /// One offer.
    pub left: Product,
    /// The other offer.
    pub right: Product,
    /// Whether both are offers of the same product.
    pub same: bool,
}

pub(super) fn load(folder: &Path) -> Result<Vec<MatchedPair>, SourceError> {
    let mut pairs = Vec::new();
    for (set, files) in SETS {
        for file in files {
            let path = folder.join(format!("er_products_ditto/{set}/{file}"));
            for (index, line) in read_text(&path, Charset::Utf8)?.lines().enumerate() {
                let bad = |problem: &str| line_error(&path, index as u64 + 1, problem);
                let mut parts = line.split('\t');
                let (Some(left), Some(right), Some(label), None) =
                    (parts.next(), parts.next(), parts.next(), parts.next())
                else {
                    return Err(bad("expected offer, offer and label, separated by tabs"));
                };
                let same = match label.trim() {
                    "1" => true,
                    "0" => false,
                    _ => return Err(bad("the label must be 0 or 1")),
                };
                let (left, right) = (offer(left), offer(right));
                // A few offers have no title at all. Their pairs are of no use and are left out.
                if let (Some(left), Some(right)) = (left, right) {
                    pairs.push(MatchedPair { set, left, right, same });
                }
            }
        }
    }
    Ok(pairs)
}

/// The offer that a `COL … VAL …` text states; `None` if it has no title.
fn offer(text: &str) -> Option<Product> {
    let mut product = Product::default();
    for field in format!(" {text} ").split(" COL ").skip(1) {
        let (name, value) = field.split_once(" VAL ").unwrap_or((field, ""));
        let value = collapse(&without_language_tags(value));
        if value.is_empty() {
            continue;
        }
        match name.trim() {
            "title" | "name" => product.title = value,
            "brand" | "manufacturer" => product.brand = Some(value),
            "description" => product.description = Some(value),
            "category" => product.type_path = vec![value],
            "modelno" => product.attributes.push(("model".to_owned(), value)),
            // Prices are left out: they are absent or differ between shops for the same product.
            _ => {}
        }
    }
    (!product.title.is_empty()).then_some(product)
}

/// `text` without the language tags of RDF literals. WDC titles are such literals, taken from web pages:
/// `"Lamp"@en-US "Lamp | Shop"@en`.
fn without_language_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find("\"@") {
        out.push_str(&rest[..position]);
        out.push(' ');
        let tag = &rest[position + 2..];
        let end = tag.find(|c: char| !(c.is_ascii_alphabetic() || c == '-')).unwrap_or(tag.len());
        rest = &tag[end..];
    }
    out.push_str(rest);
    out.split_whitespace()
        .map(|word| word.strip_prefix('"').unwrap_or(word))
        .filter(|word| *word != "Null\"" && *word != "\"")
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_and_language_tags() {
        let product =
            offer("COL title VAL red lamp COL manufacturer VAL acme COL price VAL ").unwrap();
        assert_eq!((product.title.as_str(), product.brand.as_deref()), ("red lamp", Some("acme")));
        let product = offer("COL title VAL  \"Lamp 12\" Red\"@en-US \"Lamp | Shop\"@en").unwrap();
        assert_eq!(product.title, "Lamp 12\" Red Lamp | Shop");
        assert_eq!(offer("COL title VAL  COL price VAL 3"), None);
    }

    #[test]
    fn names_the_bad_line() {
        let folder = tempfile::tempdir().unwrap();
        for file in files() {
            crate::sources::tests_support::write(
                folder.path(),
                &file,
                b"COL title VAL a\tCOL title VAL b\t1\n",
            );
        }
        assert_eq!(load(folder.path()).unwrap().len(), files().len());
        let file = &files()[1];
        crate::sources::tests_support::write(
            folder.path(),
            file,
            b"COL title VAL a\tCOL title VAL b\t7\n",
        );
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("valid.txt line 1") && error.contains("0 or 1"), "{error}");
    }
}
