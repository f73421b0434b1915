use burn::tensor::{Tensor, TensorData};

use super::activate;
use crate::{Activation, Int8Weight};

/// See [`crate::linear_int8`].
pub fn linear_int8(
    x: Tensor<2>,
    weight: &Int8Weight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let device = x.device();
    let [inputs, outputs] = weight.dims();
    let values: Vec<f32> = weight.values().iter().map(|&value| f32::from(value)).collect();
    let values = Tensor::<2>::from_data(TensorData::new(values, [inputs, outputs]), &device);
    let scales = Tensor::<1>::from_data(TensorData::from(weight.scales()), &device);
    let row_scales = x.clone().abs().max_dim(1).clamp_min(1e-30) / 127.0;
    let rounded = (x / row_scales.clone()).round();
    let z = rounded.matmul(values) * row_scales * scales.unsqueeze::<2>();
    let z = match bias {
        Some(bias) => z + bias.unsqueeze::<2>(),
        None => z,
    };
    activate(z, activation)
}
