use burn::tensor::{Tensor, TensorData};

use super::{full, with_dtype};
use crate::{AttentionSpec, Rotary, Segments};

/// See [`crate::rotary`].
pub fn rotary(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
) -> Tensor<2> {
    let dtype = qkv.dtype();
    let qkv = full(qkv);
    let (tokens, heads, dim) = (segments.tokens(), spec.heads + spec.kv_heads, spec.head_dim);
    let half = rotary.frequencies().len();
    let angles = rotary.angles(segments);
    // for each token, the line of `table` for its position in its row
    let of_tokens = |table: &[f32]| {
        let positions = segments.ranges().flat_map(|row| 0..row.len());
        let lines = positions.flat_map(|position| &table[position * half..][..half]);
        let values: Vec<f32> = lines.copied().collect();
        Tensor::<3>::from_data(TensorData::new(values, [tokens, 1, half]), &qkv.device())
    };
    let (cosines, sines) = (of_tokens(&angles.cosines), of_tokens(&angles.sines));
    let turning = qkv.clone().narrow(1, 0, heads * dim).reshape([tokens, heads, dim]);
    let (x, y) = (turning.clone().narrow(2, 0, half), turning.clone().narrow(2, half, half));
    let mut parts =
        vec![x.clone() * cosines.clone() - y.clone() * sines.clone(), y * cosines + x * sines];
    if dim > 2 * half {
        parts.push(turning.narrow(2, 2 * half, dim - 2 * half));
    }
    let turned = Tensor::cat(parts, 2).reshape([tokens, heads * dim]);
    let values = qkv.narrow(1, heads * dim, spec.kv_heads * dim);
    with_dtype(Tensor::cat(vec![turned, values], 1), dtype)
}
