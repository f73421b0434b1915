use std::fmt;
use std::str::FromStr;

use crate::{FrozenFormat, UnknownPrecision};

/// The number format of matrix products and of the activations between operations. Sums are always formed in
/// `f32`, and parameters and their gradients are always `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Products of `f32` numbers.
    #[default]
    F32,
    /// Products of `bf16` numbers (8 bits of mantissa), where both factors are rounded to the nearest one, ties
    /// to even. The results of linear layers, attention and activations, and the gradients of these results,
    /// are bf16 tensors. Residual sums stay `f32`.
    Bf16,
}

impl Precision {
    /// Every precision, in order.
    pub const ALL: [Self; 2] = [Self::F32, Self::Bf16];

    /// The name used in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number format of linear layers in scoring, where weights do not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScorePrecision {
    /// The format of [`Precision::F32`].
    #[default]
    F32,
    /// The format of [`Precision::Bf16`].
    Bf16,
    /// Weights and inputs rounded to 8 bits; see [`PackedWeight::int8`](crate::PackedWeight::int8).
    Int8,
    /// Weights stored as [`FrozenFormat::Int8`](crate::FrozenFormat::Int8), in 8.5 bits a number, and products of
    /// `f32` numbers: inputs are not rounded.
    Int8Weights,
    /// Weights stored as [`FrozenFormat::Int4`](crate::FrozenFormat::Int4), in 5 bits a number, and products of
    /// `f32` numbers.
    Int4Weights,
}

impl ScorePrecision {
    /// Every precision, in order.
    pub const ALL: [Self; 5] =
        [Self::F32, Self::Bf16, Self::Int8, Self::Int8Weights, Self::Int4Weights];

    /// The name used on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int8Weights => "int8-weights",
            Self::Int4Weights => "int4-weights",
        }
    }

    /// The format in which weights are stored, if they are decoded anew for each product.
    pub fn stored(self) -> Option<FrozenFormat> {
        match self {
            Self::F32 | Self::Bf16 | Self::Int8 => None,
            Self::Int8Weights => Some(FrozenFormat::Int8),
            Self::Int4Weights => Some(FrozenFormat::Int4),
        }
    }
}

impl From<Precision> for ScorePrecision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

impl fmt::Display for ScorePrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ScorePrecision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|precision| precision.as_str() == name);
        found.ok_or_else(|| UnknownPrecision {
            name: name.to_owned(),
            expected: "\"f32\", \"bf16\", \"int8\", \"int8-weights\" or \"int4-weights\"",
        })
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|precision| precision.as_str() == name).ok_or_else(|| {
            UnknownPrecision { name: name.to_owned(), expected: "\"f32\" or \"bf16\"" }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        for precision in ScorePrecision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        let error = "fp16".parse::<Precision>().unwrap_err();
        assert_eq!(error.to_string(), "unknown precision \"fp16\": expected \"f32\" or \"bf16\"");
    }
}
