//! Where a parameter's values are in a checkpoint, both ways.

use crate::values::Values;
use crate::weights::Archive;
use crate::{BackboneConfig, ModelError};

/// Where a parameter's values are in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// As they are.
    Plain(String),
    /// A matrix in PyTorch's layout, `[outputs, inputs]`.
    Transposed(String),
    /// Vectors that we keep as one.
    Concat(Vec<String>),
    /// Matrices in PyTorch's layout whose outputs we keep side by side.
    ConcatTransposed(Vec<String>),
}

impl Source {
    /// Says where a linear layer's weight or bias is: `kind` is the last part of our name.
    pub(crate) fn linear(name: &str, kind: &str) -> Option<Self> {
        match kind {
            "weight" => Some(Self::Transposed(format!("{name}.weight"))),
            "bias" => Some(Self::Plain(format!("{name}.bias"))),
            _ => None,
        }
    }

    /// Says where the parts of a linear layer that we keep as one are.
    pub(crate) fn linears(names: &[String], kind: &str) -> Option<Self> {
        let names = names.iter().map(|name| format!("{name}.{kind}")).collect();
        match kind {
            "weight" => Some(Self::ConcatTransposed(names)),
            "bias" => Some(Self::Concat(names)),
            _ => None,
        }
    }

    /// Says where a norm's scale or shift is.
    pub(crate) fn norm(name: &str, kind: &str) -> Option<Self> {
        match kind {
            "gamma" => Some(Self::Plain(format!("{name}.weight"))),
            "beta" => Some(Self::Plain(format!("{name}.bias"))),
            _ => None,
        }
    }

    /// The checkpoint's tensors that it names.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Plain(name) | Self::Transposed(name) => std::slice::from_ref(name),
            Self::Concat(names) | Self::ConcatTransposed(names) => names,
        }
    }

    /// How many of our `outputs` each named tensor has.
    pub(crate) fn parts(&self, config: &BackboneConfig, outputs: usize) -> Vec<usize> {
        let count = self.names().len();
        let (queries, keys) = (config.attention_heads, config.key_value_heads());
        match count {
            3 => [queries, keys, keys].map(|heads| heads * config.head_dim()).to_vec(),
            _ => vec![outputs / count; count],
        }
    }

    /// Reads the values of a parameter of this shape; `place` turns a name of the table into the
    /// checkpoint's.
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

    /// Reads a matrix of `[inputs, outputs]`, or a table of `outputs` rows, by outputs: as PyTorch has it.
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
