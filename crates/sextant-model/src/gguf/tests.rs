use super::*;
use proptest::prelude::*;

/// The bytes of a file with these metadata (already encoded) and tensors.
fn file(metadata: &[(&str, u32, Vec<u8>)], tensors: &[(&str, &[u64], u32, Vec<u8>)]) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, kind, value) in metadata {
        bytes.extend(text(key));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    }
    let mut data = Vec::new();
    for (name, shape, kind, content) in tensors {
        bytes.extend(text(name));
        bytes.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        data.extend(content);
        data.resize(data.len().next_multiple_of(32), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

fn whole() -> Vec<u8> {
    file(
        &[("general.architecture", 8, [&5u64.to_le_bytes()[..], b"llama"].concat())],
        &[("a", &[2, 3], 0, (0..6u8).flat_map(|x| f32::from(x).to_le_bytes()).collect())],
    )
}

fn opened(bytes: &[u8]) -> Result<Gguf, ModelError> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    Gguf::open(&path)
}

#[test]
fn tensors_are_where_the_header_says() {
    let found = opened(&whole()).unwrap();
    assert_eq!(found.text("general.architecture").unwrap(), "llama");
    let tensor = &found.tensors["a"];
    assert_eq!(tensor.shape, [3, 2]);
    let bytes = found.file.bytes(tensor.start, tensor.length).unwrap();
    assert_eq!(tensor.kind.decode(&bytes), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn bad_files_are_refused() {
    let message = |bytes: &[u8]| opened(bytes).unwrap_err().to_string();
    let mut magic = whole();
    magic[0] = b'X';
    assert!(message(&magic).contains("does not begin with `GGUF`"));
    let mut version = whole();
    version[4] = 9;
    assert!(message(&version).contains("version 9"));
    let mut counted = whole();
    counted[8..16].fill(0xff);
    assert!(message(&counted).contains("entries"));
    let strange = file(&[], &[("blk.0.ffn_up.weight", &[256], 10, vec![0; 84])]);
    let error = message(&strange);
    assert!(error.contains("blk.0.ffn_up.weight") && error.contains("type 10"), "{error}");
    let long = file(&[], &[("a", &[1 << 40, 1 << 40], 0, vec![0; 4])]);
    assert!(message(&long).contains("does not fit"));
}

proptest! {
    /// Opening a file that is cut anywhere, or in which any byte is changed, succeeds or fails, but never
    /// panics.
    #[test]
    fn damage_never_panics(cut in 0usize..200, at in 0usize..200, byte: u8) {
        let mut bytes = whole();
        let _ = opened(&bytes[..cut.min(bytes.len())]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = opened(&bytes);
    }
}

/// The two halves of each head, which llama.cpp interleaves, are separated again.
#[test]
fn heads_come_apart() {
    let rows: Vec<f32> = [0, 2, 1, 3, 4, 6, 5, 7].map(|row| row as f32).to_vec();
    let undone = Undo::Interleaved(2).apply(rows, 1);
    assert_eq!(undone, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
}

/// Blocks are decoded as by the Python package `gguf` (`scripts/goldens/gguf_blocks.py`).
#[test]
fn blocks_decode_as_ggml_says() {
    #[derive(serde::Deserialize)]
    struct Case {
        kind: u32,
        name: String,
        bytes: Vec<u8>,
        values: Vec<f32>,
    }
    let text = include_str!("../../tests/goldens/gguf_blocks.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let found = BlockType::of(case.kind).unwrap().decode(&case.bytes);
        assert_eq!(found.len(), case.values.len(), "{}", case.name);
        for (i, (a, b)) in found.iter().zip(&case.values).enumerate() {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{} {i}: {a}, not {b}", case.name);
        }
    }
}

/// A GGUF file with the metadata of a decoder that has this many heads.
fn decoder(heads: u32) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |n: u32| n.to_le_bytes().to_vec();
    let tokens = [&8u32.to_le_bytes()[..], &2u64.to_le_bytes(), &text("a"), &text("b")].concat();
    let metadata = [
        ("general.architecture", 8, text("llama")),
        ("llama.attention.head_count", 4, number(heads)),
        ("llama.block_count", 4, number(1)),
        ("llama.embedding_length", 4, number(8)),
        ("llama.feed_forward_length", 4, number(16)),
        ("llama.context_length", 4, number(32)),
        ("llama.attention.layer_norm_rms_epsilon", 6, 1e-5f32.to_le_bytes().to_vec()),
        ("llama.rope.freq_base", 6, 1e5f32.to_le_bytes().to_vec()),
        ("tokenizer.ggml.tokens", 9, tokens),
    ];
    file(&metadata, &[])
}

#[test]
fn a_config_json_beside_the_file_must_agree_with_it() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("model.gguf"), decoder(2)).unwrap();
    let open = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json!({
            "model_type": "llama", "vocab_size": 2, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 32,
            "rms_norm_eps": 1e-5, "rope_parameters": { "rope_type": "default", "rope_theta": 1e5 },
        });
        change(&mut json);
        std::fs::write(place.path().join("config.json"), json.to_string()).unwrap();
        crate::backbone::Backbone::open(place.path()).map_err(|error| error.to_string())
    };
    open(&|_| ()).unwrap();
    let error = open(&|json| json["num_attention_heads"] = 4.into()).unwrap_err();
    for part in ["config.json", "`num_attention_heads` is 4", "model.gguf say 2"] {
        assert!(error.contains(part), "{error}");
    }
    let error = open(&|json| json["rope_parameters"]["rope_theta"] = 1e4.into()).unwrap_err();
    assert!(error.contains("`rope_theta`") && error.contains("100000"), "{error}");
    for (key, value) in [("intermediate_size", json!(24)), ("rms_norm_eps", json!(1e-6))] {
        assert!(open(&|json| json[key] = value.clone()).unwrap_err().contains(key));
    }
    std::fs::remove_file(place.path().join("config.json")).unwrap();
    assert!(crate::backbone::Backbone::open(place.path()).is_ok());
    std::fs::write(place.path().join("model.gguf"), decoder(0)).unwrap();
    let error = crate::backbone::Backbone::open(place.path()).unwrap_err().to_string();
    assert!(error.contains("`llama.attention.head_count` is 0"), "{error}");
}

/// Interleaving cannot be undone if the number of rows is not a multiple of twice the number of heads.
#[test]
fn heads_that_do_not_divide_are_refused() {
    for (heads, shape) in [(0, &[8usize, 2][..]), (3, &[8, 2]), (8, &[8, 2]), (usize::MAX, &[8, 2])]
    {
        assert!(Undo::Interleaved(heads).check(shape).is_err(), "{heads}");
    }
    Undo::Interleaved(2).check(&[8, 2]).unwrap();
}
