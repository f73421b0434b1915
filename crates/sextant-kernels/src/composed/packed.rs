use burn::tensor::{Tensor, TensorData};

use super::{activate, full, linear};
use crate::packed_weight::Form;
use crate::{Activation, PackedWeight, Precision};

/// See [`crate::linear_packed`].
///
/// # Panics
/// When the weight was packed for another device.
pub fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let rounded = match weight.form() {
        Form::Int8(rounded) => rounded,
        Form::Stored(weight) => {
            let weight = weight.decoded(&x.device());
            return linear(x, weight, bias, activation, Precision::F32);
        }
        Form::Plain(weight, precision) => {
            return linear(x, weight.clone(), bias, activation, *precision);
        }
        Form::F32(_) | Form::Bf16(_) => {
            panic!("linear_packed: the weight was packed on a flex device, the input is on another")
        }
    };
    let x = full(x);
    let device = x.device();
    let values: Vec<f32> = rounded.values().into_iter().map(f32::from).collect();
    let values = Tensor::<2>::from_data(TensorData::new(values, weight.dims()), &device);
    let scales = Tensor::<1>::from_data(TensorData::from(rounded.scales()), &device);
    let row_scales = x.clone().abs().max_dim(1).clamp_min(1e-30) / 127.0;
    let rounded = (x / row_scales.clone()).round();
    let z = rounded.matmul(values) * row_scales * scales.unsqueeze::<2>();
    let z = match bias {
        Some(bias) => z + bias.unsqueeze::<2>(),
        None => z,
    };
    activate(z, activation)
}
