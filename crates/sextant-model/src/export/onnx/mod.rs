//! Exporting a task as an ONNX file.

mod attention;
mod encoder;
mod graph;
mod rounding;
mod writer;

pub use rounding::Rounding;

use super::huggingface::write_tokenizer;
use super::{Stack, card, write, write_folder};
use crate::bundle::Bundle;
use crate::stack::stacked;
use crate::{ModelError, Pooling};
use graph::Graph;
use prost::Message;
use sextant_core::Task;
use sextant_files::Existing;
use std::path::Path;

/// The name of the ONNX file in the exported folder.
const FILE: &str = "model.onnx";
/// The model card's text about the precision of a file in 8 bits.
const INT8: &str = "Linear layers round their weights to 8 bits, with a scale for each output, and their inputs when the model runs, with a scale for each token; everything else is computed in `f32`. This is the rounding of Sextant's own `--precision int8` on processors with dot products of bytes.";
/// The model card's text if the effect of rounding was not measured.
const UNMEASURED: &str = "Nothing was measured on this bundle: how much its answers differ from those in `f32` depends on its weights. `sextant export` with `--pairs FILE` measures it on pairs of your own and says it here.";
/// The model card's text about processors on which sums can overflow.
const VNNI: &str = "On x86-64 processors without VNNI instructions (before about 2019), ONNX Runtime's sums of products can overflow. There, `options = onnxruntime.SessionOptions()` with `options.add_session_config_entry(\"session.x64quantprecision\", \"1\")` makes them exact; elsewhere it changes nothing.";
/// The largest size of a protobuf message, in bytes.
const LIMIT: usize = i32::MAX as usize;

/// The precision of the products in an ONNX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Weights and inputs in `f32`.
    F32,
    /// The weights of linear layers are rounded to 8 bits, with a scale for each output, and their inputs are
    /// rounded when the model runs, with a scale for each token, as in Sextant's own int8 scoring.
    /// Embeddings, norms and attention stay in `f32`.
    Int8,
}

impl Numbers {
    /// The model card's section about this precision; empty for `f32`.
    fn about(self, rounding: Option<&Rounding>) -> String {
        if self == Self::F32 {
            return String::new();
        }
        let measured = rounding.map_or_else(|| UNMEASURED.to_owned(), describe);
        format!("\n## In 8 bits\n\n{INT8}\n\n{measured}\n\n{VNNI}\n")
    }
}

/// The model card's text about a measurement.
fn describe(rounding: &Rounding) -> String {
    let Rounding { source, pairs, mean, largest, flipped } = rounding;
    format!(
        "Measured on this bundle at export, on {pairs} pairs of `{source}`: a probability differs from that in `f32` by {mean:.2e} on average and by {largest:.2e} at most, and {flipped} of {pairs} grades change. Sextant computed both; other programs form their sums in another order, and may differ in the last digits."
    )
}

/// Writes a task of a bundle as a folder with an ONNX file, the tokenizer and a model card. The card states
/// the effect of rounding to 8 bits if it was measured (`rounding`).
///
/// The numbers of rows and tokens are dynamic. The inputs of the file are `input_ids`, `attention_mask` and,
/// for families with two segments, `token_type_ids`; its output is `logits`.
///
/// # Errors
/// [`ModelError::Export`] for ordinal heads, decoders, mixtures of several levels, and files larger than the
/// 2 GiB of a protobuf message.
pub fn onnx(
    bundle: &Bundle,
    task: Task,
    numbers: Numbers,
    rounding: Option<&Rounding>,
    folder: &Path,
    existing: Existing,
) -> Result<(), ModelError> {
    let stack = Stack::new(bundle, task)?;
    let spec = stack.spec();
    if stack.backbone.block.causal || spec.pooling == Pooling::Last {
        return Err(ModelError::Export(
            "ONNX export covers encoders with first-token or mean pooling".into(),
        ));
    }
    if spec.routing.mixture.is_some_and(|mixture| mixture.levels > 1) {
        return Err(ModelError::Export(
            "ONNX export covers mixtures of one level: with more, a task's path runs through other tasks' experts".into(),
        ));
    }
    let values = stack
        .values()?
        .into_iter()
        .filter(|(name, _)| stack.passes(name))
        .filter_map(|(name, values)| Some((stacked(&name, spec)?, values)))
        .collect();
    let mut graph = Graph::new(numbers);
    let inputs = writer::Writer::new(&stack.backbone, spec, &values, &mut graph).write()?;
    let bytes = graph.finish().encode_to_vec();
    if bytes.len() > LIMIT {
        return Err(ModelError::Export(format!(
            "the file would have {} bytes, more than the 2 GiB that ONNX allows in one",
            bytes.len()
        )));
    }
    write_folder(folder, existing, FILE, |place| {
        write(place, FILE, &bytes)?;
        write_tokenizer(&stack, place)?;
        let card = card::onnx(&stack, FILE, &inputs, &numbers.about(rounding));
        write(place, card::FILE, card.as_bytes())
    })
}
