//! Texts that are shortened to a bound give the same rows as whole texts.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::hard_pairs::{TOKENIZERS, tokenizer};
use super::*;
use crate::RowFormat;
use crate::bound::Seams;
use proptest::prelude::*;

/// Two encoders: one tokenizes whole texts, the other at first only `bytes` bytes of a field.
fn encoders(name: &str, max_tokens: usize, prefix: bool, bytes: usize) -> [Encoder; 2] {
    let config = TextConfig { max_tokens, prefix, ..TextConfig::default() };
    let encoder = Encoder::new(tokenizer(name), config).unwrap();
    let with = |bytes| Encoder { bound: encoder.bound.with_bytes(bytes), ..encoder.clone() };
    [with(usize::MAX), with(bytes)]
}

fn product(title: String, description: String, path: Vec<String>) -> Entity {
    let description = Some(description);
    Product { title, description, type_path: path, ..Product::default() }.into()
}

/// Whether a field of the pair is shortened when it is first tokenized.
fn shortened(encoder: &Encoder, pair: &Pair) -> bool {
    let (left, right) = pair.task.kinds();
    [(Side::Left, left, &pair.left), (Side::Right, right, &pair.right)].into_iter().any(
        |(side, kind, entity)| {
            encoder.render(pair.task, side, kind, entity.into(), Some(encoder.bound)).is_shortened()
        },
    )
}

/// Text that is hard for tokenizers: combining marks, characters that a tokenizer drops, long words, runs of
/// white space, special and added tokens, scripts without spaces.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,9}".prop_map(|word| format!(" {word}")),
        3 => Just(" drill bits for concrete".to_owned()),
        2 => "[0-9]{1,7}".prop_map(|number| format!(" {number}")),
        2 => "[ \t\n\r]{1,5}",
        2 => "[.,;:!?'\"/()|>-]{1,4}",
        1 => Just(" [SEP] </s> <eos> <|end_of_text|> <unk>".to_owned()),
        1 => "[\u{200b}\u{200d}\u{feff}\u{ad}\u{1}\u{7f}\u{301}\u{308}\u{fe0f}]{1,12}",
        1 => "[\u{e9}\u{df}\u{130}\u{fb01}\u{212b}\u{ac00}\u{1100}\u{1161}\u{94d}\u{915}]{1,6}",
        1 => "[красндель ]{1,12}",
        1 => "[红色无线电钻两块电池]{1,12}",
        1 => Just("👩‍👩‍👧‍👦🇩🇪👍🏽".to_owned()),
        1 => "[a-z0-9]{90,120}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 1..120).prop_map(|pieces| format!("x{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_of_bounded_texts_are_those_of_whole_texts(
        query in text(), title in text(), description in text(),
        path in proptest::collection::vec(text(), 0..3),
        max_tokens in 40_usize..70, bytes in 0_usize..400, prefix: bool,
    ) {
        let right = product(title, description, path);
        let pair = Pair { task: Task::QueryProduct, left: query.into(), right };
        for name in TOKENIZERS {
            let [whole, bounded] = encoders(name, max_tokens, prefix, bytes);
            let (expected, found) = (whole.encode(&pair).unwrap(), bounded.encode(&pair).unwrap());
            prop_assert_eq!(&found.ids, &expected.ids, "{}", name);
            prop_assert_eq!(&found.segments, &expected.segments, "{}", name);
            prop_assert_eq!(found.cut.any(), expected.cut.any());
            prop_assert!(found.cut.left <= expected.cut.left && found.cut.right <= expected.cut.right);
        }
    }
}

#[test]
fn a_text_of_megabytes_is_not_tokenized_whole() {
    let words = "the cordless drill comes with a case and red batteries ".repeat(40_000);
    for name in TOKENIZERS {
        let config = TextConfig { max_tokens: 64, ..TextConfig::default() };
        let encoder = Encoder::new(tokenizer(name), config).unwrap();
        let path = vec![words.clone(), "drills".to_owned()];
        let right = product("drill".to_owned(), words.clone(), path);
        let pair = Pair { task: Task::QueryProduct, left: words.clone().into(), right };
        assert!(shortened(&encoder, &pair), "{name}");
        let (_, kind) = pair.task.kinds();
        let seen =
            encoder.render(pair.task, Side::Right, kind, (&pair.right).into(), Some(encoder.bound));
        assert!(seen.text.len() < 8_000, "{name}: {} bytes", seen.text.len());
        assert_eq!(encoder.encode(&pair).unwrap().ids.len(), 64);
    }
    // With a pre-tokenizer that is not known, texts are tokenized whole.
    let bytes = tokenizer("llama").to_bytes().unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\S+ \S+".into();
    let other =
        Tokenizer::from_bytes(json.to_string().as_bytes(), "test", &[RowFormat::LINES]).unwrap();
    assert_eq!((other.seams(), tokenizer("llama").seams()), (Seams::None, Seams::Words));
    assert_eq!(
        (tokenizer("gemma").seams(), tokenizer("mistral").seams()),
        (Seams::Ascii, Seams::Ascii)
    );
}

#[test]
fn characters_without_tokens_and_endless_words_are_read_to_their_end() {
    let nothing = "a \u{200b}\u{200b}\u{200b} b ".repeat(300);
    let one_word = format!("drill {} red {}", "w".repeat(9_000), "case ".repeat(200));
    for name in TOKENIZERS {
        for text in [&nothing, &one_word] {
            let [whole, bounded] = encoders(name, 48, false, 100);
            let right = product("x".to_owned(), text.clone(), Vec::new());
            let pair = Pair { task: Task::QueryProduct, left: text.as_str().into(), right };
            assert_eq!(
                bounded.encode(&pair).unwrap().ids,
                whole.encode(&pair).unwrap().ids,
                "{name}"
            );
        }
    }
}
