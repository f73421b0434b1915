//! Writing safetensors files, a piece of a tensor at a time, so that saving a model makes no second copy of
//! its weights.

use super::Archive;
use crate::ModelError;
use crate::source_file::PIECE;
use crate::values::Values;
use burn::tensor::Tensor;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How many numbers are written at a time.
const COUNT: usize = PIECE / size_of::<f32>();

/// A tensor that can be written without being copied whole.
pub trait Writable {
    /// The type in which the tensor's numbers are stored.
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    /// The tensor's shape; empty for a single number.
    fn shape(&self) -> Vec<usize>;

    /// Calls `write` with the tensor's bytes, little-endian and row-major, in pieces of any length.
    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;
}

impl Writable for &Values {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.data.chunks(COUNT).try_for_each(|piece| write_floats(piece, write))
    }
}

impl<const D: usize> Writable for Tensor<D> {
    fn shape(&self) -> Vec<usize> {
        self.dims().to_vec()
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        // A few rows at a time are copied from the tensor.
        let rows = self.dims()[0];
        let width = self.dims().iter().skip(1).product::<usize>();
        let most = (COUNT / width.max(1)).max(1);
        let tensor = self.clone().detach();
        let mut first = 0;
        while first < rows {
            let count = most.min(rows - first);
            let data = tensor.clone().narrow(0, first, count).into_data().convert::<f32>();
            let floats = data.as_slice::<f32>();
            write_floats(floats.map_err(|error| io::Error::other(format!("{error:?}")))?, write)?;
            first += count;
        }
        Ok(())
    }
}

impl Writable for Box<dyn Writable + '_> {
    fn dtype(&self) -> Dtype {
        self.as_ref().dtype()
    }

    fn shape(&self) -> Vec<usize> {
        self.as_ref().shape()
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.as_ref().pieces(write)
    }
}

/// Writes numbers as little-endian bytes; on a little-endian machine they are not copied.
fn write_floats(floats: &[f32], write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    if cfg!(target_endian = "little") {
        return write(bytemuck::cast_slice(floats));
    }
    write(&floats.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
}

impl Archive {
    /// Writes tensors as `f32` safetensors, directly to `path`. A caller that must not leave an incomplete
    /// file writes into a folder that is renamed once it is complete.
    pub fn write(path: &Path, tensors: &BTreeMap<String, Values>) -> Result<(), ModelError> {
        Self::write_tensors(path, tensors.iter().map(|(name, values)| (name.clone(), values)), None)
    }

    /// [`Archive::write`] with the metadata entry `format` = `pt`, by which `transformers` recognises
    /// PyTorch's layouts.
    pub(crate) fn write_for_torch(
        path: &Path,
        tensors: &BTreeMap<String, Values>,
    ) -> Result<(), ModelError> {
        let mark = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let tensors = tensors.iter().map(|(name, values)| (name.clone(), values));
        Self::write_tensors(path, tensors, Some(mark))
    }

    /// Writes tensors of any type in the order of the safetensors crate: sorted by type, and by name within
    /// a type. `about` becomes the metadata of the file.
    pub fn write_tensors<T: Writable>(
        path: &Path,
        tensors: impl IntoIterator<Item = (String, T)>,
        about: Option<HashMap<String, String>>,
    ) -> Result<(), ModelError> {
        let invalid = |error: &dyn std::fmt::Display| ModelError::Io {
            action: "write",
            path: path.to_owned(),
            source: io::Error::other(error.to_string()),
        };
        let mut tensors: Vec<(String, T)> = tensors.into_iter().collect();
        tensors.sort_by(|(a, left), (b, right)| {
            right.dtype().cmp(&left.dtype()).then_with(|| a.cmp(b))
        });
        let mut infos = Vec::with_capacity(tensors.len());
        let mut end = 0;
        for (name, tensor) in &tensors {
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            let start = end;
            end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
            infos.push((name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
        }
        let header = Metadata::new(about, infos).map_err(|error| invalid(&error))?;
        let mut header = serde_json::to_vec(&header).map_err(|error| invalid(&error))?;
        header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
        let failed = || ModelError::io("write", path);
        let file = File::create(path).map_err(failed())?;
        let mut file = BufWriter::with_capacity(1 << 16, file);
        let whole = (|| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            for (_, tensor) in &tensors {
                tensor.pieces(&mut |bytes| file.write_all(bytes))?;
            }
            file.flush()
        })();
        whole.map_err(failed())
    }
}
