use std::sync::Arc;

use burn::tensor::Tensor;

use crate::kernels::int8;
use crate::simd;

/// The weight of a linear layer in 8 bits, for [`linear_int8`](crate::linear_int8).
///
/// Each output has a scale, its greatest absolute weight divided by 127, and its weights are
/// rounded to multiples of it. Rounding and packing are done once, here. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Int8Weight {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    values: Vec<i8>,
    scales: Vec<f32>,
    packed: int8::Weight,
}

impl Int8Weight {
    /// Rounds a weight of `[inputs, outputs]`.
    ///
    /// # Panics
    /// When the weight cannot be read from its device.
    #[expect(clippy::expect_used, reason = "converted to f32 just before")]
    pub fn new(weight: Tensor<2>) -> Self {
        let [_, outputs] = weight.dims();
        let data = weight.into_data().convert::<f32>();
        let numbers: &[f32] = data.as_slice().expect("numbers of f32");
        let (values, scales) = int8::quantise(numbers, outputs);
        let packed = int8::Weight::new(simd::level(), &values, &scales);
        Self { inner: Arc::new(Inner { values, scales, packed }) }
    }

    /// Inputs and outputs.
    pub fn dims(&self) -> [usize; 2] {
        let outputs = self.scales().len();
        [self.values().len() / outputs.max(1), outputs]
    }

    /// The rounded weights, `[inputs, outputs]`, in units of their output's scale.
    pub fn values(&self) -> &[i8] {
        &self.inner.values
    }

    /// The scale of each output.
    pub fn scales(&self) -> &[f32] {
        &self.inner.scales
    }

    pub(crate) fn packed(&self) -> &int8::Weight {
        &self.inner.packed
    }
}
