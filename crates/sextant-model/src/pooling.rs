//! Pooling: from the vectors of a row's tokens to the one vector that the head reads.

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sextant_kernels::{self as kernels, Activation, Precision, Segments};

/// Which vector of a row the head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// The mean over the row's tokens.
    Mean,
    /// The last token's, found by the row's bounds. Rows are not padded.
    Last,
}

impl Pooling {
    /// The indices of the tokens whose vectors are the pooled ones, one for each row; `None` if all tokens
    /// count.
    pub(crate) fn tokens(self, segments: &Segments, device: &Device) -> Option<Tensor<1, Int>> {
        let bounds = segments.cu();
        let tokens: Vec<i32> = match self {
            Self::Cls => bounds[..bounds.len() - 1].to_vec(),
            Self::Last => bounds[1..].iter().map(|&end| end - 1).collect(),
            Self::Mean => return None,
        };
        let rows = tokens.len();
        Some(Tensor::from_data(TensorData::new(tokens, [rows]), device))
    }

    /// The mean over each row, `[tokens, hidden]` to `[rows, hidden]`: a product with a matrix of
    /// averaging weights, which costs less than a percent of one block.
    ///
    /// The kernel of linear layers adds the tokens one after the other, and a weight of zero adds nothing, so that a
    /// row's mean has the same bits whatever rows lie beside it. (burn's product sums several parts of the depth
    /// apart, and which tokens share a part depends on where the row lies.)
    pub(crate) fn mean(x: Tensor<2>, segments: &Segments) -> Tensor<2> {
        let (rows, tokens) = (segments.rows(), segments.tokens());
        let mut weights = vec![0f32; rows * tokens];
        for row in 0..rows {
            let range = segments.range(row);
            let weight = 1.0 / range.len() as f32;
            weights[row * tokens..][range].fill(weight);
        }
        let weights = TensorData::new(weights, [rows, tokens]);
        let weights = Tensor::from_data(weights, &x.device());
        kernels::linear(weights, x, None, Activation::None, Precision::F32)
    }
}
