use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::device::has_kernels;
use crate::flex::{AttentionOptions, FlexOperations, Maybe};
use crate::{AttentionSpec, Segments, composed};

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
