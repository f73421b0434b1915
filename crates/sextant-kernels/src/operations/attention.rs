use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::attention::{self, Scores};
use crate::kernels::floats::FloatVec;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{AttentionSpec, RelativePositions, Segments, composed, simd};

/// Scaled dot-product attention within each row of a pack (variable-length attention).
///
/// `qkv` is `[tokens, (heads + 2 * kv_heads) * head_dim]`: all query heads, then all key heads,
/// then all value heads, as one fused projection writes them. The result is
/// `[tokens, heads * head_dim]`, in the format of `qkv`; scores are `f32`. With dropout, the
/// probability of query token `t` (its place in the pack) and head `h` for the key at position `j`
/// of the row is element `(t * heads + h, j)` of the mask.
///
/// # Panics
/// When the shape of `qkv` is not that of the segments and the spec, `kv_heads` does not divide
/// `heads`, or the dropout probability is not in `[0, 1)`.
pub fn attention(qkv: Tensor<2>, segments: &Segments, spec: &AttentionSpec) -> Tensor<2> {
    run(Plain(Rows::checked("attention", &qkv, segments, spec)), ([qkv.into()], []))
}

/// [`attention`](crate::attention) whose scores are kept within `±cap` by
/// `cap · tanh(score / cap)` before the softmax (Gemma 2).
///
/// # Panics
/// Those of [`attention`](crate::attention), or when the cap is not positive.
pub fn capped_attention(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    cap: f32,
) -> Tensor<2> {
    let rows = Rows::checked("capped_attention", &qkv, segments, spec);
    assert!(cap > 0.0, "capped_attention: a cap of {cap} is not positive");
    run(Capped(rows, cap), ([qkv.into()], []))
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
/// Those of [`attention`](crate::attention), when the table has another shape, or when heads are shared
/// (`kv_heads` is not `heads`).
pub fn relative_attention(
    qkv: Tensor<2>,
    table: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    positions: &RelativePositions,
) -> Tensor<2> {
    let rows = Rows::checked("relative_attention", &qkv, segments, spec);
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
    run(Relative(rows, *positions), ([qkv.into(), table.into()], []))
}

/// The rows of a pack, and how the tokens of each one attend to each other.
#[derive(Clone, Debug)]
struct Rows {
    segments: Segments,
    spec: AttentionSpec,
}

/// What the backward pass of every kind of attention needs.
#[derive(Clone, Debug)]
struct Saved {
    qkv: FlexTensor,
    out: FlexTensor,
    /// For each token and head, the logarithm of the sum of exponentials in its softmax.
    log_sums: Vec<f32>,
}

impl Rows {
    /// Checks what every kind of attention requires of its input.
    fn checked(
        operation: &str,
        qkv: &Tensor<2>,
        segments: &Segments,
        spec: &AttentionSpec,
    ) -> Self {
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
        Self { segments: segments.clone(), spec: *spec }
    }

    fn input<'a>(&'a self, qkv: &'a FlexTensor, scores: Scores<'a>) -> attention::Input<'a> {
        attention::Input { qkv: floats(qkv), segments: &self.segments, spec: &self.spec, scores }
    }

    fn forward(&self, qkv: FlexTensor, scores: Scores<'_>) -> (FlexTensor, Saved) {
        let qkv = dense_floats(qkv);
        let (out, log_sums) = attention::forward(simd::level(), self.input(&qkv, scores));
        let out = float_tensor(out, [self.segments.tokens(), self.spec.width()]);
        (out.clone(), Saved { qkv, out, log_sums })
    }

    /// The gradients of the fused projection and, if there is one, of the table of relative positions.
    fn backward(
        &self,
        saved: &Saved,
        dy: FlexTensor,
        scores: Scores<'_>,
    ) -> (FlexTensor, Option<FloatVec>) {
        let Saved { qkv, out, log_sums } = saved;
        let dy = dense_floats(dy);
        let saved = attention::Saved { input: self.input(qkv, scores), out: floats(out), log_sums };
        let found = attention::backward(simd::level(), saved, floats(&dy));
        (float_tensor(found.qkv, qkv.shape()), found.table)
    }
}

/// The operation of [`attention`].
#[derive(Clone, Debug)]
struct Plain(Rows);

impl Operation<1> for Plain {
    const NAME: &'static str = "attention";
    type Saved = Saved;

    fn composed(&self, ([qkv], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::attention(qkv.into(), &self.0.segments, &self.0.spec).into()
    }

    fn forward(&self, ([qkv], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, Saved) {
        self.0.forward(qkv, Scores::Plain)
    }

    fn backward(&self, saved: Saved, dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        ([Some(self.0.backward(&saved, dy, Scores::Plain).0)], [])
    }
}

/// The operation of [`capped_attention`], with its cap.
#[derive(Clone, Debug)]
struct Capped(Rows, f32);

impl Operation<1> for Capped {
    const NAME: &'static str = "capped_attention";
    type Saved = Saved;

    fn composed(&self, ([qkv], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::capped_attention(qkv.into(), &self.0.segments, &self.0.spec, self.1).into()
    }

    fn forward(&self, ([qkv], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, Saved) {
        self.0.forward(qkv, Scores::Capped(self.1))
    }

    fn backward(&self, saved: Saved, dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        ([Some(self.0.backward(&saved, dy, Scores::Capped(self.1)).0)], [])
    }
}

/// The operation of [`relative_attention`], with its positions.
#[derive(Clone, Debug)]
struct Relative(Rows, RelativePositions);

impl Operation<2> for Relative {
    const NAME: &'static str = "relative_attention";
    type Saved = (Saved, FlexTensor);

    fn composed(&self, ([qkv, table], []): Inputs<AnyTensor, 2>) -> AnyTensor {
        let Self(Rows { segments, spec }, positions) = self;
        composed::relative_attention(qkv.into(), table.into(), segments, spec, positions).into()
    }

    fn forward(
        &self,
        ([qkv, table], []): Inputs<FlexTensor, 2>,
        _: bool,
    ) -> (FlexTensor, (Saved, FlexTensor)) {
        let table = dense_floats(table);
        let (out, saved) = self.0.forward(qkv, Scores::Relative(floats(&table), self.1));
        (out, (saved, table))
    }

    fn backward(
        &self,
        (saved, table): (Saved, FlexTensor),
        dy: FlexTensor,
        _: Wanted<2>,
    ) -> Gradients<2> {
        let scores = Scores::Relative(floats(&table), self.1);
        let (qkv, found) = self.0.backward(&saved, dy, scores);
        ([Some(qkv), found.map(|found| float_tensor(found, table.shape()))], [])
    }
}
