//! Conversions between flex tensors and slices or vectors of numbers.

use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, FloatDType, IntDType, Shape, TensorData};
use burn_flex::FlexTensor;

use crate::kernels::floats::{FloatVec, Floats};
use crate::{Precision, simd};

/// A tensor that holds `values`, whose buffer it takes over without copying.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// Like [`tensor`], for numbers in either format.
pub(crate) fn float_tensor(values: FloatVec, shape: impl Into<Shape>) -> FlexTensor {
    match values {
        FloatVec::F32(values) => tensor(values, shape),
        FloatVec::Bf16(values) => FlexTensor::from_data(TensorData::new(values, shape.into())),
    }
}

/// The tensor, densely laid out, as `f32` or bf16. If it already is, it keeps its buffer.
pub(crate) fn dense_floats(tensor: FlexTensor) -> FlexTensor {
    let tensor = match tensor.dtype() {
        DType::F32 | DType::BF16 => tensor,
        _ => Flex::float_cast(tensor, FloatDType::F32),
    };
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a tensor that [`dense_floats`] returned.
#[expect(clippy::expect_used, reason = "dense_floats() left these two formats, contiguous")]
pub(crate) fn floats(tensor: &FlexTensor) -> Floats<'_> {
    match tensor.as_slice() {
        Some(numbers) => Floats::F32(numbers),
        None => Floats::Bf16(tensor.as_slice().expect("a dense tensor of bf16")),
    }
}

/// The format of a tensor that [`dense_floats`] returned.
pub(crate) fn format(tensor: &FlexTensor) -> Precision {
    if tensor.dtype() == DType::BF16 { Precision::Bf16 } else { Precision::F32 }
}

/// The tensor as `f32`, densely laid out. If it already is, it keeps its buffer.
pub(crate) fn dense(tensor: FlexTensor) -> FlexTensor {
    let tensor = dense_floats(tensor);
    if tensor.dtype() == DType::F32 {
        return tensor;
    }
    let shape = tensor.shape();
    float_tensor(floats(&tensor).to_format(simd::level(), Precision::F32), shape)
}

/// The tensor of ids as `i32`, densely laid out.
pub(crate) fn dense_ids(tensor: FlexTensor) -> FlexTensor {
    let tensor =
        if tensor.dtype() == DType::I32 { tensor } else { Flex::int_cast(tensor, IntDType::I32) };
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a tensor that [`dense`] returned.
#[expect(clippy::expect_used, reason = "dense() made the tensor contiguous and f32")]
pub(crate) fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a dense tensor of f32")
}

/// The ids of a tensor that [`dense_ids`] returned.
#[expect(clippy::expect_used, reason = "dense_ids() made the tensor contiguous and i32")]
pub(crate) fn ids(tensor: &FlexTensor) -> &[i32] {
    tensor.as_slice().expect("a dense tensor of i32")
}
