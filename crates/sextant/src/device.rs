//! `--device`: where tensors live.

use burn::tensor::Device;
use clap::Args;
use std::str::FromStr;

/// Where to compute.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// `cpu`, or, in a build with `--features cuda`, `cuda` or `cuda:1`
    #[arg(long = "device", value_name = "DEVICE", default_value = "cpu")]
    device: Name,
}

/// A device by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Cpu,
    Cuda(usize),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("cuda")) {
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(index)) => index
                .strip_prefix(':')
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected `cuda` or `cuda:` and a number".to_owned()),
            _ => Err("expected `cpu`, `cuda` or `cuda:` and a number".to_owned()),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl Place {
    /// The device of that name.
    ///
    /// # Errors
    /// A device that this build does not know.
    pub(crate) fn open(&self) -> anyhow::Result<Device> {
        match self.device {
            Name::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Name::Cuda(index) => Ok(Device::cuda(index)),
            #[cfg(not(feature = "cuda"))]
            name @ Name::Cuda(_) => anyhow::bail!(
                "this build knows no `{name}`; build it with `--features cuda`, or use `--device cpu`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let parse = |text: &str| text.parse::<Name>();
        assert_eq!(parse("cpu"), Ok(Name::Cpu));
        assert_eq!((parse("cuda"), parse("cuda:1")), (Ok(Name::Cuda(0)), Ok(Name::Cuda(1))));
        for bad in ["gpu", "cuda1", "cuda:", "cuda:x", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
