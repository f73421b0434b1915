//! The shapes of models that the benchmark fills with random numbers, as `config.json` states them.

/// The shape of SmolLM2-135M. The model gets random numbers, and adapters of rank 16 on every linear
/// layer of its blocks, like the model that `benches/peers/peft_lora.py` builds.
pub(super) fn smollm() -> serde_json::Value {
    serde_json::json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        "max_position_embeddings": 8192, "rope_theta": 100_000.0, "rms_norm_eps": 1e-5,
    })
}

/// The shape of the encoder of `sextant demo`, with the vocabulary of the rows' tokens.
pub(super) fn tiny() -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "vocab_size": 30522, "hidden_size": 64, "intermediate_size": 256,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512,
        "type_vocab_size": 2, "hidden_act": "gelu",
    })
}

/// The shape of DeBERTa-v3-small. The model gets random numbers, like the one that
/// `benches/peers/torch_bert.py` builds.
pub(super) fn deberta() -> serde_json::Value {
    serde_json::json!({
        "model_type": "deberta-v2", "vocab_size": 128_100, "hidden_size": 768,
        "intermediate_size": 3072, "num_hidden_layers": 6, "num_attention_heads": 12,
        "max_position_embeddings": 512, "type_vocab_size": 0, "layer_norm_eps": 1e-7,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
        "relative_attention": true, "position_buckets": 256, "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": false, "pooler_hidden_act": "gelu", "pad_token_id": 0,
    })
}

/// The shape of ModernBERT-base with six of its 22 layers. The model gets random numbers, like the one that
/// `benches/peers/torch_bert.py` builds.
pub(super) fn modernbert() -> serde_json::Value {
    serde_json::json!({
        "model_type": "modernbert", "vocab_size": 50_368, "hidden_size": 768,
        "intermediate_size": 1152, "num_hidden_layers": 6, "num_attention_heads": 12,
        "max_position_embeddings": 8192, "norm_eps": 1e-5, "hidden_activation": "gelu",
        "classifier_activation": "gelu", "local_attention": 128, "global_attn_every_n_layers": 3,
        "global_rope_theta": 160_000.0, "local_rope_theta": 10_000.0,
    })
}
