use std::marker::PhantomData;

use super::Numbers;
use crate::Activation;
use crate::kernels::activation::activate;
use crate::kernels::floats::{FloatPtr, Floats};
use crate::kernels::gemm::{Init, Left, Matrix, Product, Start, Strip, pack_panel, panel_width};
use crate::kernels::parallel::{self, Room, Scratch, SharedMut};
use crate::simd::{Kernel, Level, Simd, Tiles, launch};

/// The most words along the depth that are decoded at a time. A pass continues the sums of the pass before
/// it, so that the order of additions is that of the dense product, whatever the size of the passes.
const DEPTH: usize = 768;

/// Rows of the left factor that a task copies, if it has to be copied.
const COPIED_ROWS: usize = 64;

/// Whether a weight, which is stored as `[outputs][inputs]`, is multiplied by as it is or transposed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    /// As the right factor `[inputs, outputs]`.
    Weight,
    /// As its transpose `[outputs, inputs]`, for the gradient of the input.
    Turned,
}

/// The frozen weight, and its `[inputs, outputs]`.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    pub(crate) weight: &'a Numbers,
    pub(crate) dims: [usize; 2],
}

impl Base<'_> {
    /// The depth and columns of the right factor.
    fn shape(self, side: Side) -> [usize; 2] {
        let [inputs, outputs] = self.dims;
        match side {
            Side::Weight => [inputs, outputs],
            Side::Turned => [outputs, inputs],
        }
    }
}

/// `activation(a · w + bias)` for `rows` rows; `a` is `[rows, depth]`.
pub(crate) fn product<P: Product>(
    level: Level,
    rows: usize,
    a: Floats<'_>,
    base: Base<'_>,
    side: Side,
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let [_, columns] = base.shape(side);
    let mut c = Room::new(rows * columns);
    // SAFETY: `c` has room for `rows` rows and is not shared with anything else. Its numbers are not added to,
    // because a bias or nothing is what the sums start from.
    unsafe { multiply::<P>(level, rows, a, base, side, bias.into(), activation, c.shared()) };
    // SAFETY: `multiply` goes through all panels, which together have all columns, and each panel's task writes
    // its columns of every row, so every number was written.
    unsafe { c.filled() }
}

/// `c += a · w` for `rows` rows; `a` is `[rows, depth]`.
pub(crate) fn add_product<P: Product>(
    level: Level,
    rows: usize,
    a: Floats<'_>,
    base: Base<'_>,
    side: Side,
    c: &mut [f32],
) {
    let [_, columns] = base.shape(side);
    assert_eq!(c.len(), rows * columns, "frozen product: length of the result");
    // SAFETY: the slice holds all rows, as was checked above, with initialized numbers, and it is borrowed
    // exclusively.
    unsafe {
        let (init, c) = (Init::Accumulate, SharedMut::new(c));
        multiply::<P>(level, rows, a, base, side, init, Activation::None, c);
    }
}

/// `c = activation(a · w + init)`.
///
/// # Safety
/// `c` has room for `rows` rows, which nothing else reads or writes. With [`Init::Accumulate`], they hold
/// initialized numbers.
#[expect(clippy::too_many_arguments, reason = "a product has this many parts")]
unsafe fn multiply<P: Product>(
    level: Level,
    rows: usize,
    a: Floats<'_>,
    base: Base<'_>,
    side: Side,
    init: Init<'_>,
    activation: Activation,
    c: SharedMut<f32>,
) {
    let [depth, columns] = base.shape(side);
    let Base { weight, dims: [inputs, _] } = base;
    assert_eq!(a.len(), rows * depth, "frozen product: length of the left factor");
    if let Init::Bias(bias) = init {
        assert_eq!(bias.len(), columns, "frozen product: bias");
    }
    if rows == 0 || columns == 0 {
        return;
    }
    // The blocks follow each other without gaps, so that each panel can be multiplied with all rows as if they
    // were one block.
    let left = Left::<P>::new(level, Matrix::rows(a, depth), [rows, depth, 0], COPIED_ROWS);
    // SAFETY: `launch` asks that the kernel's pointers are valid, and `Width` holds none.
    let width = unsafe { launch(level, Width::<P>(columns, PhantomData)) };
    parallel::for_each(columns.div_ceil(width), rows * columns * depth, |panel| {
        let first = panel * width;
        let panel = Panel {
            rows,
            left: &left,
            weight,
            inputs,
            side,
            depth,
            first,
            inside: width.min(columns - first),
            width,
            init,
            activation,
            c: c.at(first),
            c_row: columns,
        };
        // SAFETY: the left factor has `rows * depth` numbers and the bias `columns`, as was checked above. The
        // caller promises room for all rows of C, and each task writes other columns of it.
        unsafe { launch(level, panel) };
    });
}

/// A kernel that returns the width of the panels for so many columns.
struct Width<P>(usize, PhantomData<P>);

impl<P: Product> Kernel for Width<P> {
    type Output = usize;
    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) -> usize {
        panel_width::<S, P>(self.0)
    }
}

/// The product of all rows and one panel of columns.
struct Panel<'a, P: Product> {
    rows: usize,
    left: &'a Left<'a, P>,
    weight: &'a Numbers,
    inputs: usize,
    side: Side,
    depth: usize,
    first: usize,
    inside: usize,
    width: usize,
    init: Init<'a>,
    activation: Activation,
    c: *mut f32,
    c_row: usize,
}

impl<P: Product> Kernel for Panel<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let per_word = P::per_word::<S>();
        let (width, inside) = (self.width, self.inside);
        let all = P::words::<S>(self.depth);
        let mut tiles = Tiles::default();
        let most = DEPTH.min(all) * per_word;
        // The scratch holds the decoded numbers, followed by the panel that is packed from them.
        let mut scratch = Scratch::take(most * width * 2);
        let decoded = scratch.start();
        let packed = decoded.wrapping_add(most * width);
        let mut done = 0;
        // The loop runs at least once, because with a depth of 0 the initial value must still be written.
        loop {
            let words = DEPTH.min(all - done);
            let from = done * per_word;
            let numbers = (words * per_word).min(self.depth - from);
            // SAFETY: the scratch holds `most * width` numbers twice, and a pass decodes and packs at most
            // that many. Scratch is always initialized, so slices of it may be made; they do not overlap the
            // packed panel. Decoding fills all that packing reads. The strip reads the words from `done` on
            // of A's rows, which have `all` words, and the packed panel, and it writes `inside` columns of
            // C, for which the caller promises that `c` is valid.
            unsafe {
                match self.side {
                    Side::Weight => {
                        for column in 0..inside {
                            let to = decoded.add(column * numbers);
                            let to = std::slice::from_raw_parts_mut(to, numbers);
                            self.weight.decode(self.inputs, self.first + column, from, to);
                        }
                        let decoded = FloatPtr::F32(decoded);
                        pack_panel::<S, P>(
                            simd, decoded, 1, numbers, numbers, inside, packed, width,
                        );
                    }
                    Side::Turned => {
                        for k in 0..numbers {
                            let to = decoded.add(k * inside);
                            let to = std::slice::from_raw_parts_mut(to, inside);
                            self.weight.decode(self.inputs, from + k, self.first, to);
                        }
                        let decoded = FloatPtr::F32(decoded);
                        pack_panel::<S, P>(
                            simd, decoded, inside, 1, numbers, inside, packed, width,
                        );
                    }
                }
                let start = match self.init {
                    _ if done > 0 => Start::Accumulate,
                    Init::Accumulate => Start::Accumulate,
                    Init::Bias(bias) => Start::Row(bias[self.first..].as_ptr()),
                    Init::Zero => Start::Zero,
                };
                let strip = Strip::<P> {
                    rows: self.rows,
                    columns: inside,
                    depth: words,
                    a: self.left.block(0).wrapping_add(done),
                    a_row: self.left.per_row(),
                    a_step: 1,
                    a_group: None,
                    b: packed,
                    b_step: width,
                    c: self.c,
                    c_row: self.c_row,
                    start,
                    product: PhantomData,
                };
                strip.run_in_blocks(simd, &mut tiles);
            }
            done += words;
            if done >= all {
                break;
            }
        }
        if self.activation != Activation::None {
            for row in 0..self.rows {
                for column in (0..inside).step_by(S::LANES) {
                    // SAFETY: the caller promises that `c` holds `inside` columns of every row, which nothing else
                    // accesses, and the strips above have written them. No lane past them is loaded or stored.
                    unsafe {
                        let (to, left) = (self.c.add(row * self.c_row + column), inside - column);
                        let z = simd.load_upto(to, left);
                        simd.store_upto(to, left, activate(simd, self.activation, z));
                    }
                }
            }
        }
    }
}
