//! The devices on which a model computes.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// A device that this build can compute on: the CPU or, with the feature `cuda`, a GPU.
///
/// The crates that build on this one use only this type for devices, so that a program that scores or trains
/// does not depend on a tensor library itself. A `Device` dereferences to burn's device, which the functions
/// of this crate that create tensors take.
///
/// ```
/// use sextant_model::Device;
///
/// let device: Device = "cpu".parse()?;
/// assert_eq!(device, Device::cpu());
/// assert_eq!(device.to_string(), "cpu");
/// # Ok::<(), sextant_model::UnknownDevice>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device {
    name: Name,
    inner: burn::tensor::Device,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Cpu,
    #[cfg(feature = "cuda")]
    Cuda(usize),
}

/// A name that is not a device, or the name of a device that this build cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no device of this build: {expected}")]
pub struct UnknownDevice {
    /// The name that was given.
    name: String,
    /// A hint at what to use instead.
    expected: &'static str,
}

impl Device {
    /// The CPU, with this project's own kernels.
    pub fn cpu() -> Self {
        Self { name: Name::Cpu, inner: burn::tensor::Device::flex() }
    }

    /// The GPU of this index, in CUDA's numbering.
    #[cfg(feature = "cuda")]
    pub fn cuda(index: usize) -> Self {
        Self { name: Name::Cuda(index), inner: burn::tensor::Device::cuda(index) }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::cpu()
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Device {}

impl Deref for Device {
    type Target = burn::tensor::Device;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Name::Cpu => f.write_str("cpu"),
            #[cfg(feature = "cuda")]
            Name::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// Parses `cpu`, `cuda` (the first GPU), or `cuda:` and the index of a GPU.
impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let unknown = |expected| UnknownDevice { name: name.to_owned(), expected };
        if name == "cpu" {
            return Ok(Self::cpu());
        }
        let index = match name.strip_prefix("cuda").map(|index| index.strip_prefix(':')) {
            Some(None) if name == "cuda" => Some(0),
            Some(Some(index)) => index.parse::<usize>().ok(),
            _ => None,
        };
        let index = index.ok_or_else(|| unknown("use `cpu`, `cuda`, or `cuda:` and a number"))?;
        #[cfg(feature = "cuda")]
        return Ok(Self::cuda(index));
        #[cfg(not(feature = "cuda"))]
        {
            let _ = index;
            Err(unknown("build it with `--features cuda`, or use `cpu`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_device_is_told_apart_from_a_device_of_another_build() {
        assert_eq!("cpu".parse::<Device>(), Ok(Device::cpu()));
        for bad in ["gpu", "cuda1", "cuda:", "cuda:x", "CPU", ""] {
            let error = bad.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("use `cpu`, `cuda`"), "{bad}: {error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        for name in ["cuda", "cuda:1"] {
            let error = name.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("--features cuda"), "{error}");
        }
    }
}
