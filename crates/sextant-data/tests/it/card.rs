//! The data card of a small dataset.

use crate::file;
use sextant_data::{DataCard, ReadOptions};

const TRAIN: &str = r#"{"task": "query-product", "left": "cordless drill", "right": {"title": "Drill 18V", "brand": "Acme", "attributes": [["volts", "18"]]}, "grade": 2, "group": "q1", "source": "shop", "origin": "human"}
{"task": "query-product", "left": "drill", "right": "Red wall paint 1 l", "grade": 0, "group": "q1", "source": "shop", "origin": "human"}
{"task": "type-type", "left": "Drills", "right": "Power tools", "grade": 1}
"#;
const TEST: &str = r#"{"task": "query-product", "left": "paint", "right": "Red wall paint 1 l", "grade": 2, "group": "q2", "source": "other", "origin": "derived"}
"#;

#[test]
fn card_of_a_folder() {
    let (folder, _) = file("train.jsonl", TRAIN);
    std::fs::write(folder.path().join("test.jsonl"), TEST).unwrap();
    let mut card = DataCard::read(folder.path(), &ReadOptions::default()).unwrap();
    assert_eq!(card.name, folder.path().file_name().unwrap().to_str().unwrap());
    card.name = "little".into();

    assert_eq!((card.rows, card.groups, card.parts.len()), (4, 2, 3));
    let right = card.lengths.iter().find(|facts| facts.side == "right").unwrap();
    // All fields together have 5 words in each of the three rows.
    assert_eq!((right.median, right.p95, right.max), (5, 5, 5));
    let left = card.lengths.iter().find(|facts| facts.side == "left").unwrap();
    assert_eq!((left.median, left.p95, left.max), (1, 2, 2));
    let names: Vec<_> = card.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["train.jsonl", "test.jsonl"]);
    insta::assert_snapshot!(card.to_markdown());
    insta::assert_json_snapshot!(card);
}

#[test]
fn hash_is_sha_256() {
    let (_folder, path) = file("abc.csv", "abc");
    let file = sextant_data::DataFile::read(&path).unwrap();
    // The hash is from the first test vector of FIPS 180-2.
    assert_eq!(file.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((file.bytes, file.name.as_str()), (3, "abc.csv"));
}
