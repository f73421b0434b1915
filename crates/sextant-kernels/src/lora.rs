use burn::tensor::Tensor;

use crate::Dropout;

/// The low-rank change of a frozen linear layer (Hu et al. 2021).
#[derive(Clone, Debug)]
pub struct LoraFactors {
    /// `[inputs, rank]`: PyTorch's `lora_A` transposed.
    pub a: Tensor<2>,
    /// `[rank, outputs]`: PyTorch's `lora_B` transposed.
    pub b: Tensor<2>,
    /// What the change is multiplied by, usually `alpha / rank`.
    pub scale: f32,
    /// Applied to the input of `a` only.
    pub dropout: Option<Dropout>,
}
