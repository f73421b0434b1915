//! QueryNER: shopping queries (from Amazon ESCI) that people have divided into segments of 17 kinds.
//!
//! Each token has a number as its tag: 0 is outside all segments; then each kind has two numbers, for the
//! first token of a segment and for the tokens after it.

use super::SourceError;
use super::table::{Charset, read_text};
use serde::Deserialize;
use std::path::Path;

/// The files of the set.
pub(super) fn files() -> Vec<String> {
    ["train", "validation", "test"].map(|part| format!("queryner/{part}.json")).to_vec()
}

/// The kind of a query's segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentKind {
    /// Words outside all segments (`for`, `a`, `by`).
    Outside,
    /// The type of product: `duvet cover`.
    ProductType,
    /// Any other kind by its number: color, maker, material, ….
    Other(u8),
}

impl SegmentKind {
    /// A maker, author or brand.
    pub const CREATOR: Self = Self::Other(5);
    /// The name of a particular product.
    pub const PRODUCT_NAME: Self = Self::Other(12);
    /// The number of a particular product.
    pub const PRODUCT_NUMBER: Self = Self::Other(13);
}

/// Consecutive words of a query that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The kind of the segment.
    pub kind: SegmentKind,
    /// The words.
    pub words: Vec<String>,
}

impl Segment {
    /// The words joined by spaces.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// A query as its segments, whose words in order are the words of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentedQuery {
    /// The segments in the order of the query.
    pub segments: Vec<Segment>,
}

impl SegmentedQuery {
    /// The query's text.
    pub fn text(&self) -> String {
        self.segments.iter().map(Segment::text).collect::<Vec<_>>().join(" ")
    }

    /// The segment that names the product type, if there is exactly one.
    pub fn product_type(&self) -> Option<&Segment> {
        let mut types = self.segments.iter().filter(|s| s.kind == SegmentKind::ProductType);
        match (types.next(), types.next()) {
            (Some(segment), None) => Some(segment),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct File {
    examples: Vec<TaggedQuery>,
}

#[derive(Deserialize)]
struct TaggedQuery {
    tokens: Vec<String>,
    ner_tags: Vec<u8>,
}

pub(super) fn load(folder: &Path) -> Result<Vec<SegmentedQuery>, SourceError> {
    let mut queries = Vec::new();
    for file in files() {
        let path = folder.join(file);
        let text = read_text(&path, Charset::Utf8)?;
        let file: File = serde_json::from_str(&text).map_err(|error| SourceError::Line {
            path: path.clone(),
            line: error.line() as u64,
            problem: format!("not the expected JSON: {error}"),
        })?;
        for (index, query) in file.examples.into_iter().enumerate() {
            let query = segment(&query).map_err(|problem| SourceError::File {
                path: path.clone(),
                problem: format!("example {}: {problem}", index + 1),
            })?;
            queries.extend(query);
        }
    }
    Ok(queries)
}

/// The segments of a tagged query; `None` for a query without words.
fn segment(query: &TaggedQuery) -> Result<Option<SegmentedQuery>, String> {
    if query.tokens.len() != query.ner_tags.len() {
        return Err(format!("{} tokens but {} tags", query.tokens.len(), query.ner_tags.len()));
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (token, &tag) in query.tokens.iter().zip(&query.ner_tags) {
        let token = token.trim();
        if token.is_empty() {
            continue;
        }
        let kind = match tag {
            0 => SegmentKind::Outside,
            9 | 10 => SegmentKind::ProductType,
            1..=34 => SegmentKind::Other((tag - 1) / 2),
            _ => return Err(format!("tag {tag} is outside 0 to 34")),
        };
        let begins = tag % 2 == 1 || tag == 0;
        match segments.last_mut() {
            Some(last) if !begins && last.kind == kind => last.words.push(token.to_owned()),
            _ => segments.push(Segment { kind, words: vec![token.to_owned()] }),
        }
    }
    Ok((!segments.is_empty()).then_some(SegmentedQuery { segments }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn tags_become_segments() {
        let folder = tempfile::tempdir().unwrap();
        let empty = br#"{"examples":[]}"#;
        for file in files() {
            write(folder.path(), &file, empty);
        }
        let one = br#"{"examples":[{"tokens":["acme","door","mat","for","cats"],"ner_tags":[11,9,10,0,17]}]}"#;
        write(folder.path(), "queryner/train.json", one);
        let queries = load(folder.path()).unwrap();
        assert_eq!(queries[0].text(), "acme door mat for cats");
        assert_eq!(queries[0].product_type().unwrap().text(), "door mat");
        assert_eq!(queries[0].segments[0].kind, SegmentKind::CREATOR);
        assert_eq!(queries[0].segments.len(), 4);
        write(
            folder.path(),
            "queryner/test.json",
            br#"{"examples":[{"tokens":["a"],"ner_tags":[]}]}"#,
        );
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("test.json") && error.contains("example 1"), "{error}");
    }
}
