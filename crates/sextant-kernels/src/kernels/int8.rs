//! Linear layers in 8 bits, for scoring.
//!
//! Weights are rounded once, with one scale for each output. Activations are rounded at each call, with one
//! scale for each row (dynamic quantisation). Products are exact in `i32`. Activations are stored as
//! unsigned bytes, shifted by 128, because the dot product instruction multiplies unsigned by signed bytes.
//! The sums start at `-128 · Σ weights`, which cancels the shift.
//!
//! A level without an instruction for dot products of bytes sums two products in 16 bits. There weights are rounded
//! to 64 steps on each side of zero in place of 127 ([`Simd::WEIGHT_BYTE`]), so that no sum overflows. It is the
//! weights that get the shorter range, as in ONNX Runtime's `reduce_range`, because rounding activations, whose rows
//! have few large values, costs more to begin with.

use std::marker::PhantomData;

use super::activation::activate;
use super::floats::{FloatPtr, Floats};
use super::gemm::{Bytes, Product, Start, Strip, panel_width};
use super::parallel::{self, Room, Scratch};
use crate::Activation;
use crate::simd::{Kernel, Level, SIDE, Simd, Tiles, launch};

/// The greatest absolute value of an activation in 8 bits.
const GREATEST: f32 = 127.0;
/// The number of inputs in a word.
const BYTES: usize = 4;
/// The most rows of a task.
const BLOCK: usize = 64;
/// The least outputs of a task, unless there are fewer: with less, rounding its rows would take much of its time.
const LEAST_OUTPUTS: usize = 96;

/// A weight in 8 bits, packed for a level in panels of words of four inputs.
#[derive(Debug)]
pub(crate) struct Weight {
    panels: Vec<u32>,
    width: usize,
    /// The initial value of each output's sums, as the bits of an `i32`.
    starts: Vec<u32>,
    scales: Vec<f32>,
    inputs: usize,
    /// Words of an output, with those that fill its last tile.
    words: usize,
    level: Level,
}

impl Weight {
    /// Rounds a weight of `[inputs, outputs]` to what the level multiplies exactly.
    pub(crate) fn round(level: Level, weight: &[f32], outputs: usize) -> Self {
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
        let Size { greatest, .. } = unsafe { launch(level, Sizes([0, outputs])) };
        let (values, scales) = quantise(weight, outputs, greatest);
        Self::new(level, &values, &scales)
    }

    /// Packs `values` of `[inputs, outputs]`, each of which stands for its product with its output's scale.
    fn new(level: Level, values: &[i8], scales: &[f32]) -> Self {
        let outputs = scales.len();
        let inputs = values.len() / outputs.max(1);
        assert_eq!(values.len(), inputs * outputs, "int8: length of the weight");
        // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
        let Size { width, words, .. } = unsafe { launch(level, Sizes([inputs, outputs])) };
        let mut panels = vec![0u32; outputs.div_ceil(width) * words * width];
        let mut sums = vec![0i32; outputs];
        for (input, line) in values.chunks_exact(outputs.max(1)).enumerate() {
            let (word, byte) = (input / 4, input % 4);
            for (output, &value) in line.iter().enumerate() {
                let panel = output / width * words * width;
                let at = panel + word * width + output % width;
                panels[at] |= u32::from(value as u8) << (8 * byte);
                sums[output] += i32::from(value);
            }
        }
        Self {
            panels,
            width,
            starts: sums.into_iter().map(|sum| (-128 * sum) as u32).collect(),
            scales: scales.to_vec(),
            inputs,
            words,
            level,
        }
    }

    /// The values that were given to [`Weight::new`], `[inputs, outputs]` row-major.
    pub(crate) fn values(&self) -> Vec<i8> {
        let (outputs, words) = (self.scales.len(), self.words);
        let value = |input: usize, output: usize| {
            let panel = output / self.width * words * self.width;
            let at = panel + input / BYTES * self.width + output % self.width;
            (self.panels[at] >> (8 * (input % BYTES))) as i8
        };
        (0..self.inputs)
            .flat_map(|input| (0..outputs).map(move |output| (input, output)))
            .map(|(input, output)| value(input, output))
            .collect()
    }

    /// The scale of each output.
    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }
}

/// Returns the [`Size`] of a weight with so many inputs and outputs.
struct Sizes([usize; 2]);

/// What depends on the level.
struct Size {
    /// Columns of a panel.
    width: usize,
    /// Words of an output.
    words: usize,
    /// The greatest absolute value that a weight's bytes may have.
    greatest: f32,
    /// What the rows of a task are a multiple of: on tile registers, the rows of a block of them.
    tile: usize,
}

impl Kernel for Sizes {
    type Output = Size;
    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: S) -> Size {
        let [inputs, outputs] = self.0;
        let (width, words) = (panel_width::<S, Bytes>(outputs), Bytes::words::<S>(inputs));
        let tile = if Bytes::tiled::<S>() { 2 * SIDE } else { 1 };
        Size { width, words, greatest: S::WEIGHT_BYTE, tile }
    }
}

/// Rounds a weight of `[inputs, outputs]` to bytes that are not greater than `most`. Returns the values, and a scale
/// for each output, which is NaN if one of the output's weights is not finite.
fn quantise(weight: &[f32], outputs: usize, most: f32) -> (Vec<i8>, Vec<f32>) {
    let mut scales = vec![0.0f32; outputs];
    for line in weight.chunks_exact(outputs.max(1)) {
        for (scale, w) in scales.iter_mut().zip(line) {
            // Magnitudes are compared by their bits, because the bits of a NaN are greater than those of any
            // number, so that a NaN is kept.
            *scale = f32::from_bits(scale.to_bits().max(w.abs().to_bits()));
        }
    }
    for scale in &mut scales {
        *scale = match *scale {
            0.0 => 1.0,
            greatest if greatest.is_finite() => greatest / most,
            _ => f32::NAN,
        };
    }
    let lines = weight.chunks_exact(outputs.max(1));
    let values = lines.flat_map(|line| line.iter().zip(&scales));
    let values = values.map(|(w, scale)| (w / scale).round_ties_even() as i8);
    (values.collect(), scales)
}

/// `activation(x · weight + bias)` for `x` of `[rows, inputs]`.
pub(crate) fn linear(
    rows: usize,
    x: Floats<'_>,
    weight: &Weight,
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let outputs = weight.scales.len();
    assert_eq!(x.len(), rows * weight.inputs, "int8: length of the input");
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "int8: bias");
    let mut y = Room::new(rows * outputs);
    let to = y.shared();
    let panels = outputs.div_ceil(weight.width);
    // SAFETY: `launch` asks that the kernel's pointers are valid, and `Sizes` holds none.
    let Size { tile, .. } = unsafe { launch(weight.level, Sizes([weight.inputs, outputs])) };
    // All tasks have about the same number of rows: a request has few, and a short last block would leave a thread waiting.
    let block_rows = parallel::even_block(rows, BLOCK, tile);
    let row_tasks = rows.div_ceil(block_rows.max(1));
    // With few rows the outputs are divided too, although each task then rounds its rows again.
    let threads = parallel::threads();
    let wanted = if threads > 1 { 2 * threads } else { 1 };
    let most = outputs.div_ceil(LEAST_OUTPUTS).min(panels);
    let column_tasks = wanted.div_ceil(row_tasks.max(1)).min(most).max(1);
    let share = panels.div_ceil(column_tasks);
    parallel::for_each(row_tasks * column_tasks, x.len() * outputs / 4, |task| {
        let first_row = task / column_tasks * block_rows;
        let first_panel = task % column_tasks * share;
        let block = Block {
            rows: block_rows.min(rows - first_row),
            x: x.at(first_row * weight.inputs),
            weight,
            panels: first_panel..(first_panel + share).min(panels),
            bias,
            activation,
            y: to.at(first_row * outputs),
        };
        // SAFETY: the input has `rows * inputs` numbers and the bias has `outputs`, as was checked above. The
        // weight's panels are as wide as this level's, for which it was packed. The result has room for
        // all rows, and tasks write disjoint blocks of it.
        unsafe { launch(weight.level, block) };
    });
    // SAFETY: the tasks cover all rows and all panels, and each writes its panels' columns of its rows, so every
    // number was written.
    unsafe { y.filled() }
}

struct Block<'a> {
    rows: usize,
    x: FloatPtr,
    weight: &'a Weight,
    panels: std::ops::Range<usize>,
    bias: Option<&'a [f32]>,
    activation: Activation,
    y: *mut f32,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let weight = self.weight;
        let (words, width) = (weight.words, weight.width);
        let outputs = weight.scales.len();
        #[cfg(feature = "profile")]
        let _span = {
            let end = (self.panels.end * width).min(outputs);
            let columns = end.saturating_sub(self.panels.start * width); // the last task may be empty
            let operations = 2 * self.rows * columns * weight.inputs;
            crate::profile::Span::new(crate::profile::Part::Products, operations)
        };
        let mut tiles = Tiles::default();
        let mut scratch = Scratch::take(self.rows * (words + width + 1));
        let bytes = scratch.start();
        // SAFETY: the scratch holds `words` words of bytes, `width` sums and a scale for each row. The caller
        // promises that the rows of `x` can be read and that no other task accesses this block of the result.
        // The strip reads the rows' words, one panel and that panel's initial values, and writes `columns` sums
        // for each row. No lane past the columns is loaded or stored. The bytes that pad a row's last word may
        // hold anything, because the weight is zero there.
        unsafe {
            let sums = bytes.add(self.rows * words);
            let scales = sums.add(self.rows * width);
            for row in 0..self.rows {
                let to = bytes.add(row * words).cast::<u8>();
                *scales.add(row) =
                    round_row(simd, self.x.add(row * weight.inputs), weight.inputs, to);
            }
            for panel in self.panels.clone() {
                let first = panel * width;
                let columns = width.min(outputs - first);
                Strip::<Bytes> {
                    rows: self.rows,
                    columns,
                    depth: words,
                    a: bytes,
                    a_row: words,
                    a_step: 1,
                    a_group: None,
                    b: weight.panels[panel * words * width..].as_ptr().cast(),
                    b_step: width,
                    c: sums,
                    c_row: width,
                    start: Start::Row(weight.starts[first..].as_ptr().cast()),
                    next: (panel + 1 < self.panels.end)
                        .then(|| weight.panels[(panel + 1) * words * width..].as_ptr().cast()),
                    product: PhantomData,
                }
                .run(simd, &mut tiles);
                for row in 0..self.rows {
                    let row_scale = simd.splat(*scales.add(row));
                    for column in (0..columns).step_by(S::LANES) {
                        let (at, left) = (first + column, columns - column);
                        let sum = simd.load_upto(sums.add(row * width + column), left);
                        let scale = simd.load_upto(weight.scales[at..].as_ptr(), left);
                        let bias = match self.bias {
                            Some(bias) => simd.load_upto(bias[at..].as_ptr(), left),
                            None => simd.splat(0.0),
                        };
                        let z = simd.fma(simd.mul(simd.convert_i32(sum), row_scale), scale, bias);
                        let y = activate(simd, self.activation, z);
                        simd.store_upto(self.y.add(row * outputs + at), left, y);
                    }
                }
            }
        }
    }
}

/// Rounds a row to bytes shifted by 128 and returns its scale: NaN where one of its numbers is not finite.
///
/// # Safety
/// `x` is valid for `count` numbers and `to` for as many bytes.
#[inline(always)]
unsafe fn round_row<S: Simd>(simd: S, x: FloatPtr, count: usize, to: *mut u8) -> f32 {
    // SAFETY: the caller promises that `count` numbers can be read and as many bytes written, and no lane past
    // them is touched.
    unsafe {
        let mut greatest = simd.splat(0.0);
        for i in (0..count).step_by(S::LANES) {
            greatest = simd.max_magnitude(greatest, x.load(simd, i, count - i));
        }
        let greatest = simd.greatest_magnitude(greatest);
        // Bytes can hold neither infinity nor NaN. A row with such a number gets a scale of NaN, which makes all
        // of its results NaN.
        let (by, scale) = match greatest {
            0.0 => (0.0, 1.0),
            _ if greatest.is_finite() => (GREATEST / greatest, greatest / GREATEST),
            _ => (0.0, f32::NAN),
        };
        let (by, shift) = (simd.splat(by), simd.splat(128.0));
        for i in (0..count).step_by(S::LANES) {
            let left = count - i;
            let v = simd.fma(x.load(simd, i, left), by, shift);
            simd.store_bytes(to.add(i), v, left);
        }
        scale
    }
}
