//! Checks what the documents say of the tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

/// Adds the names of all functions in a folder's Rust files.
fn add_functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let named = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            names.extend(named.filter_map(|rest| rest.split('(').next()).map(str::to_owned));
        }
    }
}

/// The names in the column `shown by` of each table of a document.
fn named_tests(document: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut column = None;
    let mut names = Vec::new();
    for line in document.lines() {
        if !line.starts_with('|') {
            column = None;
            continue;
        }
        let cells = cells(line);
        match column {
            None => column = Some(cells.iter().position(|cell| cell == "shown by")),
            Some(Some(column)) => {
                let quoted = cells[column].split('`').skip(1).step_by(2);
                names.extend(quoted.map(str::to_owned));
            }
            Some(None) => {}
        }
    }
    names
}

#[test]
fn every_test_that_the_reliability_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let mut functions = BTreeSet::new();
    for folder in ["crates", "fuzz", "workbench", "xtask"] {
        add_functions(&root.join(folder), &mut functions);
    }
    let named = named_tests(&document);
    assert!(named.len() > 50, "the tables are not understood: {named:?}");
    let absent: Vec<_> = named.iter().filter(|name| !functions.contains(*name)).collect();
    assert!(absent.is_empty(), "docs/reliability.md names tests that are not there: {absent:?}");
}
