//! Which devices have the handwritten kernels.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether operations on this device run as handwritten kernels.
pub fn has_kernels(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
}
