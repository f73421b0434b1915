//! Matrix products `C = A · B` with a row-major `C`.
//!
//! The *depth* is the dimension that is summed over: the columns of `A` and the rows of `B`. `B` is packed
//! into *panels* of a few vectors of columns, so that a step along the depth reads one short run of memory.
//! `A` is read in place, unless it has to be converted or transposed ([`Left`]), and its 32-bit *words* are
//! broadcast to a vector one at a time. A word holds one `f32` or, where the machine has bf16 products, two
//! bf16 numbers that follow each other along the depth. A [`Product`] defines how words multiply, so that one
//! tile of registers ([`tile`]) serves every number format.

mod left;
mod pack;
mod tile;

use crate::simd::{Kernel, SIDE, Simd, Tiles, launch};
use crate::{Activation, Precision};

use super::activation::activate;
use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats};
use super::parallel::{self, Scratch, SharedMut};
pub(crate) use left::Left;
pub(crate) use pack::{Packed, pack_panel, panel_width};
use pack::{Size, Sizes};
pub(crate) use tile::{Bf16, Bytes, F32, Product, ROWS, Start, Strip};

/// A strided view of numbers: element `(i, j)` is at `i * row + j * column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: Floats<'a>,
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix with `columns` columns.
    pub(crate) fn rows(data: impl Into<Floats<'a>>, columns: usize) -> Self {
        Self { data: data.into(), row: columns, column: 1 }
    }

    /// The transpose, without moving anything.
    pub(crate) fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// Panics when a matrix of `rows` by `columns` does not fit into the data.
    fn check(self, rows: usize, columns: usize) {
        if rows > 0 && columns > 0 {
            let last = (rows - 1) * self.row + (columns - 1) * self.column;
            assert!(last < self.data.len(), "gemm: matrix reaches past its data");
        }
        assert!(self.row == 1 || self.column == 1, "gemm: one stride of a matrix must be 1");
    }
}

/// What happens to a block of `C` as soon as it is complete.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue {
    pub(crate) activation: Activation,
    /// Where activated values go; they replace `C` when this is `None`.
    pub(crate) output: Option<FloatMut>,
}

impl Epilogue {
    pub(crate) const NONE: Self = Self { activation: Activation::None, output: None };
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Init<'a> {
    Zero,
    /// The same row of numbers for each row of `C`.
    Bias(&'a [f32]),
    /// The numbers that `C` already holds.
    Accumulate,
}

impl<'a> From<Option<&'a [f32]>> for Init<'a> {
    fn from(bias: Option<&'a [f32]>) -> Self {
        bias.map_or(Self::Zero, Self::Bias)
    }
}

/// About how many tasks a product is divided into.
const TASKS: usize = 32;

/// `C = A · B + init` for `rows` rows of `a`; `c` is row-major and dense. Runs at the level that `b`
/// was packed for.
pub(crate) fn multiply<P: Product>(
    rows: usize,
    a: Matrix<'_>,
    b: &Packed<P>,
    init: Init<'_>,
    c: &mut [f32],
    epilogue: Epilogue,
) {
    assert_eq!(c.len(), rows * b.columns(), "gemm: length of the result");
    run(rows, a, b, init, FloatMut::F32(SharedMut::new(c)), epilogue);
}

/// [`multiply`] with a result in a given format: sums are formed in `f32` and rounded if the format is bf16.
pub(crate) fn product<P: Product>(
    rows: usize,
    a: Matrix<'_>,
    b: &Packed<P>,
    bias: Option<&[f32]>,
    format: Precision,
    epilogue: Epilogue,
) -> FloatVec {
    let mut c = FloatRoom::new(format, rows * b.columns());
    run(rows, a, b, bias.into(), c.shared(), epilogue);
    // SAFETY: the tasks of `run` cover all blocks of C, and each task writes its whole block, so every number
    // was written.
    unsafe { c.filled() }
}

/// Computes the product into `c`, which has room for `rows` rows. With [`Init::Accumulate`] `c` must be `f32`.
fn run<P: Product>(
    rows: usize,
    a: Matrix<'_>,
    b: &Packed<P>,
    init: Init<'_>,
    c: FloatMut,
    epilogue: Epilogue,
) {
    let (level, depth, columns) = (b.level(), b.depth(), b.columns());
    let adds = matches!(init, Init::Accumulate);
    assert!(!adds || matches!(c, FloatMut::F32(_)), "gemm: sums go on in f32 only");
    let activates = epilogue.activation != Activation::None;
    assert!(epilogue.output.is_none() || activates, "gemm: an output without an activation");
    if let Init::Bias(bias) = init {
        assert_eq!(bias.len(), columns, "gemm: bias");
    }
    if rows == 0 || columns == 0 {
        return;
    }
    // All tasks have about the same number of rows. Columns are divided too, until there are enough tasks to
    // keep the threads evenly busy.
    // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
    let Size { group, .. } =
        unsafe { launch(level, Sizes::<P>([depth, columns], std::marker::PhantomData)) };
    let block = parallel::even_block(rows, ROWS, group);
    let row_tasks = rows.div_ceil(block);
    let column_tasks = TASKS.div_ceil(row_tasks).min(b.panels());
    let panels = b.panels().div_ceil(column_tasks);
    let left = Left::<P>::new(level, a, [rows, depth, columns], block);
    parallel::for_each(row_tasks * column_tasks, rows * columns * depth, |task| {
        let index = task / column_tasks;
        let first_row = index * block;
        let first_panel = task % column_tasks * panels;
        let block = Block {
            a: &left,
            index,
            first_row,
            rows: block.min(rows - first_row),
            b,
            panels: first_panel..(first_panel + panels).min(b.panels()),
            init,
            c,
            epilogue,
        };
        // SAFETY: `Left::new` and `Packed::new` have checked that the matrices lie within their data, and the
        // bias has a number for each column. The callers of `run` give a `c` with room for the whole result,
        // and tasks write disjoint blocks of it.
        unsafe { launch(level, block) };
    });
}

/// The product of a block of rows of `A` and some panels of `B`.
struct Block<'a, P: Product> {
    a: &'a Left<'a, P>,
    /// The index of the block of rows in `a`.
    index: usize,
    first_row: usize,
    rows: usize,
    b: &'a Packed<P>,
    panels: std::ops::Range<usize>,
    init: Init<'a>,
    c: FloatMut,
    epilogue: Epilogue,
}

impl<P: Product> Kernel for Block<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let (words, columns) = (self.b.words(), self.b.columns());
        let width = self.b.width();
        let a = self.a.block(self.index);
        #[cfg(feature = "profile")]
        let _span = {
            let end = (self.panels.end * width).min(columns);
            let columns = end.saturating_sub(self.panels.start * width); // the last task may be empty
            let operations = 2 * self.rows * columns * self.b.depth();
            crate::profile::Span::new(crate::profile::Part::Products, operations)
        };
        let first = self.panels.start;
        // Where C is bf16, the `f32` sums are formed in this scratch, one panel after the other.
        let mut scratch = match self.c {
            FloatMut::F32(_) => None,
            FloatMut::Bf16(_) => Some(Scratch::take(self.panels.len() * self.rows * width)),
        };
        let step = words.div_ceil(words.div_ceil(S::DEPTH).max(1));
        let step = if P::tiled::<S>() { step.next_multiple_of(SIDE) } else { step };
        let mut tiles = Tiles::default();
        let mut done = 0;
        loop {
            let depth = step.min(words - done);
            let last = done + depth == words;
            for panel in self.panels.clone() {
                let first_column = panel * width;
                let place = self.first_row * columns + first_column;
                let inside = width.min(columns - first_column);
                let (sums, sums_row) = match (self.c, &mut scratch) {
                    (FloatMut::F32(c), _) => (c.at(place), columns),
                    (FloatMut::Bf16(_), scratch) => {
                        let start = scratch.as_mut().map_or(std::ptr::null_mut(), Scratch::start);
                        (start.wrapping_add((panel - first) * self.rows * width), width)
                    }
                };
                let start = match self.init {
                    _ if done > 0 => Start::Accumulate,
                    Init::Accumulate => Start::Accumulate,
                    Init::Bias(bias) => Start::Row(bias[first_column..].as_ptr()),
                    Init::Zero => Start::Zero,
                };
                // The block's panels are read in turn, and then again for the next words.
                let next = if panel + 1 < self.panels.end {
                    Some(self.b.panel(panel + 1).wrapping_add(done * width))
                } else {
                    (!last).then(|| self.b.panel(first).wrapping_add((done + depth) * width))
                };
                let strip = Strip::<P> {
                    rows: self.rows,
                    columns: inside,
                    depth,
                    a: a.wrapping_add(done * self.a.per_step()),
                    a_row: self.a.per_row(),
                    a_step: self.a.per_step(),
                    a_group: self.a.group(),
                    b: self.b.panel(panel).wrapping_add(done * width),
                    b_step: width,
                    c: sums,
                    c_row: sums_row,
                    start,
                    next,
                    product: std::marker::PhantomData,
                };
                // SAFETY: the caller promises a valid block. The strip reads `depth` words from word `done`
                // on of its rows of A and of the panel, both of which have `words` words, and the `inside`
                // columns that it writes exist in the sums: in C, or in the scratch of this task.
                unsafe { strip.run(simd, &mut tiles) };
                if last {
                    let complete = Done {
                        sums,
                        sums_row,
                        c: self.c,
                        place,
                        columns,
                        rows: self.rows,
                        inside,
                        epilogue: self.epilogue,
                    };
                    // SAFETY: the sums hold this block's rows and columns, C and the epilogue's output hold
                    // them from `place` on, and no other task writes this block.
                    unsafe { complete.write(simd) };
                }
            }
            if last {
                break;
            }
            done += depth;
        }
    }
}

/// The part of a block in one panel, after its sums are complete.
struct Done {
    sums: *const f32,
    sums_row: usize,
    /// The result, which has the same shape as the epilogue's output; the block starts at `place` in both.
    c: FloatMut,
    place: usize,
    columns: usize,
    rows: usize,
    inside: usize,
    epilogue: Epilogue,
}

impl Done {
    /// Applies the activation, and rounds to bf16 where `c` or the output is bf16. Does nothing where the sums in
    /// `c` are the result.
    ///
    /// # Safety
    /// `sums` is valid for the block, and `c` and the epilogue's output have room for it from `place` on, which
    /// nothing else reads or writes.
    #[inline(always)]
    unsafe fn write<S: Simd>(self, simd: S) {
        let Epilogue { activation, output } = self.epilogue;
        let rounded = matches!(self.c, FloatMut::Bf16(_));
        if activation == Activation::None && !rounded {
            return;
        }
        let (keeps, to) = match output {
            Some(output) => (rounded, output),
            None => (false, self.c),
        };
        for row in 0..self.rows {
            let sums = FloatPtr::F32(self.sums).add(row * self.sums_row);
            let at = self.place + row * self.columns;
            for column in (0..self.inside).step_by(S::LANES) {
                let left = self.inside - column;
                // SAFETY: the caller promises that the sums, `c` and the output hold this block, and `left` of
                // its columns are left in this row, beyond which nothing is touched.
                unsafe {
                    let z = sums.load(simd, column, left);
                    if keeps {
                        self.c.store(simd, at + column, left, z);
                    }
                    let y = activate(simd, activation, z);
                    to.store(simd, at + column, left, y);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
