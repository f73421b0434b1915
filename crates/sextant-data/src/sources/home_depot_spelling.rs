//! Misspelt Home Depot queries with their corrections, mined from a search engine's suggestions.
//!
//! Each line is an entry of a Python dictionary: `'wrong query': 'corrected query',`. A query that contains a
//! single quote is written in double quotes.

use super::SourceError;
use super::table::{Charset, line_error, read_text};
use crate::clean::collapse;
use std::path::Path;

pub(super) const FILE: &str = "home_depot_spelling/spellCheckingDict.txt";

/// A query as it was typed, and its correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The query with its mistakes.
    pub typed: String,
    /// The corrected query.
    pub corrected: String,
}

pub(super) fn load(folder: &Path) -> Result<Vec<Correction>, SourceError> {
    let path = folder.join(FILE);
    let text = read_text(&path, Charset::Utf8)?;
    let mut corrections = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || matches!(line, "{" | "}") {
            continue;
        }
        let parsed = string(line)
            .and_then(|(typed, rest)| {
                let rest = rest.trim_start().strip_prefix(':')?.trim_start();
                string(rest).map(|(corrected, _)| (typed, corrected))
            })
            .ok_or_else(|| {
                line_error(&path, index as u64 + 1, "expected `'query': 'correction',`")
            })?;
        let correction = Correction { typed: collapse(&parsed.0), corrected: collapse(&parsed.1) };
        if !correction.typed.is_empty() && !correction.corrected.is_empty() {
            corrections.push(correction);
        }
    }
    Ok(corrections)
}

/// The Python string literal at the start of `text`, and the text after it.
fn string(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        if escaped {
            value.push(character);
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return Some((value, &text[position + 1..]));
        } else {
            value.push(character);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn reads_both_kinds_of_quotes() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILE, b"'gras seed': 'grass seed',\n\"3' rul\": \"3' rule\",\n\n");
        let found = load(folder.path()).unwrap();
        assert_eq!(found[0].corrected, "grass seed");
        assert_eq!(found[1], Correction { typed: "3' rul".into(), corrected: "3' rule".into() });
    }

    #[test]
    fn names_the_bad_line() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILE, b"'a': 'b',\nno dictionary\n");
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("spellCheckingDict.txt line 2"), "{error}");
    }
}
