use std::fmt;
use std::str::FromStr;

/// The number format of matrix products. Sums are always kept in `f32`, and so are parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Products of `f32` numbers.
    #[default]
    F32,
    /// Products of `bf16` numbers (8 bits of mantissa), both factors rounded to nearest even.
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

/// A precision was asked for by a name that none has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision {0:?}: expected \"f32\" or \"bf16\"")]
pub struct UnknownPrecision(pub String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.as_str() == name)
            .ok_or_else(|| UnknownPrecision(name.to_owned()))
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
        let error = "fp16".parse::<Precision>().unwrap_err();
        assert_eq!(error.to_string(), "unknown precision \"fp16\": expected \"f32\" or \"bf16\"");
    }
}
