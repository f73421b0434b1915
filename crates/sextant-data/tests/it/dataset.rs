//! Datasets in folders and in single files.

use crate::file;
use sextant_core::{Example, Grade, Split, Task};
use sextant_data::{Dataset, Format, ReadOptions};

fn dataset() -> Dataset {
    let mut dataset = Dataset::default();
    for (i, split) in Split::ALL.into_iter().enumerate() {
        let mut example =
            Example::new(Task::QueryQuery, format!("query {i}"), "other", Grade::ALL[i]);
        example.split = Some(split);
        dataset.part_mut(split).push(example);
    }
    dataset
}

#[test]
fn folders_round_trip_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/set");
    for format in Format::ALL {
        // Saving in another format replaces the files before, so that no part is there twice.
        dataset().save(&path, format).unwrap();
        assert_eq!(Dataset::load(&path, &ReadOptions::default()).unwrap(), dataset());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 3);
    }
    let no_dev = Dataset { dev: Vec::new(), ..dataset() };
    no_dev.save(&path, Format::Jsonl).unwrap();
    assert_eq!(Dataset::load(&path, &ReadOptions::default()).unwrap(), no_dev);
    let error = no_dev.require(Split::Dev).unwrap_err().to_string();
    assert!(error.contains("no dev rows"), "{error}");
    assert_eq!(no_dev.require(Split::Test).unwrap().len(), 1);
}

#[test]
fn one_file_with_a_split_column() {
    let content = "task,left,right,grade,split\n\
        query-query,query 2,other,2,test\nquery-query,query 0,other,0,train\nquery-query,query 1,other,1,dev\n";
    let (_folder, path) = file("all.csv", content);
    assert_eq!(Dataset::load(&path, &ReadOptions::default()).unwrap(), dataset());

    let (_folder, path) = file("all.csv", content.replace("0,train", "0,"));
    let error = Dataset::load(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("all.csv line 3, column `split`: no value"), "{error}");
}

#[test]
fn a_row_must_not_contradict_its_file() {
    let row = r#"{"task": "query-query", "left": "a", "right": "b", "grade": 0, "split": "test"}"#;
    let (folder, _) = file("train.jsonl", row);
    let error = Dataset::load(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("train.jsonl line 1, column `split`"), "{error}");
    assert!(error.contains("says split `test` but the file is the train part"), "{error}");
}

#[test]
fn folders_without_data_or_with_a_part_twice() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Dataset::load(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(load().contains("no train, dev or test file"), "{}", load());
    for name in ["train.csv", "train.jsonl"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    assert!(load().contains("both train.jsonl and train.csv are there"), "{}", load());
}
