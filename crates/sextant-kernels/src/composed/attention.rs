use burn::tensor::{Int, Tensor, TensorData, activation};

use super::{full, with_dtype};
use crate::{AttentionSpec, RelativePositions, Segments};

/// See [`crate::attention`]. Rows are padded to the longest one and masked.
pub fn attention(qkv: Tensor<2>, segments: &Segments, spec: &AttentionSpec) -> Tensor<2> {
    with_scores(qkv, segments, spec, |query, key| query.matmul(key.swap_dims(2, 3)) * spec.scale)
}

/// See [`crate::capped_attention`].
pub fn capped_attention(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    cap: f32,
) -> Tensor<2> {
    with_scores(qkv, segments, spec, |query, key| {
        activation::tanh(query.matmul(key.swap_dims(2, 3)) * (spec.scale / cap)) * cap
    })
}

/// See [`crate::relative_attention`].
pub fn relative_attention(
    qkv: Tensor<2>,
    table: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    positions: &RelativePositions,
) -> Tensor<2> {
    let table = full(table);
    let (device, longest) = (qkv.device(), segments.max_len());
    let used = positions.used(longest);
    let (first, count) = (*used.start(), used.end() - used.start() + 1);
    let table = table.narrow(0, first, count);
    // [count, columns] → [1, heads, dim, count]
    let part = |at: usize| {
        let columns = table.clone().narrow(1, at * spec.width(), spec.width());
        columns.reshape([1, count, spec.heads, spec.head_dim]).permute([0, 2, 3, 1])
    };
    let (query_positions, key_positions) = (part(0), part(1));
    // for each query and key, and for each key and query, the row of their distance
    let rows = |transposed: bool| {
        let row = |i: usize, j: usize| {
            let distance =
                if transposed { j as isize - i as isize } else { i as isize - j as isize };
            (positions.row(distance) - first) as i32
        };
        let rows: Vec<i32> = (0..longest)
            .flat_map(|i| (0..longest).map(move |j| (i, j)))
            .map(|(i, j)| row(i, j))
            .collect();
        let rows = TensorData::new(rows, [1, 1, longest, longest]);
        Tensor::<4, Int>::from_data(rows, &device).expand([
            segments.rows(),
            spec.heads,
            longest,
            longest,
        ])
    };
    with_scores(qkv, segments, spec, |query, key| {
        let content = query.clone().matmul(key.clone().swap_dims(2, 3));
        let to_position = query.matmul(key_positions).gather(3, rows(false));
        let from_position = key.matmul(query_positions).gather(3, rows(true)).swap_dims(2, 3);
        (content + to_position + from_position) * spec.scale
    })
}

/// Attention, in the format of `qkv`, whose scores `score` computes from queries and keys, both
/// `[rows, heads, longest, head_dim]`.
fn with_scores(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    score: impl FnOnce(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let (device, dtype) = (qkv.device(), qkv.dtype());
    let qkv = full(qkv);
    let (rows, longest) = (segments.rows(), segments.max_len());
    let (dim, group) = (spec.head_dim, spec.group());

    let padding = Padding::new(segments);
    let gather = Tensor::<1, Int>::from_data(TensorData::from(&padding.gather[..]), &device);
    let padded = qkv.select(0, gather);
    // [rows, longest, columns] → [rows, heads, longest, dim]
    let part = |first: usize, heads: usize| {
        padded
            .clone()
            .narrow(1, first * dim, heads * dim)
            .reshape([rows, longest, heads, dim])
            .swap_dims(1, 2)
    };
    let repeat = |x: Tensor<4>| {
        if group == 1 {
            x
        } else {
            x.reshape([rows, spec.kv_heads, 1, longest, dim])
                .expand([rows, spec.kv_heads, group, longest, dim])
                .reshape([rows, spec.heads, longest, dim])
        }
    };
    let query = part(0, spec.heads);
    let key = repeat(part(spec.heads, spec.kv_heads));
    let value = repeat(part(spec.heads + spec.kv_heads, spec.kv_heads));

    let bias = TensorData::new(mask_bias(segments, spec), [rows, 1, longest, longest]);
    let scores = score(query, key) + Tensor::<4>::from_data(bias, &device);
    let mut probabilities = activation::softmax(scores, 3);
    if spec.dropout.is_some() {
        let shape = [rows, spec.heads, longest, longest];
        let factors = TensorData::new(dropout_factors(segments, spec), shape);
        probabilities = probabilities * Tensor::<4>::from_data(factors, &device);
    }
    let scatter = Tensor::<1, Int>::from_data(TensorData::from(&padding.scatter[..]), &device);
    let gathered = probabilities
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([rows * longest, spec.width()])
        .select(0, scatter);
    with_dtype(gathered, dtype)
}

/// Where each padded token comes from, and where each token of the pack went.
struct Padding {
    gather: Vec<i32>,
    scatter: Vec<i32>,
}

impl Padding {
    fn new(segments: &Segments) -> Self {
        let longest = segments.max_len();
        let mut gather = Vec::with_capacity(segments.rows() * longest);
        let mut scatter = Vec::with_capacity(segments.tokens());
        for (row, tokens) in segments.ranges().enumerate() {
            // padding repeats the row's first token; the mask hides it
            gather.extend(
                (0..longest).map(|i| (tokens.start + if i < tokens.len() { i } else { 0 }) as i32),
            );
            scatter.extend((0..tokens.len()).map(|i| (row * longest + i) as i32));
        }
        Self { gather, scatter }
    }
}

/// 0 where a query sees a key, a large negative number elsewhere; `[rows, longest, longest]`.
fn mask_bias(segments: &Segments, spec: &AttentionSpec) -> Vec<f32> {
    let longest = segments.max_len();
    let mut bias = vec![-1e30; segments.rows() * longest * longest];
    for (row, tokens) in segments.ranges().enumerate() {
        for position in 0..longest {
            let line = &mut bias[(row * longest + position) * longest..][..longest];
            // padding queries see the whole row: any finite answer does, nobody reads it
            let visible = if position < tokens.len() {
                spec.mask.visible(position, tokens.len())
            } else {
                0..tokens.len()
            };
            line[visible].fill(0.0);
        }
    }
    bias
}

/// The factors of dropout, `[rows, heads, longest, longest]`.
fn dropout_factors(segments: &Segments, spec: &AttentionSpec) -> Vec<f32> {
    let longest = segments.max_len();
    let mut factors = vec![1.0; segments.rows() * spec.heads * longest * longest];
    let Some(dropout) = spec.dropout else {
        return factors;
    };
    for (row, tokens) in segments.ranges().enumerate() {
        for head in 0..spec.heads {
            for (position, token) in tokens.clone().enumerate() {
                let line = ((row * spec.heads + head) * longest + position) * longest;
                for (column, factor) in factors[line..][..tokens.len()].iter_mut().enumerate() {
                    *factor = if dropout.keeps(token * spec.heads + head, column) {
                        dropout.keep_scale()
                    } else {
                        0.0
                    };
                }
            }
        }
    }
    factors
}
