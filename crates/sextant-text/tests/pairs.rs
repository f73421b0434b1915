//! Compares rows of hard pairs with golden files, for a tokenizer of each family's kind.
//!
//! `SEXTANT_UPDATE_GOLDENS=1` writes the files anew. If ids change, every model that was trained before gets
//! another input. `scripts/check_exports.py` compares the same pairs with the rows of the Python file that is
//! part of every export.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/hard_pairs.rs"]
mod hard_pairs;

use hard_pairs::{TOKENIZERS, encoder, hard_pairs};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn rows_of_hard_pairs_are_those_of_the_golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    for name in TOKENIZERS {
        let mut cut = 0;
        let mut rows: Vec<Value> = Vec::new();
        for prefix in [false, true] {
            let encoder = encoder(name, prefix);
            for pair in hard_pairs() {
                let row = encoder.encode(&pair).unwrap();
                assert!(row.ids.len() <= encoder.config().max_tokens);
                cut += usize::from(row.cut.any());
                let right: u32 = row.segments.iter().map(|&segment| u32::from(segment)).sum();
                rows.push(json!([row.ids, right]));
            }
        }
        assert!(cut > rows.len() / 3, "{name}: {cut} of {} rows are cut", rows.len());
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let found = format!("[\n{}\n]\n", lines.join(",\n"));
        let path = folder.join(format!("{name}.json"));
        if std::env::var_os("SEXTANT_UPDATE_GOLDENS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        for (number, (found, expected)) in found.lines().zip(golden.lines()).enumerate() {
            assert_eq!(found, expected, "{name}, row {number}");
        }
        assert_eq!(found, golden, "{name}");
    }
}
