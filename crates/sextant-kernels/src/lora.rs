use burn::tensor::Tensor;

use crate::Dropout;

/// The low-rank factors `a` and `b` of LoRA (Hu et al. 2021): `scale · a · b` is added to a frozen weight.
#[derive(Clone, Debug)]
pub struct LoraFactors {
    /// `[inputs, rank]`: PyTorch's `lora_A` transposed.
    pub a: Tensor<2>,
    /// `[rank, outputs]`: PyTorch's `lora_B` transposed.
    pub b: Tensor<2>,
    /// The factor of the product of `a` and `b`, usually `alpha / rank`.
    pub scale: f32,
    /// The dropout of the input of `a`. The input of the frozen weight has none.
    pub dropout: Option<Dropout>,
}
