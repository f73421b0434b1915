//! A trained vocabulary is the same in every run.

mod common;

use sextant_text::{TextError, train_wordpiece};
use std::process::Command;

/// Words with many equally frequent pairs, so that ties decide the vocabulary.
fn texts() -> Vec<String> {
    let syllables = ["ba", "ke", "li", "mo", "nu", "ra", "si", "to", "ve", "zy"];
    let mut texts: Vec<_> = common::TEXTS.map(String::from).to_vec();
    for (i, a) in syllables.iter().enumerate() {
        for b in &syllables[i..] {
            texts.push(format!("{a}{b} {b}{a}{b} {a}{a}{b} Ünï{b}"));
        }
    }
    texts
}

#[test]
fn same_bytes_in_every_process_with_any_number_of_threads() {
    const OUT: &str = "SEXTANT_TEST_VOCABULARY_OUT";
    let bytes = || train_wordpiece(&texts(), 180).unwrap().to_bytes().unwrap();
    if let Some(path) = std::env::var_os(OUT) {
        std::fs::write(path, bytes()).unwrap();
        return;
    }
    let expected = bytes();
    let folder = tempfile::tempdir().unwrap();
    for threads in ["1", "2", "5"] {
        let path = folder.path().join(threads);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "same_bytes_in_every_process_with_any_number_of_threads"])
            .env(OUT, &path)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
        assert!(std::fs::read(path).unwrap() == expected, "{threads} threads: other bytes");
    }
    let mut reversed = texts();
    reversed.reverse();
    let again = train_wordpiece(&reversed, 180).unwrap().to_bytes().unwrap();
    assert!(again == expected, "the order of texts matters");
}

#[test]
fn lower_cases_and_learns_frequent_words() {
    let tokenizer = train_wordpiece(&common::TEXTS, 400).unwrap();
    assert_eq!(tokenizer.encode("DRILL").unwrap(), tokenizer.encode("drill").unwrap());
    assert_eq!(tokenizer.encode("cafe").unwrap(), tokenizer.encode("Café").unwrap());
    let ids = tokenizer.encode("drill").unwrap();
    assert_eq!(tokenizer.token(ids[0]).as_deref(), Some("drill"));
    let layout = tokenizer.layout();
    assert_eq!((tokenizer.pad_id(), layout.open[0], layout.close[0]), (0, 2, 3));
    assert!(tokenizer.vocab_size() <= 400);
}

#[test]
fn vocabulary_size_is_kept_or_refused() {
    assert_eq!(train_wordpiece(&texts(), 150).unwrap().vocab_size(), 150);
    let error = train_wordpiece(&texts(), 20).unwrap_err();
    assert!(matches!(error, TextError::Train(_)) && error.to_string().contains("20"), "{error}");
    assert!(matches!(train_wordpiece(&[" ", ""], 100), Err(TextError::Train(_))));
}

#[test]
fn rare_characters_do_not_fill_the_vocabulary() {
    let rare = (0x4e00..0x4e00 + 1200).map(|c| char::from_u32(c).unwrap().to_string());
    let mut texts: Vec<String> = rare.collect();
    texts.extend(std::iter::repeat_n("drill drills".to_owned(), 50));
    let tokenizer = train_wordpiece(&texts, 2000).unwrap();
    assert!(tokenizer.vocab_size() < 1030, "{}", tokenizer.vocab_size());
    assert_eq!(tokenizer.encode("drills").unwrap().len(), 1);
}
