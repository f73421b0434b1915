use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;

use super::buffer::{dense, dense_floats, float_tensor, floats, numbers};
use super::optimizer::primitive;
use crate::kernels::floats::FloatVec;
use crate::kernels::{int8, linear};
use crate::packed_weight::Form;
use crate::{Activation, PackedWeight, Precision, composed};

pub(crate) fn linear_packed(
    x: Tensor<2>,
    weight: &PackedWeight,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    if let Form::Plain(weight, precision) = weight.form() {
        return composed::linear(x, weight.clone(), bias, activation, *precision);
    }
    let x = dense_floats(primitive(x));
    let bias = bias.map(|bias| dense(primitive(bias)));
    let rows = x.shape()[0];
    let (x, bias) = (floats(&x), bias.as_ref().map(numbers));
    let of = |format| linear::Forward { rows, x, bias, activation, format };
    let y = match weight.form() {
        Form::F32(weight) => linear::forward(of(Precision::F32), weight, false).0,
        Form::Bf16(weight) => linear::forward(of(Precision::Bf16), weight, false).0,
        Form::Int8(weight) => FloatVec::F32(int8::linear(rows, x, weight, bias, activation)),
        Form::Plain(..) => unreachable!("returned above"),
    };
    Tensor::from_primitive::<Flex>(float_tensor(y, [rows, weight.dims()[1]]))
}
