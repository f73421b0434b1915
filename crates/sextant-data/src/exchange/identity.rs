//! Stable identifiers of queries and documents, for formats that need them.

use super::ExchangeError;
use crate::number::whole;
use crate::{Row, entity};
use sextant_core::Entity;
use sha2::{Digest, Sha256};

/// The columns that hold identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdColumns {
    /// The column with the query's identifier. Without a name it is `query_id`, where a row has none its group, and
    /// where that is absent or has white space a hash of the left side.
    pub query: Option<String>,
    /// The column with the document's identifier. Without a name it is `doc_id`, and where a row has none a hash of
    /// the right side.
    pub document: Option<String>,
}

impl IdColumns {
    /// The identifiers of a row's query and document. The row must have been read with
    /// [`ReadOptions::further`](crate::ReadOptions::further).
    ///
    /// # Errors
    /// The row has no value in a column that was named.
    pub fn of(&self, row: &Row) -> Result<(String, String), ExchangeError> {
        let named = |name: &str| match name {
            "id" => row.id.clone(),
            "group" => row.group.clone(),
            _ => {
                let found = row.further.iter().find(|(known, _)| known == name);
                // A whole number is one identifier, also where a table with gaps keeps it as 17.0.
                found.map(|(_, text)| whole(text.trim()).into_owned())
            }
        };
        let find = |column: &Option<String>, usual: &str| match column {
            None => Ok(named(usual)),
            Some(name) => named(name).map(Some).ok_or_else(|| ExchangeError::Row {
                row: row.line,
                problem: format!("no value in the column `{name}`, which holds identifiers"),
            }),
        };
        // A group is often the query itself, whose spaces TREC would take for ends of words.
        let word = |group: &String| !group.contains(char::is_whitespace);
        let group = || row.group.clone().filter(word);
        let query = find(&self.query, "query_id")?.or_else(group);
        let document = find(&self.document, "doc_id")?;
        Ok((
            query.unwrap_or_else(|| format!("q{}", hashed(&row.pair.left))),
            document.unwrap_or_else(|| format!("d{}", hashed(&row.pair.right))),
        ))
    }
}

/// The beginning of a hash of everything that a side says, so that the same side always has the same identifier.
fn hashed(entity: &Entity) -> String {
    let digest = Sha256::digest(entity::to_json(entity).to_string());
    sextant_files::hexadecimal(&digest[..8])
}
