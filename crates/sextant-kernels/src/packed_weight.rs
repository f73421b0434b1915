use std::sync::Arc;

use burn::tensor::Tensor;

use crate::device::has_kernels;
use crate::kernels::gemm::{Bf16, F32, Matrix, Packed};
use crate::kernels::int8;
use crate::{FrozenFormat, FrozenWeight, Precision, ScorePrecision, simd};

/// The weight of a linear layer, packed once for many calls of [`linear_packed`](crate::linear_packed). It is
/// meant for scoring, where weights do not change.
///
/// Holds the numbers in the order in which the kernels read them, in the number format of its precision. A
/// clone is cheap.
#[derive(Clone, Debug)]
pub struct PackedWeight {
    form: Arc<Form>,
    dims: [usize; 2],
}

#[derive(Debug)]
pub(crate) enum Form {
    F32(Packed<F32>),
    Bf16(Packed<Bf16>),
    /// Rounded to 8 bits, as multiples of a scale for each output.
    Int8(int8::Weight),
    /// Stored in few bits, and decoded a panel at a time for products of `f32` numbers.
    Stored(FrozenWeight),
    /// The weight itself, on a device without kernels.
    Plain(Tensor<2>, Precision),
}

impl PackedWeight {
    /// Packs a weight of `[inputs, outputs]` for scoring in the given precision.
    pub fn for_scoring(weight: Tensor<2>, precision: ScorePrecision) -> Self {
        match precision {
            ScorePrecision::F32 => Self::new(weight, Precision::F32),
            ScorePrecision::Bf16 => Self::new(weight, Precision::Bf16),
            ScorePrecision::Int8 => Self::int8(weight),
            ScorePrecision::Int8Weights => Self::stored(weight, FrozenFormat::Int8),
            ScorePrecision::Int4Weights => Self::stored(weight, FrozenFormat::Int4),
        }
    }

    /// Stores a weight of `[inputs, outputs]` in few bits. Products decode it a panel at a time and multiply `f32`
    /// numbers.
    pub fn stored(weight: Tensor<2>, format: FrozenFormat) -> Self {
        let (dims, device) = (weight.dims(), weight.device());
        let stored = FrozenWeight::new(&numbers(weight.transpose()), dims, format, &device);
        Self { form: Arc::new(Form::Stored(stored)), dims }
    }

    /// Packs a weight of `[inputs, outputs]` in the format of the given precision.
    pub fn new(weight: Tensor<2>, precision: Precision) -> Self {
        let dims = weight.dims();
        let form = if has_kernels(&weight.device()) {
            let numbers = numbers(weight);
            let (matrix, level) = (Matrix::rows(&numbers, dims[1]), simd::level());
            match precision {
                Precision::F32 => Form::F32(Packed::new(level, matrix, dims[0], dims[1])),
                Precision::Bf16 => Form::Bf16(Packed::new(level, matrix, dims[0], dims[1])),
            }
        } else {
            Form::Plain(weight, precision)
        };
        Self { form: Arc::new(form), dims }
    }

    /// Rounds a weight of `[inputs, outputs]` to 8 bits.
    ///
    /// Each output has a scale, its greatest absolute weight divided by 127, and its weights are rounded to
    /// multiples of the scale. On processors with AVX2 that have no instruction for dot products of bytes (neither
    /// AVX-VNNI nor AVX-512 VNNI), it is divided by 64. Inputs are rounded at each call, with a scale for each row.
    pub fn int8(weight: Tensor<2>) -> Self {
        let dims = weight.dims();
        let packed = int8::Weight::round(simd::level(), &numbers(weight), dims[1]);
        Self { form: Arc::new(Form::Int8(packed)), dims }
    }

    /// The number of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }
}

/// The numbers of a tensor as `f32`.
#[expect(clippy::expect_used, reason = "converted to f32 just before")]
fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_into_vec().expect("numbers of f32")
}
