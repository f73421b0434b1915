//! Seeds for the readers of files that describe a model.

use super::{golden, of_families};
use sextant_core::{DecisionRule, Task};
use sextant_eval::Vote;
use sextant_infer::{Cascade, EnsembleManifest, Member};
use sextant_model::{BackboneConfig, HeadKind, ModelSpec, Pooling, Routing, bundle as bundles};
use sextant_text::{RowLayout, TextConfig, train_wordpiece};

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| panic!("plain data: {error}"))
}

pub(crate) fn tokenizer() -> Vec<Vec<u8>> {
    let texts = ["a drill for wood", "a saw for wood", "the drill"];
    let word_piece = train_wordpiece(&texts, 40)
        .and_then(|tokenizer| tokenizer.to_bytes())
        .unwrap_or_else(|error| panic!("{error}"));
    let written = [
        r#"{"version":"1.0","truncation":{"direction":"Right","max_length":8,"strategy":"LongestFirst","stride":0},"padding":{"strategy":{"Fixed":8},"direction":"Right","pad_to_multiple_of":null,"pad_id":1,"pad_type_id":0,"pad_token":"<pad>"},"added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},{"id":1,"content":"<pad>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},{"id":2,"content":"</s>","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Prepend","prepend":"_"}]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]},"post_processor":{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",0],"trim_offsets":true,"add_prefix_space":false},"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"vocab":{"<s>":0,"<pad>":1,"</s>":2,"a":3,"b":4,"ab":5,"d":6,"r":7,"dr":8,"Ġ":9},"merges":["a b",["d","r"]]}}"#,
        r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"},"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}},"decoder":null,"model":{"type":"Unigram","unk_id":2,"vocab":[["<s>",0.0],["</s>",0.0],["<pad>",0.0],["_a",-1.5],["b",-2.0],["ab",-3.0]],"byte_fallback":false}}"#,
        r#"{"version":"1.0","added_tokens":[],"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordLevel","vocab":{"[CLS]":0,"[SEP]":1,"[PAD]":2,"[UNK]":3,"drill":4},"unk_token":"[UNK]"}}"#,
    ];
    let written = written.map(|text| text.as_bytes().to_vec());
    [vec![word_piece], written.to_vec()].concat()
}

pub(crate) fn config() -> Vec<Vec<u8>> {
    of_families("config.json")
}

pub(crate) fn adapter() -> Vec<Vec<u8>> {
    ["some", "all_linear", "saved", "encoder"]
        .map(|case| golden(&format!("peft/{case}/adapter_config.json")))
        .to_vec()
}

fn decision() -> DecisionRule {
    DecisionRule::new([0.5, 1.5]).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn bundle() -> Vec<Vec<u8>> {
    let backbone = BackboneConfig::small(40);
    let layout = RowLayout { open: vec![1], between: vec![2, 2], close: vec![2], right_segment: 0 };
    let manifest = |routing: Routing| {
        json(&bundles::Manifest {
            format_version: bundles::FORMAT_VERSION,
            sextant_version: "0.1.0".into(),
            spec: ModelSpec {
                backbone: backbone.clone(),
                tasks: Task::ALL.to_vec(),
                routing,
                pooling: Pooling::Cls,
                dense: true,
                head: HeadKind::Softmax,
                head_dropout: 0.1,
                lora: None,
            },
            text: TextConfig::default(),
            rows: routing.prefix.then(|| bundles::StatedRows { layout: layout.clone(), pad_id: 0 }),
            decisions: [(Task::QueryType, decision())].into(),
            provenance: serde_json::json!({ "seed": 1 }),
            files: [("model.safetensors".to_owned(), "00".repeat(32))].into(),
        })
    };
    [Routing::TEXT_PREFIX, Routing::MULTI_HEAD, Routing::mhp(1)].map(manifest).to_vec()
}

pub(crate) fn ensemble() -> Vec<Vec<u8>> {
    let member = |path: &str, tasks: &[Task]| Member {
        path: path.into(),
        sha256: "00".repeat(32),
        weight: 0.5,
        tasks: tasks.to_vec(),
    };
    let manifest = |rule: Vote| {
        json(&EnsembleManifest {
            format_version: 1,
            sextant_version: "0.1.0".into(),
            rule,
            members: vec![member("../a", &Task::ALL), member("/b", &[Task::QueryType])],
            cascade: (rule == Vote::Soft)
                .then(|| Cascade { first_stage: 1, thresholds: [(Task::QueryType, 0.5)].into() }),
            decisions: [(Task::QueryType, decision())].into(),
            provenance: serde_json::Value::Null,
        })
    };
    Vote::ALL.map(manifest).to_vec()
}
