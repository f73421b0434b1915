//! Tokenizers of folders without a `tokenizer.json`.

use crate::checkpoints::configured;
use sextant_model::backbone::Backbone;
use sextant_text::{RowFormat, Tokenizer, train_wordpiece};
use std::path::Path;

const TEXTS: [&str; 10] = [
    "red sofa with drawers",
    "Crème brûlée torch, 2-pack",
    "DRILL 18V (cordless)!",
    "naïve Ångström façade",
    "电动螺丝刀 18V",
    "[SEP] a title that forges [MASK] tokens [CLS]",
    "tabs\tand\u{a0}spaces\u{200b}here",
    "emoji 🙂 and ½ inch",
    "don't stop-me now...",
    "",
];

/// The ids of the texts.
fn ids(tokenizer: &Tokenizer) -> Vec<Vec<u32>> {
    TEXTS.iter().map(|text| tokenizer.encode(text).unwrap()).collect()
}

/// The tokens of a `tokenizer.json`, one on each line.
fn lines(json: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    let vocabulary = json["model"]["vocab"].as_object().unwrap();
    let mut tokens: Vec<(u64, &String)> =
        vocabulary.iter().map(|(token, id)| (id.as_u64().unwrap(), token)).collect();
    tokens.sort();
    assert!(tokens.iter().enumerate().all(|(i, (id, _))| *id == i as u64));
    let tokens: Vec<&str> = tokens.into_iter().map(|(_, token)| token.as_str()).collect();
    tokens.join("\n") + "\n"
}

/// The tokenizer of a folder with these files, beside a `config.json` whose `vocab_size` is large enough.
fn tokenizer(family: &str, files: &[(&str, &str)]) -> Result<Tokenizer, String> {
    let place = configured(family, |json| json["vocab_size"] = 60_000.into());
    for (name, text) in files {
        std::fs::write(place.path().join(name), text).unwrap();
    }
    let backbone = Backbone::open(place.path()).map_err(|error| error.to_string())?;
    backbone.tokenizer().map_err(|error| error.to_string())
}

#[test]
fn vocab_txt_gives_the_ids_of_tokenizer_json() {
    let texts: Vec<String> =
        TEXTS.iter().flat_map(|text| [(*text).to_owned(), (*text).to_owned()]).collect();
    let expected = train_wordpiece(&texts, 300).unwrap();
    let vocabulary = lines(&expected.to_bytes().unwrap());
    for family in ["bert", "electra", "distilbert"] {
        let found = tokenizer(family, &[("vocab.txt", &vocabulary)]).unwrap();
        assert_eq!(ids(&found), ids(&expected), "{family}");
        assert_eq!(found.vocab_size(), expected.vocab_size());
        assert_eq!(found.layout(), expected.layout());
    }
    // Editors on Windows write a byte order mark and other line ends.
    let windows = format!("\u{feff}{}", vocabulary.replace('\n', "\r\n"));
    assert_eq!(ids(&tokenizer("bert", &[("vocab.txt", &windows)]).unwrap()), ids(&expected));
    // A cased model keeps capitals, which this vocabulary does not have.
    let cased = r#"{"do_lower_case": false, "cls_token": {"content": "[CLS]"}}"#;
    let cased =
        tokenizer("bert", &[("vocab.txt", &vocabulary), ("tokenizer_config.json", cased)]).unwrap();
    assert_ne!(cased.encode("DRILL").unwrap(), expected.encode("DRILL").unwrap());
    assert_eq!(cased.encode("sofa").unwrap(), expected.encode("sofa").unwrap());
    // Tokens that were added have the ids after those of the vocabulary.
    let next = expected.vocab_size();
    let added = format!(r#"{{"unit18v": {next}}}"#);
    let more = tokenizer("bert", &[("vocab.txt", &vocabulary), ("added_tokens.json", &added)]);
    assert_eq!(more.unwrap().encode("unit18v").unwrap(), [next as u32]);
    let wrong = r#"{"unit18v": 7}"#;
    let error = tokenizer("bert", &[("vocab.txt", &vocabulary), ("added_tokens.json", wrong)]);
    assert!(error.unwrap_err().contains("`unit18v` has the id 7"));
    let error = tokenizer("bert", &[("vocab.txt", "[PAD]\n[UNK]\na\n")]).unwrap_err();
    assert!(error.contains("vocab.txt") && error.contains("`[SEP]`"), "{error}");
}

#[test]
fn byte_level_vocabularies_are_read() {
    let vocabulary =
        r#"{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4,"b":5,"Ġ":6,"ab":7,"Ġab":8,"<mask>":9}"#;
    let merges = "#version: 0.2\na b\nĠ ab\n";
    let found =
        tokenizer("roberta", &[("vocab.json", vocabulary), ("merges.txt", merges)]).unwrap();
    assert_eq!(found.encode("ab ab b").unwrap(), [7, 8, 6, 5]);
    let error = tokenizer("roberta", &[("vocab.json", vocabulary), ("merges.txt", "a b c\n")]);
    assert!(error.unwrap_err().contains("merges.txt: line 1"));
    let vocabulary = r#"{"a":0,"b":1,"Ġ":2,"ab":3,"Ċ":4}"#;
    let config = r#"{"added_tokens_decoder": {"5": {"content": "<|endoftext|>", "special": true}, "6": {"content": "<|im_end|>", "special": true}}}"#;
    let files =
        [("vocab.json", vocabulary), ("merges.txt", "a b\n"), ("tokenizer_config.json", config)];
    let found = tokenizer("qwen2", &files).unwrap();
    assert_eq!((found.encode("ab b").unwrap(), found.vocab_size()), (vec![3, 2, 1], 7));
}

#[test]
fn a_folder_without_a_tokenizer_says_what_it_holds_and_how_to_make_one() {
    let error = tokenizer("xlm_roberta", &[("sentencepiece.bpe.model", "…")]).unwrap_err();
    for part in
        ["no tokenizer.json", "`sentencepiece.bpe.model` alone", "config.json", "save_pretrained"]
    {
        assert!(error.contains(part), "{error}");
    }
    let error = tokenizer("bert", &[("tokenizer.model", "…")]).unwrap_err();
    assert!(error.contains("tokenizer.model"), "{error}");
}

#[test]
fn a_tokenizer_with_more_ids_than_the_table_is_refused_with_both_numbers() {
    let place = configured("bert", |_| {});
    let table = Backbone::open(place.path()).unwrap().config().vocab_size;
    let words: Vec<String> = (0..table).map(|i| format!("w{i}")).collect();
    let text = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{}\n", words.join("\n"));
    std::fs::write(place.path().join("vocab.txt"), text).unwrap();
    let error = Backbone::open(place.path()).unwrap().tokenizer().unwrap_err().to_string();
    for part in [format!("has {} ids", table + 5), format!("has {table} rows"), "vocab.txt".into()]
    {
        assert!(error.contains(&part), "{error}");
    }
}

/// For the vocabulary of the real MiniLM (see `minilm.rs`), `vocab.txt` gives the same ids as
/// `tokenizer.json`.
#[test]
fn the_real_vocabulary_gives_the_same_ids_from_vocab_txt() {
    let Some(folder) = crate::minilm::weights() else {
        eprintln!("skipped: no MiniLM here; `sextant get minilm` fetches it");
        return;
    };
    let expected = Tokenizer::from_file(folder.join("tokenizer.json"), &[RowFormat::BERT]).unwrap();
    let json = std::fs::read(folder.join("tokenizer.json")).unwrap();
    let files =
        [("vocab.txt", &*lines(&json)), ("tokenizer_config.json", r#"{"do_lower_case": true}"#)];
    let found = tokenizer("bert", &files).unwrap();
    assert_eq!(ids(&found), ids(&expected));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/perplexity.txt");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(found.encode(&page).unwrap(), expected.encode(&page).unwrap());
}
