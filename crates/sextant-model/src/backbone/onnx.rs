//! Reading the weights of a BERT that PyTorch exported to ONNX: the file's `f32` initialisers, under the
//! names that they had in the checkpoint.
//!
//! An export keeps the names of parameters, except those of linear layers' matrices, which become transposed
//! constants. The name of such a matrix is derived from the `MatMul` node that reads it.

use crate::onnx_proto::{Model, data_type};
use crate::source_file::SourceFile;
use crate::{Archive, ModelError};
use prost::Message;
use std::collections::HashMap;
use std::path::Path;

/// Reads an ONNX file.
pub(super) fn read(path: &Path) -> Result<Archive, ModelError> {
    let mut archive = Archive::empty(path);
    let file = SourceFile::open(path)?;
    let bytes = file.bytes(0, file.len())?;
    archive.add_file(file);
    let model = Model::decode(&bytes[..])
        .map_err(|error| archive.problem(format!("is not a whole ONNX file: {error}")))?;
    drop(bytes);
    let graph = model.graph.ok_or_else(|| archive.problem("holds no graph".into()))?;
    // For each constant, the layer whose product reads it.
    let layers: HashMap<&str, String> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "MatMul")
        .filter_map(|node| {
            let layer = node.name.strip_suffix("/MatMul")?.replace('/', ".");
            Some((node.input.get(1)?.as_str(), layer))
        })
        .collect();
    for tensor in graph.initializer {
        if tensor.data_type != data_type::FLOAT {
            continue;
        }
        let shape: Result<Vec<usize>, _> = tensor.dims.iter().map(|&n| n.try_into()).collect();
        let shape = shape
            .map_err(|_| archive.problem(format!("tensor `{}` has a size below 0", tensor.name)))?;
        let count = shape.iter().try_fold(4usize, |product, &n| product.checked_mul(n));
        if count != Some(tensor.raw_data.len()) {
            return Err(archive.problem(format!(
                "tensor `{}` has {} bytes where {shape:?} needs {count:?}; only files that hold their tensors raw are read",
                tensor.name,
                tensor.raw_data.len()
            )));
        }
        let layer = layers.get(tensor.name.as_str()).and_then(|layer| of_bert(layer));
        match (layer, shape.as_slice(), of_bert(&tensor.name)) {
            (Some(layer), &[inputs, outputs], _) => {
                let turned = turned(&tensor.raw_data, inputs, outputs);
                archive.add(format!("{layer}.weight"), vec![outputs, inputs], turned)?;
            }
            (_, _, Some(name)) => {
                archive.add(name.to_owned(), shape, tensor.raw_data)?;
            }
            _ => {}
        }
    }
    Ok(archive)
}

/// The part of a name that follows the prefix of the BERT model; `None` for a name outside the model.
fn of_bert(name: &str) -> Option<&str> {
    ["embeddings.", "encoder.layer.", "pooler."]
        .into_iter()
        .filter_map(|start| name.find(start))
        .min()
        .map(|at| &name[at..])
}

/// The transpose of a matrix of 4-byte numbers.
fn turned(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let place = |column: usize| {
        (0..rows).flat_map(move |row| bytes[4 * (row * columns + column)..][..4].iter().copied())
    };
    (0..columns).flat_map(place).collect()
}
