use std::fmt;
use std::str::FromStr;

use crate::UnknownPrecision;

/// How the numbers of a [`FrozenWeight`](crate::FrozenWeight) are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrozenFormat {
    /// Unchanged, in 32 bits per number.
    #[default]
    F32,
    /// Rounded to the nearest bf16 number, ties to even: 16 bits per number.
    Bf16,
    /// In blocks of 32 inputs, as multiples of the block's scale, which is its greatest absolute value divided
    /// by 127, as f16: 8.5 bits per number. GGUF calls this format `Q8_0`.
    Int8,
    /// In blocks of 32 inputs, as one of 16 equally spaced values from the block's least value on, with the
    /// scale and the least value as f16: 5 bits per number. GGUF calls this format `Q4_1`.
    Int4,
}

impl FrozenFormat {
    /// Every format, the most exact first.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16, Self::Int8, Self::Int4];

    /// The name used in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }
}

impl fmt::Display for FrozenFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FrozenFormat {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            UnknownPrecision {
                name: name.to_owned(),
                expected: "\"f32\", \"bf16\", \"int8\" or \"int4\"",
            }
        })
    }
}
