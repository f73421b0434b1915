use burn::backend::TensorMetadata;
use burn::tensor::Tensor;

use super::buffer::{dense, numbers, tensor};
use super::optimizer::primitive;
use crate::kernels::int8;
use crate::{Activation, Int8Weight};

pub(crate) fn linear_int8(
    x: Tensor<2>,
    weight: &Int8Weight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let x = dense(primitive(x));
    let bias = bias.map(|bias| dense(primitive(bias)));
    let rows = x.shape()[0];
    let bias = bias.as_ref().map(numbers);
    let y = int8::linear(rows, numbers(&x), weight.packed(), bias, activation);
    Tensor::from_primitive::<burn::backend::Flex>(tensor(y, [rows, weight.dims()[1]]))
}
