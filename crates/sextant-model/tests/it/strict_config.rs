//! An invalid `config.json` is refused before memory is allocated, with an error that names the key.

use crate::checkpoints::{check, configured, tensors};
use crate::families::all;
use crate::strict::write;
use serde_json::json;
use sextant_model::backbone::Backbone;

#[test]
fn configurations_that_cannot_be_are_refused_by_their_key() {
    let refused = |family: &str, key: &str, value: serde_json::Value| {
        let place = configured(family, |json| {
            let mut at = json;
            let mut parts = key.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    at[part] = value.clone();
                    break;
                }
                at = &mut at[part];
            }
        });
        let error = match Backbone::open(place.path()) {
            Err(error) => error.to_string(),
            Ok(backbone) => panic!("{family} {key} = {value}: {:?}", backbone.config()),
        };
        let last = key.rsplit('.').next().unwrap();
        assert!(error.contains("config.json") && error.contains(last), "{family} {key}: {error}");
    };
    for family in all() {
        let sizes = match family {
            "distilbert" => ["vocab_size", "dim", "n_layers", "n_heads", "hidden_dim"],
            _ => [
                "vocab_size",
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "intermediate_size",
            ],
        };
        for key in sizes {
            refused(family, key, 0.into());
            refused(family, key, json!("wide"));
            refused(family, key, json!(-1));
        }
        refused(family, "max_position_embeddings", 0.into());
        refused(family, sizes[2], json!(1u64 << 40));
        refused(family, sizes[2], json!(5000));
    }
    for (family, key, value) in [
        ("bert", "num_attention_heads", json!(3)),
        ("bert", "layer_norm_eps", json!(0.0)),
        ("bert", "hidden_dropout_prob", json!(1.5)),
        ("bert", "vocab_size", json!(1u64 << 40)),
        ("roberta", "pad_token_id", json!(u64::MAX)),
        ("electra", "embedding_size", json!(0)),
        ("distilbert", "n_heads", json!(3)),
        ("distilbert", "attention_dropout", json!(-0.5)),
        ("modernbert", "num_attention_heads", json!(3)),
        ("modernbert", "layer_types", json!(["full_attention"])),
        ("modernbert", "local_attention", json!(0)),
        ("modernbert", "rope_parameters.full_attention.rope_theta", json!(0)),
        ("deberta_v2", "num_attention_heads", json!(3)),
        ("deberta_v2", "position_buckets", json!(1)),
        ("deberta_v2", "max_relative_positions", json!(1)),
        ("llama", "num_key_value_heads", json!(3)),
        ("llama", "num_key_value_heads", json!(0)),
        ("llama", "head_dim", json!(0)),
        ("llama", "rope_parameters", json!({ "rope_type": "linear", "factor": 0 })),
        ("llama", "rope_parameters", json!({ "rope_type": "linear", "factor": -2.0 })),
        ("llama", "rope_parameters.rope_theta", json!(0)),
        (
            "llama",
            "rope_parameters",
            json!({
                "rope_type": "llama3", "factor": 2.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0,
                "original_max_position_embeddings": 16,
            }),
        ),
        ("mistral", "sliding_window", json!(0)),
        ("qwen2", "layer_types", json!(["full_attention", "no_attention"])),
        ("gemma2", "query_pre_attn_scalar", json!(0)),
        ("gemma2", "attn_logit_softcapping", json!(0.0)),
    ] {
        if key == "rope_parameters" {
            // The message names the key of the number within `rope_scaling`.
            let folder = configured(family, |json| json[key] = value.clone());
            let error = Backbone::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("rope_scaling.") && error.contains("factor"), "{error}");
        } else {
            refused(family, key, value);
        }
    }
}

/// The sizes in `config.json` are checked against the size of the weights.
#[test]
fn sizes_beyond_the_file_are_refused_before_memory_is_asked_for() {
    let place = configured("llama", |json| json["intermediate_size"] = (1 << 27).into());
    write(place.path(), &tensors("llama"));
    std::fs::write(place.path().join("tokenizer.json"), "{}").unwrap();
    let error = Backbone::open(place.path()).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("is it of the same model?"), "{error}");
    let place = configured("llama", |json| json["vocab_size"] = 51.into());
    write(place.path(), &tensors("llama"));
    std::fs::write(place.path().join("tokenizer.json"), "{}").unwrap();
    let error = Backbone::open(place.path()).unwrap().check().unwrap_err().to_string();
    assert!(error.contains("`vocab_size`") && error.contains("[51, 16]"), "{error}");
}

#[test]
fn a_byte_order_mark_is_skipped_and_an_error_has_its_line() {
    let place = configured("bert", |_| {});
    write(place.path(), &tensors("bert"));
    let path = place.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    check(place.path(), "bert");
    let broken =
        text.replacen(':', ":\n", 1).replace("\"hidden_size\":16", "\"hidden_size\":\"x\"");
    std::fs::write(&path, broken).unwrap();
    let error = Backbone::open(place.path()).unwrap_err().to_string();
    for part in ["config.json", "`hidden_size`", "line 2"] {
        assert!(error.contains(part), "{error}");
    }
}
