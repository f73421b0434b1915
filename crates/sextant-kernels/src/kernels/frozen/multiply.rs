use std::marker::PhantomData;
use std::ops::Range;

use super::Numbers;
use crate::Activation;
use crate::kernels::activation::activate;
use crate::kernels::floats::{FloatPtr, Floats};
use crate::kernels::gemm::{
    Init, Left, Matrix, Product, ROWS, Start, Strip, pack_panel, panel_width,
};
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
    // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
    let (width, at_once) = unsafe { launch(level, Sizes::<P>(columns, PhantomData)) };
    let panels = columns.div_ceil(width);
    // An even number of tasks, which two threads finish together.
    let tasks = panels.div_ceil(at_once).next_multiple_of(2).min(panels);
    let share = panels.div_ceil(tasks);
    parallel::for_each(panels.div_ceil(share), rows * columns * depth, |task| {
        let first = task * share * width;
        let task = Columns {
            rows,
            left: &left,
            weight,
            inputs,
            side,
            depth,
            first,
            inside: (share * width).min(columns - first),
            width,
            init,
            activation,
            c: c.at(first),
            c_row: columns,
        };
        // SAFETY: the left factor has `rows * depth` numbers and the bias `columns`, as was checked above. The
        // caller promises room for all rows of C, and each task writes other columns of it.
        unsafe { launch(level, task) };
    });
}

/// A kernel that returns the width of the panels for so many columns, and how many of them a task decodes at once.
struct Sizes<P>(usize, PhantomData<P>);

impl<P: Product> Kernel for Sizes<P> {
    type Output = (usize, usize);
    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) -> (usize, usize) {
        // Tile registers are done with a block of rows before the next one has come from a cache beyond the second,
        // unless they multiply it by several panels.
        (panel_width::<S, P>(self.0), if P::tiled::<S>() { 4 } else { 1 })
    }
}

/// The product of all rows and some columns.
struct Columns<'a, P: Product> {
    rows: usize,
    left: &'a Left<'a, P>,
    weight: &'a Numbers,
    inputs: usize,
    side: Side,
    depth: usize,
    first: usize,
    inside: usize,
    /// Columns of a panel.
    width: usize,
    init: Init<'a>,
    activation: Activation,
    c: *mut f32,
    c_row: usize,
}

impl<P: Product> Kernel for Columns<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let per_word = P::per_word::<S>();
        let width = self.width;
        let all = P::words::<S>(self.depth);
        let mut tiles = Tiles::default();
        let most = DEPTH.min(all) * per_word;
        let panels = self.inside.div_ceil(width);
        // The scratch holds the decoded numbers of a panel, followed by the panels that are packed from them.
        let mut scratch = Scratch::take(most * width * (1 + panels));
        let decoded = scratch.start();
        let packed = |panel: usize| decoded.wrapping_add(most * width * (1 + panel));
        let mut done = 0;
        // The loop runs at least once, because with a depth of 0 the initial value must still be written.
        loop {
            let words = DEPTH.min(all - done);
            let from = done * per_word;
            let numbers = (words * per_word).min(self.depth - from);
            let last = done + words >= all;
            #[cfg(feature = "profile")]
            let packing = crate::profile::Span::new(crate::profile::Part::Packing, 0);
            for panel in 0..panels {
                // SAFETY: the scratch holds `most * width` numbers for decoding and as many for each panel, and a
                // pass decodes and packs at most that many.
                unsafe { self.pack(simd, panel, from, numbers, decoded, packed(panel)) };
            }
            #[cfg(feature = "profile")]
            let _products = {
                drop(packing);
                let operations = 2 * self.rows * numbers * self.inside;
                crate::profile::Span::new(crate::profile::Part::Products, operations)
            };
            for first_row in (0..self.rows).step_by(ROWS) {
                let rows = ROWS.min(self.rows - first_row);
                for panel in 0..panels {
                    let first = panel * width;
                    let start = match self.init {
                        _ if done > 0 => Start::Accumulate,
                        Init::Accumulate => Start::Accumulate,
                        Init::Bias(bias) => Start::Row(bias[self.first + first..].as_ptr()),
                        Init::Zero => Start::Zero,
                    };
                    let strip = Strip::<P> {
                        rows,
                        columns: width.min(self.inside - first),
                        depth: words,
                        a: self.left.block(0).wrapping_add(first_row * self.left.per_row() + done),
                        a_row: self.left.per_row(),
                        a_step: 1,
                        a_group: None,
                        b: packed(panel),
                        b_step: width,
                        c: self.c.wrapping_add(first_row * self.c_row + first),
                        c_row: self.c_row,
                        start,
                        next: None,
                        product: PhantomData,
                    };
                    // SAFETY: the strip reads the words from `done` on of A's rows, which have `all` words, and a
                    // packed panel, and it writes columns of C, for which the caller promises that `c` is valid.
                    unsafe { strip.run_in_blocks(simd, &mut tiles) };
                }
                if last && self.activation != Activation::None {
                    // SAFETY: the caller promises that `c` is valid for these rows, and the strips have written them.
                    unsafe { self.activate(simd, first_row..first_row + rows) };
                }
            }
            done += words;
            if last {
                break;
            }
        }
    }
}

impl<P: Product> Columns<'_, P> {
    /// Decodes `numbers` numbers along the depth, from `from` on, of the columns of a panel, and packs them.
    ///
    /// # Safety
    /// `decoded` and `packed` have room for the panel, do not overlap, and hold initialized numbers.
    #[inline(always)]
    unsafe fn pack<S: Simd>(
        &self,
        simd: S,
        panel: usize,
        from: usize,
        numbers: usize,
        decoded: *mut f32,
        packed: *mut f32,
    ) {
        let width = self.width;
        let first = self.first + panel * width;
        let inside = width.min(self.inside - panel * width);
        // SAFETY: the caller promises room for the panel's numbers, which are initialized, so that slices of it may
        // be made. Decoding fills all that packing reads.
        unsafe {
            match self.side {
                Side::Weight => {
                    for column in 0..inside {
                        let to = decoded.add(column * numbers);
                        let to = std::slice::from_raw_parts_mut(to, numbers);
                        self.weight.decode(self.inputs, first + column, from, to);
                    }
                    let decoded = FloatPtr::F32(decoded);
                    pack_panel::<S, P>(simd, decoded, 1, numbers, numbers, inside, packed, width);
                }
                Side::Turned => {
                    for k in 0..numbers {
                        let to = decoded.add(k * inside);
                        let to = std::slice::from_raw_parts_mut(to, inside);
                        self.weight.decode(self.inputs, from + k, first, to);
                    }
                    let decoded = FloatPtr::F32(decoded);
                    pack_panel::<S, P>(simd, decoded, inside, 1, numbers, inside, packed, width);
                }
            }
        }
    }

    /// Applies the activation to some rows of C.
    ///
    /// # Safety
    /// `c` holds initialized numbers in these rows, which nothing else accesses.
    #[inline(always)]
    unsafe fn activate<S: Simd>(&self, simd: S, rows: Range<usize>) {
        for row in rows {
            for column in (0..self.inside).step_by(S::LANES) {
                // SAFETY: the caller promises that `c` holds `inside` columns of these rows. No lane past them is
                // loaded or stored.
                unsafe {
                    let to = self.c.add(row * self.c_row + column);
                    let left = self.inside - column;
                    let z = simd.load_upto(to, left);
                    simd.store_upto(to, left, activate(simd, self.activation, z));
                }
            }
        }
    }
}
