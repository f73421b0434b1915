//! Datasets in folders and in single files.

use crate::file;
use sextant_core::{Example, Grade, Split, Task};
use sextant_data::{DataFiles, Dataset, Format, ReadOptions, check};
use sextant_files::Existing;

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
        // Saving in another format replaces the earlier files, so that no split is there twice.
        dataset().save(&path, format, Existing::Refuse).unwrap();
        assert_eq!(Dataset::load(&path, &ReadOptions::default()).unwrap(), dataset());
        assert_eq!(DataFiles::find(&path).unwrap().parts.len(), 3);
    }
    let no_dev = Dataset { dev: Vec::new(), ..dataset() };
    no_dev.save(&path, Format::Jsonl, Existing::Refuse).unwrap();
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
    assert!(load().contains("both train.csv and train.jsonl are there"), "{}", load());
}

fn folder_of(files: &[(&str, usize)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &(name, row) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let line = format!(
            "{{\"task\": \"query-query\", \"left\": \"query {row}\", \"right\": \"other\", \"grade\": {row}}}\n"
        );
        std::fs::write(path, line).unwrap();
    }
    folder
}

#[test]
fn usual_names_and_shards_are_read() {
    for files in [
        &[("Train.JSONL", 0), ("validation.ndjson", 1), ("TEST.jsonl", 2)][..],
        &[("training.jsonl", 0), ("val.jsonl", 1), ("test-00000-of-00001.jsonl", 2)],
        &[("train/part-0.jsonl", 0), ("dev_0.jsonl", 1), ("test.jsonl", 2), ("train/_SUCCESS", 9)],
    ] {
        let folder = folder_of(files);
        let read = Dataset::load(folder.path(), &ReadOptions::default()).unwrap();
        assert_eq!(read, dataset(), "{files:?}");
        assert!(DataFiles::find(folder.path()).unwrap().unread.is_empty());
    }
    let folder = folder_of(&[("train-00001-of-00002.jsonl", 1), ("train-00000-of-00002.jsonl", 0)]);
    let read = Dataset::load(folder.path(), &ReadOptions::default()).unwrap().train;
    let lefts: Vec<_> = read.iter().map(|row| row.pair.left.text()).collect();
    assert_eq!(lefts, ["query 0", "query 1"]);
}

#[test]
fn what_is_not_read_is_told_and_fails_the_check_where_it_may_be_meant() {
    let folder = folder_of(&[("train.jsonl", 0), ("test.jsonl", 2), ("README.md", 0)]);
    let unread = |folder: &tempfile::TempDir| DataFiles::find(folder.path()).unwrap().unread;
    let report = check(&dataset()).with_unread(unread(&folder));
    assert!(report.is_ok());
    assert!(report.to_string().contains("1 files or folders not read\n  `README.md`"), "{report}");
    for name in ["holdout.jsonl", "dev.xlsx", "train_old.jsonl", "data/x.jsonl"] {
        let folder = folder_of(&[("train.jsonl", 0), ("test.jsonl", 2), (name, 1)]);
        let report = check(&dataset()).with_unread(unread(&folder));
        assert!(report.is_sound() && !report.is_ok(), "{name}");
        assert!(report.to_string().contains("was not read; rename it"), "{report}");
    }
}

#[test]
fn a_split_that_is_not_whole_or_there_twice_is_an_error() {
    for (files, parts) in [
        (
            &[("train.jsonl", 0), ("Train.csv", 0)][..],
            ["both Train.csv and train.jsonl", "keep one"],
        ),
        (&[("dev.jsonl", 0), ("validation.jsonl", 0)], ["both dev.jsonl and validation.jsonl", ""]),
        (&[("train.jsonl", 0), ("train.jsonl.gz", 0)], ["both train.jsonl and train.jsonl.gz", ""]),
        (&[("train.jsonl", 0), ("train/a.jsonl", 0)], ["both train and train.jsonl", ""]),
        (&[("train.jsonl", 0), ("train_0.jsonl", 0)], ["both train.jsonl and train_0.jsonl", ""]),
        (&[("train-00000-of-00002.jsonl", 0)], ["shard 1 of train is missing", "copy it"]),
        (&[("train-1-of-2.jsonl", 0)], ["shard 0 of train is missing", ""]),
        (&[("train_0.jsonl", 0), ("train_2.jsonl", 0)], ["shard 1 of train is missing", ""]),
        (&[("train_0.jsonl", 0), ("train-0.jsonl", 0)], ["twice", ""]),
    ] {
        let folder = folder_of(files);
        let error = Dataset::load(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{files:?}: {error}");
    }
    #[cfg(unix)]
    {
        let folder = folder_of(&[("train.jsonl", 0)]);
        std::os::unix::fs::symlink("/nonexistent", folder.path().join("test.jsonl")).unwrap();
        let error = Dataset::load(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("`test.jsonl` leads nowhere"), "{error}");
    }
}

#[test]
fn saving_replaces_nothing_of_anybody_else() {
    for name in ["train.jsonl", "train.csv", "Validation.csv"] {
        let folder = folder_of(&[(name, 1)]);
        let error =
            dataset().save(folder.path(), Format::Jsonl, Existing::Refuse).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: it is there already")), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn groups_are_compared_by_what_they_say() {
    for (one, other, shared) in
        [("17", "17.0", 1), ("\"q17\"", "\"q17 \"", 1), ("\"\"", "\"\"", 0), ("17", "\"18\"", 0)]
    {
        let folder = tempfile::tempdir().unwrap();
        for (name, group, left) in [("train.jsonl", one, "a"), ("test.jsonl", other, "b")] {
            let line = format!(
                "{{\"task\": \"query-type\", \"left\": \"{left}\", \"right\": \"c\", \"grade\": 1, \"group\": {group}}}\n"
            );
            std::fs::write(folder.path().join(name), line).unwrap();
        }
        let report = check(&Dataset::load(folder.path(), &ReadOptions::default()).unwrap());
        assert_eq!(report.repetitions.groups_across_splits.len(), shared, "{one} {other}");
    }
}
