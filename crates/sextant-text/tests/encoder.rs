//! Rows: their layout, their fields, what is cut, and which pairs are refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{drill, encoder, product, words};
use proptest::prelude::*;
use sextant_core::{Entity, Pair, Product, Task};
use sextant_text::{Cut, Encoder, RowFormat, Side, TextConfig, TextError, Tokenizer};

fn pair(task: Task, left: impl Into<Entity>, right: impl Into<Entity>) -> Pair {
    Pair { task, left: left.into(), right: right.into() }
}

fn hf(tokenizer: &Tokenizer) -> tokenizers::Tokenizer {
    tokenizers::Tokenizer::from_bytes(tokenizer.to_bytes().unwrap()).unwrap()
}

#[test]
fn rows_without_prefix_equal_the_tokenizers_own_pairs() {
    let encoder = encoder(64, false);
    let hf = hf(encoder.tokenizer());
    for (left, right) in [
        ("cordless drill", "Hammer drill, 18V"),
        ("café chairs", "garden"),
        ("a", "unknown 漢字 ok"),
    ] {
        let row = encoder.encode(&pair(Task::QueryQuery, left, right)).unwrap();
        let expected = hf.encode((left, right), true).unwrap();
        assert_eq!(row.ids, expected.get_ids(), "{left} / {right}");
        let segments: Vec<u32> = row.segments.iter().map(|&s| u32::from(s)).collect();
        assert_eq!(segments, expected.get_type_ids(), "{left} / {right}");
        assert_eq!(row.cut, Cut::default());
    }
}

#[test]
fn roberta_rows_equal_the_tokenizers_own_pairs() {
    // A byte-level BPE whose tokens are single bytes, with RoBERTa's special tokens and post-processor.
    let mut vocab = serde_json::Map::new();
    for token in ["<s>", "<pad>", "</s>", "<unk>", "Ġ"] {
        vocab.insert(token.into(), vocab.len().into());
    }
    for c in '!'..='~' {
        vocab.insert(c.into(), vocab.len().into());
    }
    vocab.insert("Ġd".into(), vocab.len().into());
    let special = |id: u32, token: &str| {
        serde_json::json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        })
    };
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [special(0, "<s>"), special(1, "<pad>"), special(2, "</s>")],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
            "trim_offsets": true, "add_prefix_space": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": [["Ġ", "d"]]},
    });
    let tokenizer =
        Tokenizer::from_bytes(json.to_string().as_bytes(), "test", &[RowFormat::ROBERTA]).unwrap();
    let encoder = Encoder::new(tokenizer, TextConfig::default()).unwrap();
    let row = encoder.encode(&pair(Task::QueryQuery, "red drill", "a drill, 18V")).unwrap();
    let expected = hf(encoder.tokenizer()).encode(("red drill", "a drill, 18V"), true).unwrap();
    assert_eq!(row.ids, expected.get_ids());
    assert!(row.segments.iter().all(|&segment| segment == 0));
    // The space between two fields belongs to the token after it, and so to its field.
    let brand = Product { brand: Some("drillo".into()), title: "x".into(), ..Product::default() };
    let row = encoder.encode(&pair(Task::QueryProduct, "q", brand)).unwrap();
    assert!(words(&encoder, &row.ids).ends_with("b r a n d : Ġd r i l l o </s>"));
}

#[test]
fn product_fields_and_prefix_stand_in_their_places() {
    let row = encoder(64, true).encode(&pair(Task::QueryProduct, "red drill", drill())).unwrap();
    assert_eq!(
        words(&encoder(64, true), &row.ids),
        "[CLS] task : query - product | red drill [SEP] cordless hammer drill | brand : acme \
         | color : red , volts : 18 | tools > drills \
         | the drill comes with a case and a charger [SEP]"
    );
    let first_right = row.segments.iter().position(|&segment| segment == 1).unwrap();
    assert_eq!(row.ids[first_right - 1], encoder(64, true).tokenizer().layout().between[0]);
    assert!(row.segments[first_right..].iter().all(|&segment| segment == 1));
}

#[test]
fn absent_fields_vanish_with_their_separators() {
    let encoder = encoder(64, false);
    let text = |right: Entity| {
        words(&encoder, &encoder.encode(&pair(Task::QueryProduct, "drill", right)).unwrap().ids)
    };
    assert_eq!(text("red drill".into()), "[CLS] drill [SEP] red drill [SEP]");
    assert_eq!(text(product("red drill")), "[CLS] drill [SEP] red drill [SEP]");
    let sparse = Product {
        title: "red drill".into(),
        brand: Some("  ".into()),
        attributes: vec![("volts".into(), " ".into()), ("color".into(), "red".into())],
        ..Product::default()
    };
    assert_eq!(text(sparse.into()), "[CLS] drill [SEP] red drill | color : red [SEP]");
}

#[test]
fn description_goes_first_and_type_paths_keep_their_leaf() {
    let encoder = encoder(32, false);
    let row = encoder.encode(&pair(Task::QueryProduct, "red drill", drill())).unwrap();
    assert_eq!(row.ids.len(), 32);
    let text = words(&encoder, &row.ids);
    assert!(
        text.starts_with("[CLS] red drill [SEP] cordless hammer drill | brand : acme |"),
        "{text}"
    );
    assert!(text.contains("> drills |"), "{text}");
    let tight = common::encoder(20, false);
    let row = tight.encode(&pair(Task::QueryProduct, "red drill", drill())).unwrap();
    let text = words(&tight, &row.ids);
    assert!(text.contains("drills |") && !text.contains("tools"), "{text}");
    assert_eq!(row.cut.left, 0);
    assert!(row.cut.right > 0);
}

#[test]
fn empty_texts_are_refused_by_side() {
    let encoder = encoder(64, true);
    for (left, right, side) in
        [("", "x", Side::Left), ("x", " \t", Side::Right), ("x", "\u{0}\u{7}", Side::Right)]
    {
        match encoder.encode(&pair(Task::TypeType, left, right)) {
            Err(TextError::EmptyText { task: Task::TypeType, side: found, .. }) => {
                assert_eq!(found, side);
            }
            other => panic!("{other:?}"),
        }
    }
    let good = pair(Task::QueryQuery, "a", "b");
    let error = encoder.encode_all(&[good.clone(), good, pair(Task::QueryQuery, "", "b")]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("left text"), "{error}");
}

#[test]
fn too_small_a_limit_is_refused_at_once() {
    let new = |max_tokens, prefix| {
        let config = TextConfig { max_tokens, prefix, ..TextConfig::default() };
        Encoder::new(common::tokenizer().clone(), config)
    };
    // product-product: [CLS] [SEP] [SEP], 4 separators and `brand :` on each side.
    let Err(TextError::MaxTokensTooSmall { fixed: 15, task: Task::ProductProduct, .. }) =
        new(16, false)
    else {
        panic!("16 tokens do not hold the product templates")
    };
    assert!(new(17, false).is_ok());
    assert!(new(17, true).unwrap_err().to_string().contains("text.max_tokens = 17"));
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-z]{1,9}|drill|batteries|[0-9]{1,3}|,", 1..30)
        .prop_map(|words| format!("x {}", words.join(" ")))
}

fn some_product() -> impl Strategy<Value = Product> {
    let attributes = proptest::collection::vec((text(), text()), 0..4);
    let path = proptest::collection::vec(text(), 0..4);
    (text(), proptest::option::of(text()), proptest::option::of(text()), attributes, path).prop_map(
        |(title, brand, description, attributes, type_path)| Product {
            title,
            brand,
            description,
            attributes,
            type_path,
        },
    )
}

fn some_pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        (text(), some_product()).prop_map(|(l, r)| pair(Task::QueryProduct, l, r)),
        (some_product(), some_product()).prop_map(|(l, r)| pair(Task::ProductProduct, l, r)),
        (some_product(), text()).prop_map(|(l, r)| pair(Task::ProductType, l, r)),
        (text(), text()).prop_map(|(l, r)| pair(Task::TypeType, l, r)),
    ]
}

/// The tokens of a row that no field can have written: `|` and special tokens.
fn skeleton(encoder: &Encoder, ids: &[u32]) -> Vec<String> {
    let words = ids.iter().map(|&id| encoder.tokenizer().token(id).unwrap());
    words.filter(|word| matches!(word.as_str(), "|" | "[CLS]" | "[SEP]" | "[PAD]")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn truncation_keeps_its_promises(pair in some_pair(), max in 32_usize..120, prefix: bool) {
        let whole = encoder(100_000, prefix).encode(&pair).unwrap();
        let cutting = encoder(max, prefix);
        let row = cutting.encode(&pair).unwrap();

        prop_assert_eq!(row.ids.len(), row.segments.len());
        prop_assert_eq!(row.ids.len(), whole.ids.len().min(max), "full use of the room, no more");
        let cut = (row.cut.left + row.cut.right) as usize;
        prop_assert_eq!(cut, whole.ids.len() - row.ids.len());
        if whole.ids.len() <= max {
            prop_assert_eq!(&row, &whole);
        }
        prop_assert_eq!(skeleton(&cutting, &row.ids), skeleton(&cutting, &whole.ids));
        // Each side lost as many tokens as `cut` says, and keeps the start of its naming field.
        let split = |row: &sextant_text::EncodedRow| {
            row.segments.iter().position(|&segment| segment == 1).unwrap()
        };
        prop_assert_eq!(split(&whole) - split(&row), row.cut.left as usize);
        let right = split(&row);
        prop_assert_eq!(row.ids[right], whole.ids[split(&whole)], "the right side starts the same");
        let left = if prefix { words(&cutting, &row.ids).find("| x").is_some() } else { row.ids[1] == whole.ids[1] };
        prop_assert!(left);
        // Encoding the pair again gives the same row.
        prop_assert_eq!(cutting.encode(&pair).unwrap(), row);
    }

    #[test]
    fn parallel_encoding_keeps_order(pairs in proptest::collection::vec(some_pair(), 0..20)) {
        let encoder = encoder(64, true);
        let rows = encoder.encode_all(&pairs).unwrap();
        prop_assert_eq!(rows.len(), pairs.len());
        for (row, pair) in rows.iter().zip(&pairs) {
            prop_assert_eq!(row, &encoder.encode(pair).unwrap());
        }
    }
}
