//! The files of a backbone.

/// What a folder must hold to be a backbone.
pub const LAYOUT: &str = "config.json, tokenizer.json, and the weights as model.safetensors, as shards with model.safetensors.index.json, or as pytorch_model.bin; or model.gguf alone";
