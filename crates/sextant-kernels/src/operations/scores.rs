use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::pack::check;
use crate::device::has_kernels;
use crate::flex::{AttentionOptions, FlexOperations, Maybe};
use crate::{AttentionSpec, RelativePositions, Segments, composed};

/// [`attention`](crate::attention) whose scores are kept within `±cap` by
/// `cap · tanh(score / cap)` before the softmax (Gemma 2).
///
/// # Panics
/// As [`attention`](crate::attention), or when the cap is not positive.
pub fn capped_attention(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    cap: f32,
) -> Tensor<2> {
    check("capped_attention", &qkv, segments, spec);
    assert!(cap > 0.0, "capped_attention: a cap of {cap} is not positive");
    if has_kernels(&qkv.device()) {
        let (segments, spec) = (segments.clone(), *spec);
        let options = AttentionOptions { segments, spec, cap: Some(cap), positions: None };
        let qkv = qkv.into_dispatch();
        Tensor::from_dispatch(Dispatch::packed_attention(qkv, Maybe::Absent, options))
    } else {
        composed::capped_attention(qkv, segments, spec, cap)
    }
}

/// [`attention`](crate::attention) with disentangled relative positions (DeBERTa, He et al. 2021).
///
/// The score of query token `i` and key token `j` of a row, before scaling, is
/// `q_i · k_j + q_i · K_r + Q_r · k_j`, where `Q_r` and `K_r` are the query and key projections of
/// the embedding of their distance, whose row is `r = positions.row(i - j)`. `table` holds the projections
/// of the rows that the longest row of the pack can use, `used = positions.used(segments.max_len())`: it is
/// `[used, 2 * heads * head_dim]`, all query heads, then all key heads. Gradients reach `qkv` and `table`.
///
/// # Panics
/// As [`attention`](crate::attention), when the table has another shape, or when heads are shared
/// (`kv_heads` is not `heads`).
pub fn relative_attention(
    qkv: Tensor<2>,
    table: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    positions: &RelativePositions,
) -> Tensor<2> {
    check("relative_attention", &qkv, segments, spec);
    assert!(
        spec.heads == spec.kv_heads,
        "relative_attention: {} query heads share {} key heads; it needs one for each",
        spec.heads,
        spec.kv_heads
    );
    let expected = [positions.used(segments.max_len()).count(), 2 * spec.width()];
    assert!(
        table.dims() == expected,
        "relative_attention: a table of {:?} where positions and heads ask for {expected:?}",
        table.dims()
    );
    if has_kernels(&qkv.device()) {
        let (segments, spec) = (segments.clone(), *spec);
        let options = AttentionOptions { segments, spec, cap: None, positions: Some(*positions) };
        let (qkv, table) = (qkv.into_dispatch(), Maybe::Given(table.into_dispatch()));
        Tensor::from_dispatch(Dispatch::packed_attention(qkv, table, options))
    } else {
        composed::relative_attention(qkv, table, segments, spec, positions)
    }
}
