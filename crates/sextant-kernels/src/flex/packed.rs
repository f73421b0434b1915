use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::buffer::{dense, numbers, tensor};
use super::optimizer::primitive;
use crate::kernels::{int8, linear};
use crate::packed_weight::Form;
use crate::{Activation, PackedWeight, composed};

pub(crate) fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    if let Form::Plain(weight, precision) = weight.form() {
        return composed::linear(x, weight.clone(), bias, activation, *precision);
    }
    let x = dense(primitive(x));
    let bias = bias.map(|bias| dense(primitive(bias)));
    let rows = x.shape()[0];
    let (x, bias) = (numbers(&x), bias.as_ref().map(numbers));
    let y = match weight.form() {
        Form::F32(weight) => linear::forward(rows, x, weight, bias, activation, false).0,
        Form::Bf16(weight) => linear::forward(rows, x, weight, bias, activation, false).0,
        Form::Int8(weight) => int8::linear(rows, x, &weight.packed, bias, activation),
        Form::Plain(..) => unreachable!("returned above"),
    };
    Tensor::from_primitive::<Flex>(tensor(y, [rows, weight.dims()[1]]))
}
