//! Checks what power failures leave of the files and folders that this crate writes.

use super::Recording;
use crate::{
    AtomicFile, Existing, FileError, FolderKind, OwnFiles, Unfinished, append_line, replace_folder,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::path::{Path, PathBuf};

fn root() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap();
    (place, path)
}

/// Checks that both answers came up, so that the test has seen power failures before and after the change.
fn both((yes, all): (usize, usize)) {
    assert!(0 < yes && yes < all, "{yes} of {all}");
}

#[test]
fn a_file_is_the_old_or_the_new_one() {
    let (_place, root) = root();
    let [old, new] = ["old text".repeat(50), "the new one".repeat(70)];
    std::fs::write(root.join("a"), &old).unwrap();
    let recording = Recording::of(&root, || {
        let mut file = AtomicFile::create(root.join("a"), Existing::Own).unwrap();
        file.write_all(new.as_bytes()).unwrap();
        file.commit().unwrap();
    });
    both(recording.replay(|place| {
        let text = std::fs::read_to_string(place.join("a")).unwrap();
        assert!(text == old || text == new, "{text}");
        text == new
    }));
    // After the call has returned, a power failure leaves the new file.
    let after = recording.crash(recording.end, &mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(after.files[&after.find(Path::new("a")).unwrap()], new.as_bytes());
}

const KIND: FolderKind = FolderKind { names: &["head", "body"], head: "head" };

fn fill(text: &str) -> impl Fn(&Path) -> Result<(), FileError> {
    move |staging| {
        for name in ["head", "body"] {
            std::fs::write(staging.join(name), text.repeat(40)).unwrap();
        }
        Ok(())
    }
}

fn replaced(root: &Path, text: &str) {
    replace_folder(&root.join("out"), Existing::Own, KIND, fill(text)).unwrap();
}

/// The content of a folder's files; none if the folder has no head.
fn held(folder: &Path) -> Option<String> {
    let [head, body] = ["head", "body"].map(|name| std::fs::read_to_string(folder.join(name)).ok());
    let head = head?;
    assert_eq!(Some(&head), body.as_ref(), "head and body are of different times");
    Some(head)
}

#[test]
fn a_folder_is_the_old_or_the_new_one_and_keeps_the_users_file() {
    let (_place, root) = root();
    let recording = Recording::of(&root, || replaced(&root, "old"));
    both(recording.replay(|place| {
        let held = held(&place.join("out"));
        assert!(held.as_ref().is_none_or(|text| *text == "old".repeat(40)), "{held:?}");
        held.is_some()
    }));

    std::fs::write(root.join("out/notes"), "mine").unwrap();
    let recording = Recording::of(&root, || replaced(&root, "new"));
    both(recording.replay(|place| {
        let held = held(&place.join("out")).unwrap();
        assert!(held == "old".repeat(40) || held == "new".repeat(40), "{held}");
        assert_eq!(std::fs::read_to_string(place.join("out/notes")).unwrap(), "mine");
        held.starts_with("new")
    }));
}

#[test]
fn into_an_empty_folder_the_head_comes_last() {
    let (_place, root) = root();
    std::fs::create_dir(root.join("out")).unwrap();
    let recording = Recording::of(&root, || replaced(&root, "new"));
    both(recording.replay(|place| held(&place.join("out")).is_some()));
}

#[test]
fn lines_that_were_added_stay() {
    let (_place, root) = root();
    let path = root.join("ledger");
    for count in 0..3 {
        let recording = Recording::of(&root, || {
            append_line(&path, format!("line {count}").as_bytes()).unwrap();
        });
        let last = recording.end;
        for when in 0..=last {
            let disk = recording.crash(when, &mut ChaCha8Rng::seed_from_u64(when as u64));
            let bytes = disk.find(Path::new("ledger")).map_or(&[][..], |inode| &disk.files[&inode]);
            let text = std::str::from_utf8(bytes).unwrap();
            let whole: Vec<_> =
                text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
            let expected = (0..=count).map(|n| format!("line {n}\n")).collect::<Vec<_>>();
            assert!(
                expected.starts_with(&whole.iter().map(|&l| l.to_owned()).collect::<Vec<_>>()),
                "{text}"
            );
            assert!(whole.len() >= count + usize::from(when == last), "{text}");
        }
    }
}

#[test]
fn a_file_of_ours_is_known_for_ours_whenever_the_power_fails() {
    let (_place, root) = root();
    let write = |text: &str| {
        let mut file = OwnFiles::of(&root).unwrap().create("a", Existing::Refuse).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.commit().unwrap();
    };
    for text in ["first", "second"] {
        let recording = Recording::of(&root, || write(text));
        both(recording.replay(|place| {
            let is_there = place.join("a").exists();
            let own = OwnFiles::of(place).unwrap();
            assert!(!is_there || own.is_ours("a").unwrap());
            is_there && std::fs::read_to_string(place.join("a")).unwrap() == text
        }));
    }
}

/// Checks that the replay finds a missing sync: a rename may reach the disk before the content of the file.
#[test]
fn a_file_that_is_not_synced_is_found_out() {
    let (_place, root) = root();
    std::fs::write(root.join("a"), "old").unwrap();
    let recording = Recording::of(&root, || {
        let [part, path] = [root.join("part"), root.join("a")];
        let mut file = crate::disk::create(&part).unwrap();
        file.write_all(b"the new one").unwrap();
        crate::disk::rename(&part, &path).unwrap();
        crate::disk::sync_folder(&root).unwrap();
        // This sync comes too late.
        crate::disk::sync_file(&file, &path).unwrap();
    });
    let (whole, all) = recording.replay(|place| {
        let text = std::fs::read_to_string(place.join("a")).unwrap();
        text == "old" || text == "the new one"
    });
    assert!(whole < all);
}

#[test]
fn files_that_belong_together_are_of_one_time_unless_the_folder_is_marked() {
    let (_place, root) = root();
    let write = |text: &str| {
        let mark = Unfinished::begin(&root).unwrap();
        for name in ["train", "test"] {
            let mut file = AtomicFile::create(root.join(name), Existing::Own).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.commit().unwrap();
        }
        mark.end().unwrap();
    };
    write("old");
    let recording = Recording::of(&root, || write("new"));
    both(recording.replay(|place| {
        let [train, test] =
            ["train", "test"].map(|name| std::fs::read_to_string(place.join(name)).unwrap());
        assert!(Unfinished::is_at(place) || train == test, "{train} and {test}");
        train == "new" && !Unfinished::is_at(place)
    }));
}
