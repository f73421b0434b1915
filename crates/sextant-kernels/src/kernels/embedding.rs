//! Looks up rows of an embedding table, and computes the gradient of the table.

use super::floats::{FloatVec, Floats};
use super::frozen::Numbers;
use super::parallel::{self, Room};

/// The number of tokens of a chunk.
const CHUNK: usize = 256;

/// The id as an index. Panics when it is not below `rows`.
fn index(id: i32, rows: usize) -> usize {
    let index = usize::try_from(id).ok().filter(|&index| index < rows);
    let Some(index) = index else {
        panic!("embedding: id {id} is outside a table of {rows} rows");
    };
    index
}

/// The rows of the table for `ids`, one after the other.
pub(crate) fn gather(table: Floats<'_>, width: usize, ids: &[i32]) -> FloatVec {
    match table {
        Floats::F32(table) => FloatVec::F32(rows_of(table, width, ids)),
        Floats::Bf16(table) => FloatVec::Bf16(rows_of(table, width, ids)),
    }
}

fn rows_of<T: Copy + Send + Sync>(table: &[T], width: usize, ids: &[i32]) -> Vec<T> {
    let rows = table.len() / width.max(1);
    let mut out = Room::new(ids.len() * width);
    let to = out.shared();
    parallel::for_each(ids.len().div_ceil(CHUNK), ids.len() * width, |chunk| {
        let start = chunk * CHUNK;
        for (token, &id) in ids.iter().enumerate().skip(start).take(CHUNK) {
            let from = &table[index(id, rows) * width..][..width];
            // SAFETY: `from` is a slice of `width` numbers. The output has room for a row of `width` numbers for
            // each token, this chunk alone writes those of its tokens, and it does not overlap the table.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.at(token * width), width) };
        }
    });
    // SAFETY: the chunks cover all tokens, and each token's row was copied completely.
    unsafe { out.filled() }
}

/// [`gather`] from a frozen table, whose dimensions are its width and its number of rows.
pub(crate) fn gather_frozen(table: &Numbers, [width, rows]: [usize; 2], ids: &[i32]) -> Vec<f32> {
    let mut out = vec![0.0; ids.len() * width];
    for (to, &id) in out.chunks_exact_mut(width.max(1)).zip(ids) {
        table.decode(width, index(id, rows), 0, to);
    }
    out
}

/// The gradient of a table of `rows` rows: each token's row of `dy` is added to the row of the table that the
/// token's id names, in the order of the tokens.
pub(crate) fn scatter(dy: &[f32], width: usize, ids: &[i32], rows: usize) -> Vec<f32> {
    assert_eq!(dy.len(), ids.len() * width, "embedding: length");
    let mut gradient = vec![0.0; rows * width];
    for (dy, &id) in dy.chunks_exact(width.max(1)).zip(ids) {
        let to = &mut gradient[index(id, rows) * width..][..width];
        to.iter_mut().zip(dy).for_each(|(to, dy)| *to += dy);
    }
    gradient
}
