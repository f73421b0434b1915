//! Readers of weights.

use crate::{Scratch, seeds};
use sextant_model::backbone::{Backbone, read_weights};
use sextant_model::{Archive, ModelError};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

/// The shard that the seeds of [`index`] name.
const SHARD: &str = "model-1.safetensors";

/// Decodes every tensor. Returns whether there were some, all sound.
fn decode(archive: Result<Archive, ModelError>) -> bool {
    match archive {
        Ok(archive) => {
            let names: Vec<String> = archive.names().map(str::to_owned).collect();
            let mut sound = !names.is_empty();
            for name in names {
                let shape = archive.shape(&name).unwrap_or_default().to_vec();
                sound &= archive.get(&name, &shape).is_ok();
                let _ = archive.vector(&name);
            }
            sound
        }
        Err(error) => {
            drop(error.to_string());
            false
        }
    }
}

/// One safetensors file.
pub(crate) fn safetensors(scratch: &Scratch, bytes: &[u8]) -> bool {
    decode(Archive::read(&scratch.file("model.safetensors", bytes), |_| false))
}

/// A folder's weights, under the name that says their format.
fn weights(scratch: &Scratch, name: &str, bytes: &[u8]) -> bool {
    scratch.file(name, bytes);
    let decoded = decode(read_weights(scratch.path()));
    scratch.remove(name);
    decoded
}

/// GGUF: configuration, tokenizer and tensors.
pub(crate) fn gguf(scratch: &Scratch, bytes: &[u8]) -> bool {
    scratch.file("model.gguf", bytes);
    if let Ok(backbone) = Backbone::open(scratch.path()) {
        let _ = backbone.tokenizer();
        let _ = backbone.check();
        let _ = backbone.check_relevance_head();
    }
    weights(scratch, "model.gguf", bytes)
}

/// PyTorch's own format, in any of its containers.
pub(crate) fn torch(scratch: &Scratch, bytes: &[u8]) -> bool {
    weights(scratch, "pytorch_model.bin", bytes)
}

/// The pickle inside a valid container, because changes of a whole archive would only fail its
/// checksums.
pub(crate) fn pickle(scratch: &Scratch, bytes: &[u8]) -> bool {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let numbers: Vec<u8> = (0..64_u8).flat_map(|x| f32::from(x).to_le_bytes()).collect();
    let entries = [
        ("model/data.pkl", bytes),
        ("model/byteorder", b"little".as_slice()),
        ("model/data/0", &numbers),
        ("model/data/1", &numbers[..64]),
        ("model/version", b"3\n"),
    ];
    let write = || {
        for (name, content) in entries {
            archive.start_file(name, stored)?;
            archive.write_all(content)?;
        }
        archive.finish()
    };
    let whole = write().unwrap_or_else(|error| panic!("an archive in memory: {error}"));
    weights(scratch, "pytorch_model.bin", whole.get_ref())
}

/// ONNX.
pub(crate) fn onnx(scratch: &Scratch, bytes: &[u8]) -> bool {
    weights(scratch, "model.onnx", bytes)
}

/// The list of a sharded checkpoint's files, beside a shard.
pub(crate) fn index(scratch: &Scratch, bytes: &[u8]) -> bool {
    if !scratch.path().join(SHARD).exists() {
        scratch.file(SHARD, &seeds::weights::safetensors()[0]);
    }
    weights(scratch, "model.safetensors.index.json", bytes)
}
