//! What a run computes with: what its recipe asks for, and what that is on this processor.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use sextant_kernels::{Precision, Processor, UnknownPrecision};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The precision that a recipe asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrecisionChoice {
    /// The one that is fastest on the processor on which the run begins
    /// ([`Processor::fastest_precision`]); it is kept if the run goes on elsewhere.
    #[default]
    Auto,
    /// This one, on every processor.
    Stated(Precision),
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Stated(precision) => write!(f, "{precision}"),
        }
    }
}

impl FromStr for PrecisionChoice {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "auto" {
            return Ok(Self::Auto);
        }
        name.parse().map(Self::Stated).map_err(|error| UnknownPrecision {
            expected: "\"auto\", \"f32\" or \"bf16\"",
            ..error
        })
    }
}

impl TryFrom<String> for PrecisionChoice {
    type Error = UnknownPrecision;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<PrecisionChoice> for String {
    fn from(choice: PrecisionChoice) -> Self {
        choice.to_string()
    }
}

/// The precision of a run, and the processor that it runs on. Both are written into its log and its bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computation {
    /// What the recipe asks for.
    pub asked: PrecisionChoice,
    /// What the run computes in.
    pub precision: Precision,
    /// The processor.
    pub processor: Processor,
}

impl Computation {
    /// What a run that begins on this processor computes with.
    pub fn new(asked: PrecisionChoice, processor: Processor) -> Self {
        let precision = match asked {
            PrecisionChoice::Auto => processor.fastest_precision(),
            PrecisionChoice::Stated(precision) => precision,
        };
        Self { asked, precision, processor }
    }

    /// Makes a run that goes on compute in the precision in which it began, on whatever processor that was.
    ///
    /// # Errors
    /// The recipe states another precision; the error names the checkpoint at `path`.
    pub(crate) fn go_on_in(&mut self, began: Precision, path: &Path) -> Result<(), TrainError> {
        match self.asked {
            PrecisionChoice::Auto => self.precision = began,
            // A checkpoint that does not say bf16 may be older than the key. Then the run's fingerprint has told
            // whether it is one of the stated precision.
            PrecisionChoice::Stated(stated) if began == stated || began == Precision::F32 => {}
            PrecisionChoice::Stated(stated) => {
                return Err(TrainError::Run {
                    path: path.to_owned(),
                    problem: format!(
                        "is of a run in {began}, which `precision = \"auto\"` chose, and the recipe states {stated}; leave the key as it was, or start again in another folder with `--out`"
                    ),
                });
            }
        }
        Ok(())
    }

    /// For logs and provenance.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let Processor { name, model, features, level } = &self.processor;
        serde_json::json!({
            "precision": self.precision.as_str(),
            "asked": self.asked,
            "processor": { "name": name, "model": model, "features": features, "level": level },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(model: &str, asked: &str) -> Precision {
        let processor = Processor {
            name: String::new(),
            model: model.into(),
            features: Vec::new(),
            level: "avx512bf16",
        };
        Computation::new(asked.parse().unwrap(), processor).precision
    }

    #[test]
    fn what_is_stated_holds_on_every_processor() {
        for (zen_4, elsewhere, asked) in [
            (Precision::Bf16, Precision::F32, "auto"),
            (Precision::F32, Precision::F32, "f32"),
            (Precision::Bf16, Precision::Bf16, "bf16"),
        ] {
            assert_eq!(on("AuthenticAMD 25.97", asked), zen_4);
            assert_eq!(on("GenuineIntel 6.207", asked), elsewhere);
            let choice: PrecisionChoice = asked.parse().unwrap();
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("\"{asked}\""));
            assert_eq!(serde_json::from_str::<PrecisionChoice>(&json).unwrap(), choice);
        }
        let error = "fp8".parse::<PrecisionChoice>().unwrap_err().to_string();
        assert!(error.contains("fp8") && error.contains("\"auto\""), "{error}");
    }
}
