//! The files of a backbone.

/// The files that a folder must contain to be a backbone, as a phrase for messages.
pub const LAYOUT: &str = "config.json, tokenizer.json, and the weights as model.safetensors, as shards with model.safetensors.index.json, or as pytorch_model.bin; or model.gguf alone";
