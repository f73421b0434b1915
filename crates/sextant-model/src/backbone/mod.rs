//! Pretrained backbones: Hugging Face folders with `config.json`, weights and `tokenizer.json`, or folders
//! with a `model.gguf`. How the families differ is stated in `families`.

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
