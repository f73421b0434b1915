use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::has_kernels;
use crate::flex::{AttentionOptions, FlexOperations, Maybe, Turn};
use crate::{AttentionSpec, Rotary, RowGradientSink, Segments, composed};

/// Rows of a table.
///
/// `table` is `[vocabulary, width]`, `ids` is `[tokens]` with values below the vocabulary; the
/// result is `[tokens, width]`, in the format of the table.
///
/// # Panics
/// When an id is outside the table.
pub fn embedding(table: Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    if has_kernels(&table.device()) {
        let (table, ids) = (table.into_dispatch(), ids.into_dispatch());
        Tensor::from_dispatch(Dispatch::packed_embedding(table, ids, None))
    } else {
        composed::embedding(table, ids)
    }
}

/// [`embedding`](crate::embedding) whose table gets its gradient through a sink, as rows.
///
/// A backward pass leaves the rows in `sink` and registers no gradient for the table, which saves
/// filling and reading a dense one: for [`adamw_rows`](crate::adamw_rows). On a device without kernels the sink stays
/// empty and the gradient is registered the dense way.
///
/// # Panics
/// When an id is outside the table.
pub fn embedding_rows(table: Tensor<2>, ids: Tensor<1, Int>, sink: &RowGradientSink) -> Tensor<2> {
    if has_kernels(&table.device()) {
        let (table, ids, sink) = (table.into_dispatch(), ids.into_dispatch(), sink.clone());
        Tensor::from_dispatch(Dispatch::packed_embedding(table, ids, Some(sink)))
    } else {
        composed::embedding(table, ids)
    }
}

/// Turns the queries and keys of a fused projection by their positions in their rows.
///
/// `qkv` and the result are laid out as [`attention`](crate::attention) takes it; values stay as they are.
///
/// # Panics
/// When the shape of `qkv` is not that of the segments and the spec, or the frequencies turn more
/// numbers than a head has.
pub fn rotary(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
) -> Tensor<2> {
    assert!(
        qkv.dims() == [segments.tokens(), spec.qkv_width()],
        "rotary: input of {:?} where segments and heads ask for [{}, {}]",
        qkv.dims(),
        segments.tokens(),
        spec.qkv_width()
    );
    rotary.check(spec);
    if has_kernels(&qkv.device()) {
        let turn = Turn { segments: segments.clone(), spec: *spec, rotary: rotary.clone() };
        Tensor::from_dispatch(Dispatch::packed_rotary(qkv.into_dispatch(), turn))
    } else {
        composed::rotary(qkv, segments, spec, rotary)
    }
}

/// Scaled dot-product attention within each row of a pack (variable-length attention).
///
/// `qkv` is `[tokens, (heads + 2 * kv_heads) * head_dim]`: all query heads, then all key heads,
/// then all value heads, as one fused projection writes them. The result is
/// `[tokens, heads * head_dim]`, in the format of `qkv`; scores are `f32`. With dropout, the probability of query token `t` (its place in
/// the pack) and head `h` for the key at position `j` of the row is element `(t * heads + h, j)`
/// of the mask.
///
/// # Panics
/// When the shape of `qkv` is not that of the segments and the spec, `kv_heads` does not divide
/// `heads`, or the dropout probability is not in `[0, 1)`.
pub fn attention(qkv: Tensor<2>, segments: &Segments, spec: &AttentionSpec) -> Tensor<2> {
    check("attention", &qkv, segments, spec);
    if has_kernels(&qkv.device()) {
        let (segments, spec) = (segments.clone(), *spec);
        let options = AttentionOptions { segments, spec, cap: None, positions: None };
        let qkv = qkv.into_dispatch();
        Tensor::from_dispatch(Dispatch::packed_attention(qkv, Maybe::Absent, options))
    } else {
        composed::attention(qkv, segments, spec)
    }
}

/// Checks what every attention asks of its input.
pub(super) fn check(operation: &str, qkv: &Tensor<2>, segments: &Segments, spec: &AttentionSpec) {
    assert!(
        spec.kv_heads > 0 && spec.head_dim > 0 && spec.heads.is_multiple_of(spec.kv_heads),
        "{operation}: {} key heads do not divide {} query heads of dimension {}",
        spec.kv_heads,
        spec.heads,
        spec.head_dim
    );
    assert!(
        qkv.dims() == [segments.tokens(), spec.qkv_width()],
        "{operation}: input of {:?} where segments and heads ask for [{}, {}]",
        qkv.dims(),
        segments.tokens(),
        spec.qkv_width()
    );
    if let Some(dropout) = spec.dropout {
        dropout.check(operation);
    }
}
