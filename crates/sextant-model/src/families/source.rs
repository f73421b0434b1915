//! Where a parameter's values are in a checkpoint, for reading and for writing.

use crate::values::Values;
use crate::weights::Archive;
use crate::{BackboneConfig, ModelError};

/// The checkpoint's tensors that hold a parameter's values, and how their layout differs from the model's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// One tensor with the parameter's layout.
    Plain(String),
    /// One matrix in PyTorch's layout, `[outputs, inputs]`, of which the parameter is the transpose.
    Transposed(String),
    /// Several vectors, which the parameter holds one after the other.
    Concat(Vec<String>),
    /// Several matrices in PyTorch's layout, whose transposes the parameter holds side by side.
    ConcatTransposed(Vec<String>),
}

impl Source {
    /// The source of a linear layer's weight or bias. `name` is the layer's name in the checkpoint, and
    /// `kind` the last part of the parameter's name in the model.
    pub(crate) fn linear(name: &str, kind: &str) -> Option<Self> {
        match kind {
            "weight" => Some(Self::Transposed(format!("{name}.weight"))),
            "bias" => Some(Self::Plain(format!("{name}.bias"))),
            _ => None,
        }
    }

    /// The source of a weight or bias that holds several layers of the checkpoint side by side.
    pub(crate) fn linears(names: &[String], kind: &str) -> Option<Self> {
        let names = names.iter().map(|name| format!("{name}.{kind}")).collect();
        match kind {
            "weight" => Some(Self::ConcatTransposed(names)),
            "bias" => Some(Self::Concat(names)),
            _ => None,
        }
    }

    /// The source of a norm's scale or shift.
    pub(crate) fn norm(name: &str, kind: &str) -> Option<Self> {
        match kind {
            "gamma" => Some(Self::Plain(format!("{name}.weight"))),
            "beta" => Some(Self::Plain(format!("{name}.bias"))),
            _ => None,
        }
    }

    /// The names of the checkpoint's tensors.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Plain(name) | Self::Transposed(name) => std::slice::from_ref(name),
            Self::Concat(names) | Self::ConcatTransposed(names) => names,
        }
    }

    /// How many of the parameter's `outputs` come from each tensor.
    pub(crate) fn parts(&self, config: &BackboneConfig, outputs: usize) -> Vec<usize> {
        let count = self.names().len();
        let (queries, keys) = (config.attention_heads, config.key_value_heads());
        match count {
            3 => [queries, keys, keys].map(|heads| heads * config.head_dim()).to_vec(),
            _ => vec![outputs / count; count],
        }
    }

    /// Reads the values of a parameter of this shape. `place` converts a name from the name table to the name
    /// in this checkpoint.
    pub(crate) fn read(
        &self,
        archive: &Archive,
        config: &BackboneConfig,
        shape: &[usize],
        place: impl Fn(&str) -> String,
    ) -> Result<Vec<f32>, ModelError> {
        let get = |name: &str, shape: &[usize]| archive.get(&place(name), shape);
        match (self, shape) {
            (Self::Plain(name), _) => Ok(get(name, shape)?.into_owned()),
            (Self::Concat(names), &[length]) => {
                let mut values = Vec::with_capacity(length);
                for (name, part) in names.iter().zip(self.parts(config, length)) {
                    values.extend_from_slice(&get(name, &[part])?);
                }
                Ok(values)
            }
            (Self::Transposed(_) | Self::ConcatTransposed(_), &[inputs, outputs]) => {
                let mut values = vec![0.0; inputs * outputs];
                let mut first = 0;
                for (name, part) in self.names().iter().zip(self.parts(config, outputs)) {
                    let matrix = get(name, &[part, inputs])?;
                    for (column, weights) in matrix.chunks_exact(inputs).enumerate() {
                        for (row, weight) in weights.iter().enumerate() {
                            values[row * outputs + first + column] = *weight;
                        }
                    }
                    first += part;
                }
                Ok(values)
            }
            _ => Err(archive.problem(format!("no rule reads {:?} as {shape:?}", self.names()))),
        }
    }

    /// Reads a matrix of `[inputs, outputs]`, or a table of `outputs` rows, in PyTorch's layout:
    /// `[outputs, inputs]`, row-major.
    pub(crate) fn read_by_outputs(
        &self,
        archive: &Archive,
        config: &BackboneConfig,
        [inputs, outputs]: [usize; 2],
        place: impl Fn(&str) -> String,
    ) -> Result<Vec<f32>, ModelError> {
        let mut values = Vec::with_capacity(inputs * outputs);
        for (name, part) in self.names().iter().zip(self.parts(config, outputs)) {
            values.extend_from_slice(&archive.get(&place(name), &[part, inputs])?);
        }
        Ok(values)
    }

    /// The inverse of [`Source::read`]: the checkpoint's tensors for a parameter's values.
    pub(crate) fn write(&self, config: &BackboneConfig, values: &Values) -> Vec<(String, Values)> {
        match (self, values.shape.as_slice()) {
            (Self::Transposed(_) | Self::ConcatTransposed(_), &[inputs, outputs]) => {
                let mut first = 0;
                let mut tensors = Vec::new();
                for (name, part) in self.names().iter().zip(self.parts(config, outputs)) {
                    let columns = first..first + part;
                    let data = columns
                        .flat_map(|column| {
                            (0..inputs).map(move |row| values.data[row * outputs + column])
                        })
                        .collect();
                    tensors.push((name.clone(), Values { shape: vec![part, inputs], data }));
                    first += part;
                }
                tensors
            }
            (Self::Concat(names), &[length]) => {
                let mut first = 0;
                let parts = self.parts(config, length).into_iter();
                names
                    .iter()
                    .zip(parts)
                    .map(|(name, part)| {
                        let data = values.data[first..first + part].to_vec();
                        first += part;
                        (name.clone(), Values { shape: vec![part], data })
                    })
                    .collect()
            }
            _ => vec![(self.names()[0].clone(), values.clone())],
        }
    }
}
