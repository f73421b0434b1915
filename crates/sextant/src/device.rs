//! `--device`, which several commands have.

use clap::Args;
use sextant_model::Device;

/// Where to compute.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeviceArgs {
    /// `cpu`, or, in a build with `--features cuda`, `cuda` or `cuda:1`
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(crate) device: Device,
}
