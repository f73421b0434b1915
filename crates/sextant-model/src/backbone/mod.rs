//! Pretrained backbones: a Hugging Face folder with `config.json`, weights and `tokenizer.json`, or one
//! with a `model.gguf`. What is special about a family is stated in `families`.

mod checkpoint;
mod head;
mod labels;
mod onnx;
mod pretrained;
mod stated;
mod tokenizer_files;
mod torch;
mod wrappers;

pub use checkpoint::{locate as weights_path, read as read_weights};
pub use pretrained::Backbone;
pub(crate) use wrappers::{PEFT, of_adapter};
