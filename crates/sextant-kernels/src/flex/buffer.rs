//! Numbers of flex tensors as slices, and vectors of numbers as tensors.

use burn::backend::Flex;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{DType, FloatDType, IntDType, Shape, TensorData};
use burn_flex::FlexTensor;

/// A tensor that holds `values`; nothing is copied.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// The tensor as `f32`, densely laid out; the same buffer where it already is.
pub(super) fn dense(tensor: FlexTensor) -> FlexTensor {
    let tensor = if tensor.dtype() == DType::F32 {
        tensor
    } else {
        Flex::float_cast(tensor, FloatDType::F32)
    };
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The tensor of ids as `i32`, densely laid out.
pub(super) fn dense_ids(tensor: FlexTensor) -> FlexTensor {
    let tensor =
        if tensor.dtype() == DType::I32 { tensor } else { Flex::int_cast(tensor, IntDType::I32) };
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a tensor that [`dense`] returned.
#[expect(clippy::expect_used, reason = "dense() made the tensor contiguous and f32")]
pub(super) fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a dense tensor of f32")
}

/// The ids of a tensor that [`dense_ids`] returned.
#[expect(clippy::expect_used, reason = "dense_ids() made the tensor contiguous and i32")]
pub(super) fn ids(tensor: &FlexTensor) -> &[i32] {
    tensor.as_slice().expect("a dense tensor of i32")
}
