//! The relevance model: one transformer block, the backbone families that configure it, and the
//! routing that turns one backbone into a model of six tasks.
//!
//! A [`RelevanceModel`] is embeddings, a *trunk* of shared [`Block`]s, and one or more [`Branch`]es
//! (private blocks and a head). [`Routing`] is data: the text-prefix model has one branch and no
//! private blocks, the multi-head model a branch per task, the MHP model a branch per task with
//! private blocks copied from the top of the backbone. A mixed-task pack runs the trunk once; because
//! its rows are sorted by task, each branch then sees one contiguous range of tokens.
//!
//! Pretrained weights are loaded through a name table per family ([`backbone`]), strictly: a tensor that
//! is missing or not understood is an error that names it. A model is saved as a [`bundle`], which loads
//! again bit for bit, or [exported](export) for other programs; [`Adapter`] reads adapters that were
//! exported or that PEFT wrote.

mod answer;
pub mod backbone;
mod base;
mod behaviour;
mod block;
mod block_config;
mod branch;
pub mod bundle;
mod by_blocks;
mod config;
mod context;
mod contradiction;
mod device;
mod distillation;
mod embeddings;
mod error;
pub mod export;
mod families;
mod frozen;
mod gguf;
mod imported;
mod input;
mod json;
mod kept_layers;
mod layer_distillation;
mod layers;
mod lora;
mod loss;
mod merge;
mod mimetic;
mod mixture;
mod model;
mod onnx_proto;
mod packed_weights;
mod packing;
mod params;
mod paths;
mod peft;
mod pooling;
mod predictor;
mod prefixes;
mod projection;
mod routing;
mod shared;
mod source_file;
mod spec;
mod stack;
mod values;
mod weights;

pub use answer::{answer_rows, predict_rows};
pub use base::SharedBases;
pub use behaviour::{EventRates, ObservedRates, behaviour_losses};
pub use block::{Block, BlockContext};
pub use block_config::{
    Biases, BlockConfig, MlpActivation, NormKind, NormPlace, RelativeConfig, RotaryConfig,
    RotaryScaling, Window,
};
pub use branch::Branch;
pub use by_blocks::Activations;
pub use config::{BackboneConfig, DenseActivation, DenseConfig, Family};
pub use context::ForwardContext;
pub use contradiction::contradiction_losses;
pub use device::{Device, UnknownDevice};
pub use distillation::{Distillation, DistillationKind, distillation_losses};
pub use embeddings::Embeddings;
pub use error::{ModelError, NonFinite};
pub use frozen::frozen_weights;
pub use imported::Imported;
pub use input::PackInput;
pub use kept_layers::{KeptLayers, WantedLayers};
pub use layer_distillation::{
    LayerDistillation, LayerLesson, LayerMap, initial_projection, layer_losses,
};
pub use layers::{Linear, Norm};
pub use lora::{LoraConfig, LoraPart};
pub use loss::{LossConfig, LossKind, row_losses};
pub use merge::merge;
pub use mimetic::initialize_mimetic;
pub use mixture::{MixtureConfig, SharedLevel, TaskLevel};
pub use model::{RelevanceModel, grade_probabilities};
pub use packed_weights::PackedWeights;
pub use params::{
    ParamInfo, ParameterCounts, dump, freeze, initialize, initialize_frozen, is_trained, load,
    parameters,
};
pub use peft::Adapter;
pub use pooling::Pooling;
pub use predictor::Predictor;
pub use prefixes::SharedPrefixes;
pub use projection::Projection;
pub use routing::{Heads, Private, PrivateInit, Routing};
pub use shared::StepShared;
pub use spec::{HeadKind, ModelSpec};
pub use stack::to_checkpoint;
pub use values::Values;
pub use weights::{Archive, Writable};
