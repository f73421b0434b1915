//! What a tokenizer file may contain, and what it must contain.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use serde_json::{Value, json};
use sextant_text::{RowFormat, TextError, Tokenizer};

fn edited(edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut json = serde_json::from_slice(&common::tokenizer().to_bytes().unwrap()).unwrap();
    edit(&mut json);
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn baked_in_truncation_and_padding_are_overridden() {
    let bytes = edited(|json| {
        json["truncation"] = json!({
            "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
        });
        json["padding"] = json!({
            "strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        });
    });
    // With this file the library on its own does pad and truncate.
    let raw = tokenizers::Tokenizer::from_bytes(&bytes).unwrap();
    let text = "cordless drill with a red case";
    assert_eq!(raw.encode(text, false).unwrap().get_ids().len(), 16);

    let tokenizer = Tokenizer::from_bytes(&bytes, "test", &[RowFormat::BERT]).unwrap();
    assert_eq!(tokenizer.encode(text).unwrap(), common::tokenizer().encode(text).unwrap());
    assert!(tokenizer.encode(text).unwrap().len() > 4);
    assert!(tokenizer.encode("red").unwrap().len() < 4);
}

#[test]
fn bytes_round_trip() {
    let bytes = common::tokenizer().to_bytes().unwrap();
    let again = Tokenizer::from_bytes(&bytes, "test", &[RowFormat::BERT]).unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    assert_eq!(again.vocab_size(), common::tokenizer().vocab_size());
    for text in common::TEXTS {
        assert_eq!(again.encode(text).unwrap(), common::tokenizer().encode(text).unwrap());
    }
}

#[test]
fn special_tokens_in_a_text_are_plain_text() {
    let tokenizer = common::tokenizer();
    let ids = tokenizer.encode("red [SEP] [CLS] [PAD] drill").unwrap();
    let layout = tokenizer.layout();
    for special in [layout.open[0], layout.close[0], tokenizer.pad_id()] {
        assert!(!ids.contains(&special), "{ids:?}");
    }
}

#[test]
fn missing_special_token_is_named_with_its_file() {
    for token in ["[CLS]", "[SEP]", "[PAD]"] {
        let bytes = edited(|json| {
            json["model"]["vocab"].as_object_mut().unwrap().remove(token);
            json["added_tokens"].as_array_mut().unwrap().retain(|t| t["content"] != token);
            json["post_processor"] = Value::Null;
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, bytes).unwrap();
        let error = Tokenizer::from_file(&path, &[RowFormat::BERT]).unwrap_err().to_string();
        assert!(error.contains(token) && error.contains("tokenizer.json has no token"), "{error}");
    }
}

#[test]
fn unreadable_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.json");
    assert!(matches!(Tokenizer::from_file(&path, &[RowFormat::BERT]), Err(TextError::Read { .. })));
    std::fs::write(&path, b"{\"model\": 1").unwrap();
    let error = Tokenizer::from_file(&path, &[RowFormat::BERT]).unwrap_err().to_string();
    assert!(error.contains("absent.json") && error.contains("not a Hugging Face"), "{error}");
}

/// The library panics on the first table of characters, and would allocate 7.6 GB for the second. Both must
/// give an error that names the file.
#[test]
fn a_damaged_table_of_characters_is_an_error() {
    for table in ["AAAA", &"4".repeat(96)] {
        let json = r#"{"version":"1.0","added_tokens":[],"normalizer":{"type":"Precompiled","precompiled_charsmap":"TABLE"},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0]]}}"#;
        let json = json.replace("TABLE", table);
        let error =
            Tokenizer::from_bytes(json.as_bytes(), "some/tokenizer.json", &[RowFormat::BERT])
                .unwrap_err();
        assert!(
            error.to_string().starts_with("some/tokenizer.json is not a Hugging Face tokenizer"),
            "{error}"
        );
    }
}

/// When the library writes a vocabulary, it would list every id below the largest that no token has.
#[test]
fn an_id_far_beyond_the_number_of_tokens_is_refused() {
    let json = |id: u32| {
        format!(
            r#"{{"version":"1.0","added_tokens":[],"model":{{"type":"WordLevel","vocab":{{"[CLS]":0,"[SEP]":1,"[PAD]":2,"[UNK]":3,"drill":{id}}},"unk_token":"[UNK]"}}}}"#
        )
    };
    let read = |id| Tokenizer::from_bytes(json(id).as_bytes(), "t.json", &[RowFormat::BERT]);
    // Unused ids are allowed: checkpoints keep the ids of tokens that were removed.
    assert_eq!(read(60_000).unwrap().vocab_size(), 60_001);
    let error = read(866_666_666).unwrap_err().to_string();
    assert!(error.contains("t.json") && error.contains("`drill` has the id 866666666"), "{error}");
}

/// Some decoders have the special tokens of RoBERTa, so rows have the format that the model family states.
#[test]
fn rows_are_those_of_the_stated_format() {
    let json = r#"{"version":"1.0","added_tokens":[],"model":{"type":"WordLevel","vocab":{"<s>":0,"</s>":1,"<pad>":2,"<unk>":3,"drill":4},"unk_token":"<unk>"}}"#;
    let read = |formats: &[RowFormat]| Tokenizer::from_bytes(json.as_bytes(), "t.json", formats);
    let encoder = read(&[RowFormat::BERT, RowFormat::ROBERTA]).unwrap();
    let decoder = read(&[RowFormat::LINES]).unwrap();
    assert_eq!(encoder.layout().assemble(&[4], &[4]).0, [0, 4, 1, 1, 4, 1]);
    // This vocabulary has no token for the line end, which becomes `<unk>`.
    assert_eq!(decoder.layout().assemble(&[4], &[4]).0, [0, 4, 3, 4, 1]);
    assert_eq!((encoder.pad_id(), decoder.pad_id()), (2, 2));
    let error = read(&[RowFormat::BERT]).unwrap_err().to_string();
    for part in ["t.json has no token `[CLS]`", "need `[CLS]`, `[SEP]`, `[PAD]`"] {
        assert!(error.contains(part), "{error}");
    }
    // A stored layout is taken as it is; a layout with an id that the vocabulary lacks is refused.
    let layout = decoder.layout().clone();
    let kept = Tokenizer::with_layout(json.as_bytes(), "t.json", layout.clone(), 2).unwrap();
    assert_eq!((kept.layout(), kept.pad_id()), (&layout, 2));
    let error = Tokenizer::with_layout(json.as_bytes(), "t.json", layout, 9).unwrap_err();
    assert!(error.to_string().contains("the id 9, which no token has"), "{error}");
}

#[test]
fn rows_may_be_those_of_the_files_post_processor() {
    let rows = |processor: Value, fill: Option<u32>| {
        let bytes = edited(|json| json["post_processor"] = processor);
        let tokenizer = Tokenizer::from_bytes(&bytes, "test", &[RowFormat::BERT])?;
        tokenizer.with_rows_of_its_file(fill).map(|tokenizer| tokenizer.layout().clone())
    };
    let raw = common::tokenizer();
    let id = |token: &str| (0..9).find(|&id| raw.token(id).as_deref() == Some(token)).unwrap();
    let (cls, sep) = (id("[CLS]"), id("[SEP]"));
    let piece = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let text = |side: &str| json!({ "Sequence": { "id": side, "type_id": 0 } });
    let template = |pair: Vec<Value>| {
        let token = |name: &str, id: u32| json!({ "id": name, "ids": [id], "tokens": [name] });
        json!({
            "type": "TemplateProcessing", "single": [text("A")], "pair": pair,
            "special_tokens": { "[CLS]": token("[CLS]", cls), "[SEP]": token("[SEP]", sep) },
        })
    };
    // No post-processor: nothing but the two sides.
    let plain = rows(Value::Null, None).unwrap();
    assert_eq!(plain.special_count(), 0);
    let pair = vec![piece("[CLS]"), text("A"), piece("[CLS]"), text("B"), piece("[SEP]")];
    let both = rows(template(pair.clone()), None).unwrap();
    assert_eq!((both.open, both.between, both.close), (vec![cls], vec![cls], vec![sep]));
    // Where rows end with the token for padding, a model that pools at the last other token reads nothing of it.
    assert_eq!(rows(template(pair), Some(sep)).unwrap().close, Vec::<u32>::new());
    let error = rows(template(vec![text("B"), piece("[SEP]"), text("A")]), None).unwrap_err();
    assert!(error.to_string().contains("the left side and then the right side"), "{error}");
}
