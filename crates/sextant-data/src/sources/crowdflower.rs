//! CrowdFlower Search Results Relevance: search results with the median of several judgements.
//!
//! The set consists of ten disjoint files. Descriptions contain HTML, and many are empty.

use super::SourceError;
use super::table::{Charset, Table};
use crate::clean::plain_text;
use std::path::Path;

/// The files of the set.
pub(super) fn files() -> Vec<String> {
    (1..=10).map(|fold| format!("crowdflower_search_relevance/fold-{fold}.csv")).collect()
}

/// A product that was shown for a query, with the judgement of people.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedResult {
    /// The query that the shopper typed.
    pub query: String,
    /// The product's title.
    pub title: String,
    /// The product's description as plain text, if it has one.
    pub description: Option<String>,
    /// The median judgement, from 1 (worst) to 4 (best).
    pub median: u8,
}

pub(super) fn load(folder: &Path) -> Result<Vec<JudgedResult>, SourceError> {
    let columns = ["query", "product_title", "product_description", "median_relevance"];
    let mut results = Vec::new();
    for file in files() {
        let table = Table::read(&folder.join(file), Charset::Utf8, &columns)?;
        for row in table.rows() {
            let median: u8 = row.parse("median_relevance")?;
            if !(1..=4).contains(&median) {
                return Err(row.error(format!("median_relevance {median} is outside 1 to 4")));
            }
            let description = plain_text(row.cell("product_description")?);
            results.push(JudgedResult {
                query: plain_text(row.text("query")?),
                title: plain_text(row.text("product_title")?),
                description: Some(description).filter(|text| !text.is_empty()),
                median,
            });
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    const HEADER: &str = "\"id\",\"query\",\"product_title\",\"product_description\",\"median_relevance\",\"relevance_variance\"\n";

    #[test]
    fn reads_every_fold_and_strips_html() {
        let folder = tempfile::tempdir().unwrap();
        for (index, file) in files().iter().enumerate() {
            let row = format!("{index},\"lamp\",\"Lamp {index}\",\"<b>Warm</b>\nlight\",4,0\n");
            write(folder.path(), file, format!("{HEADER}{row}").as_bytes());
        }
        let rows = load(folder.path()).unwrap();
        assert_eq!(rows.len(), 10);
        assert_eq!(rows[9].title, "Lamp 9");
        assert_eq!(rows[0].description.as_deref(), Some("Warm light"));
        write(folder.path(), &files()[4], format!("{HEADER}1,lamp,Lamp,,9,0\n").as_bytes());
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("fold-5.csv line 2"), "{error}");
    }
}
