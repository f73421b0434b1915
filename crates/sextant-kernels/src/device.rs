//! Which devices the handwritten kernels serve.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether the handwritten kernels serve this device.
pub(crate) fn has_kernels(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}
