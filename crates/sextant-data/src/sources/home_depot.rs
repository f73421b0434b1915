//! Home Depot Product Search Relevance: search results with the mean rating of three people.
//!
//! The file is in Latin-1. Its titles contain HTML entities, and the degree sign is written `å¡`.

use super::SourceError;
use super::table::{Charset, Table};
use crate::clean::plain_text;
use std::path::Path;

pub(super) const FILE: &str = "home_depot_search_relevance/train.csv";

/// A product that was shown for a query, with its rating.
#[derive(Debug, Clone, PartialEq)]
pub struct RatedResult {
    /// The query that the shopper typed.
    pub query: String,
    /// The product's number.
    pub product: String,
    /// The product's title.
    pub title: String,
    /// The mean rating, from 1 (irrelevant) to 3 (perfect match).
    pub rating: f64,
}

pub(super) fn load(folder: &Path) -> Result<Vec<RatedResult>, SourceError> {
    let columns = ["product_uid", "product_title", "search_term", "relevance"];
    let table = Table::read(&folder.join(FILE), Charset::Latin1, &columns)?;
    table
        .rows()
        .map(|row| {
            let rating: f64 = row.parse("relevance")?;
            if !(1.0..=3.0).contains(&rating) {
                return Err(row.error(format!("relevance {rating} is outside 1 to 3")));
            }
            Ok(RatedResult {
                query: plain_text(row.text("search_term")?),
                product: row.text("product_uid")?.to_owned(),
                title: plain_text(&row.text("product_title")?.replace("å¡", "°")),
                rating,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    const HEADER: &str = "\"id\",\"product_uid\",\"product_title\",\"search_term\",\"relevance\"\n";

    #[test]
    fn reads_latin1_and_entities() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = HEADER.as_bytes().to_vec();
        bytes.extend(b"2,7,\"Elbow 45\xe5\xa1 Smith &amp; Co\",\"pipe  elbow\",2.33\n");
        write(folder.path(), FILE, &bytes);
        let rows = load(folder.path()).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].title, "Elbow 45° Smith & Co");
        assert_eq!((rows[0].query.as_str(), rows[0].rating), ("pipe elbow", 2.33));
    }

    #[test]
    fn refuses_ratings_off_the_scale() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILE, format!("{HEADER}2,7,\"Elbow\",\"pipe\",4\n").as_bytes());
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("train.csv line 2") && error.contains('4'), "{error}");
    }
}
