use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use super::{full, with_dtype};
use crate::{AttentionSpec, Mask, RelativePositions, Segments};

/// The scores of some rows of a pack, which are padded to the longest of them: products of queries and keys, scaled
/// and perhaps capped, before the softmax.
#[derive(Debug, Clone)]
pub struct AttentionScores {
    /// The index of each row in its pack.
    pub rows: Vec<usize>,
    /// `[rows, heads, longest, longest]`, by query and key.
    pub scores: Tensor<4>,
    /// 1 where a query of the row sees a key, 0 elsewhere and in padding: `[rows, 1, longest, longest]`.
    pub visible: Tensor<4>,
}

/// The scores of [`crate::attention`], or of [`crate::capped_attention`] if there is a cap. Which rows are together
/// depends on the lengths of the pack's rows alone, so that scores of several models over one pack can be compared.
///
/// There is no kernel for them: only distillation asks for scores.
pub fn attention_scores(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    cap: Option<f32>,
) -> Vec<AttentionScores> {
    let qkv = full(qkv);
    let device = qkv.device();
    let of_chunk = |rows: Vec<Range<usize>>| {
        let longest = rows[0].len();
        let [query, key, _] = padded(&qkv, &rows, spec);
        let product = query.matmul(key.swap_dims(2, 3)) * spec.scale;
        let scores = match cap {
            Some(cap) => activation::tanh(product / cap) * cap,
            None => product,
        };
        let lines = rows.iter().flat_map(|row| {
            (0..longest).map(move |place| if place < row.len() { 1.0 } else { 0.0 })
        });
        let lines = TensorData::new(lines.collect::<Vec<f32>>(), [rows.len(), 1, longest, 1]);
        let seen = hidden(&rows, spec, &device).greater_equal_elem(0.0).float();
        let visible = seen * Tensor::<4>::from_data(lines, &device);
        // A pack has no empty rows, so that a row is known by its first token.
        let index =
            |row: &Range<usize>| segments.cu().partition_point(|&at| (at as usize) < row.start);
        AttentionScores { rows: rows.iter().map(index).collect(), scores, visible }
    };
    chunks(segments).into_iter().map(of_chunk).collect()
}

/// Rows up to this length are padded to each other, however much padding that takes.
const SHORT: usize = 16;

/// See [`crate::attention`]. Rows of similar length are padded to the longest of them and masked.
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
    let (table, device) = (full(table), qkv.device());
    let first = *positions.used(segments.max_len()).start();
    with_scores(qkv, segments, spec, |query, key| {
        let longest = query.dims()[2];
        let furthest = longest as isize - 1;
        // Part `at` of the table (0: queries, 1: keys), `[1, heads, dim, 2 · longest]`. Its columns are
        // ordered by the place of the compared token minus the place of the multiplied token, which is the
        // distance or, by `sign`, its opposite. The last column is padding.
        let by_place = |at: usize, sign: isize| {
            let row = |place: isize| {
                let distance = (sign * place).clamp(-furthest, furthest);
                (positions.row(distance) - first) as i32
            };
            let rows: Vec<i32> = (-furthest..=furthest + 1).map(row).collect();
            table
                .clone()
                .narrow(1, at * spec.width(), spec.width())
                .select(0, indices(&rows, &device))
                .reshape([1, 2 * longest, spec.heads, spec.head_dim])
                .permute([0, 2, 3, 1])
        };
        // In each line of such a product, the numbers for consecutive compared tokens follow each other. For
        // each later multiplied token they start one number earlier.
        let compared = |lines: Tensor<4>| {
            let [rows, heads, ..] = lines.dims();
            lines
                .reshape([rows, heads, 2 * longest * longest])
                .narrow(2, longest - 1, (2 * longest - 1) * longest)
                .reshape([rows, heads, longest, 2 * longest - 1])
                .narrow(3, 0, longest)
        };
        let content = query.clone().matmul(key.clone().swap_dims(2, 3));
        let to_position = compared(query.matmul(by_place(1, -1)));
        let from_position = compared(key.matmul(by_place(0, 1))).swap_dims(2, 3);
        (content + to_position + from_position) * spec.scale
    })
}

fn indices(numbers: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::from(numbers), device)
}

/// Attention whose scores are computed by `score` from queries and keys of rows that are padded to one
/// length, both `[rows, heads, longest, head_dim]`. The result has the format of `qkv`.
fn with_scores(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    score: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let (device, dtype) = (qkv.device(), qkv.dtype());
    let qkv = full(qkv);
    // for each token of the pack, its place in `gathered`
    let mut places = vec![0; segments.tokens()];
    let mut end = 0;
    let mut gathered = Vec::new();
    for rows in chunks(segments) {
        let longest = rows[0].len();
        for row in &rows {
            row.clone().zip(end..).for_each(|(token, place)| places[token] = place);
            end += longest as i32;
        }
        gathered.push(attend(&qkv, &rows, spec, &score));
    }
    with_dtype(Tensor::cat(gathered, 0).select(0, indices(&places, &device)), dtype)
}

/// The rows of a pack, longest first, in chunks of similar length. Padded to its first row, which is its
/// longest, a chunk has at most an eighth more tokens than its rows have, unless its rows are short.
fn chunks(segments: &Segments) -> Vec<Vec<Range<usize>>> {
    let mut rows: Vec<Range<usize>> = segments.ranges().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.len()));
    let mut chunks: Vec<Vec<Range<usize>>> = Vec::new();
    let mut tokens = 0;
    for row in rows {
        tokens += row.len();
        match chunks.last_mut() {
            Some(chunk)
                if chunk[0].len() <= SHORT
                    || (chunk.len() + 1) * chunk[0].len() * 8 <= tokens * 9 =>
            {
                chunk.push(row);
            }
            _ => {
                tokens = row.len();
                chunks.push(vec![row]);
            }
        }
    }
    chunks
}

/// Attention within rows that are padded to the first of them, which is the longest. The shape of the result
/// is `[rows · longest, heads · head_dim]`.
fn attend(
    qkv: &Tensor<2>,
    rows: &[Range<usize>],
    spec: &AttentionSpec,
    score: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let (device, count, longest) = (qkv.device(), rows.len(), rows[0].len());
    let [query, key, value] = padded(qkv, rows, spec);
    let mut probabilities = activation::softmax(score(query, key) + hidden(rows, spec, &device), 3);
    if spec.dropout.is_some() {
        let shape = [count, spec.heads, longest, longest];
        let factors = TensorData::new(dropout_factors(rows, spec), shape);
        probabilities = probabilities * Tensor::<4>::from_data(factors, &device);
    }
    probabilities.matmul(value).swap_dims(1, 2).reshape([count * longest, spec.width()])
}

/// Queries, keys and values of rows that are padded to the first of them, which is the longest:
/// `[rows, heads, longest, head_dim]`.
fn padded(qkv: &Tensor<2>, rows: &[Range<usize>], spec: &AttentionSpec) -> [Tensor<4>; 3] {
    let (device, count, longest) = (qkv.device(), rows.len(), rows[0].len());
    let (dim, group) = (spec.head_dim, spec.group());
    // padding repeats the row's first token; the mask hides it
    let token = |row: &Range<usize>, i: usize| row.start + if i < row.len() { i } else { 0 };
    let tokens: Vec<i32> =
        rows.iter().flat_map(|row| (0..longest).map(move |i| token(row, i) as i32)).collect();
    let padded = qkv.clone().select(0, indices(&tokens, &device));
    // [rows, longest, columns] → [rows, heads, longest, dim]
    let part = |first: usize, heads: usize| {
        padded
            .clone()
            .narrow(1, first * dim, heads * dim)
            .reshape([count, longest, heads, dim])
            .swap_dims(1, 2)
    };
    let repeat = |x: Tensor<4>| {
        if group == 1 {
            x
        } else {
            x.reshape([count, spec.kv_heads, 1, longest, dim])
                .expand([count, spec.kv_heads, group, longest, dim])
                .reshape([count, spec.heads, longest, dim])
        }
    };
    let key = repeat(part(spec.heads, spec.kv_heads));
    let value = repeat(part(spec.heads + spec.kv_heads, spec.kv_heads));
    [part(0, spec.heads), key, value]
}

/// The mask to be added to scores: 0 where a query attends to a key, a large negative number elsewhere. A
/// padding query may attend to no key at all; then it attends to all keys alike. Its answer only has to be
/// finite, because it is not used.
fn hidden(rows: &[Range<usize>], spec: &AttentionSpec, device: &Device) -> Tensor<4> {
    let longest = rows[0].len();
    let places = Tensor::<1, Int>::arange(0..longest as i64, device).float();
    let hide = |beyond: Tensor<4>| beyond.greater_elem(0.0).float() * -1e30;
    let last: Vec<f32> = rows.iter().map(|row| row.len() as f32 - 1.0).collect();
    let last = Tensor::<1>::from_data(TensorData::from(&last[..]), device);
    let keys = places.clone().reshape([1, 1, 1, longest]);
    let padding = hide(keys.clone() - last.reshape([rows.len(), 1, 1, 1]));
    // how far a key is to the right of a query
    let right = || keys.clone() - places.clone().reshape([1, 1, longest, 1]);
    match spec.mask {
        Mask::Bidirectional => padding,
        Mask::Causal => padding + hide(right()),
        Mask::SlidingWindow { before, after } => {
            padding + hide(right() - after as f32) + hide(-right() - before as f32)
        }
    }
}

/// The factors of dropout, `[rows, heads, longest, longest]`: 0 or the scale of kept elements; 1 for
/// padding.
fn dropout_factors(rows: &[Range<usize>], spec: &AttentionSpec) -> Vec<f32> {
    let longest = rows[0].len();
    let mut factors = vec![1.0; rows.len() * spec.heads * longest * longest];
    let Some(dropout) = spec.dropout else {
        return factors;
    };
    for (row, tokens) in rows.iter().enumerate() {
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
