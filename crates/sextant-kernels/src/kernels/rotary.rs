//! Rotates the queries and keys of a pack by angles that depend on their positions. The gradient is rotated
//! by the opposite angles.

use super::floats::{FloatMut, FloatPtr, FloatRoom, FloatVec, Floats, copy_line};
use super::parallel;
use crate::rotary::{Angles, Rotary};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Segments};

/// Rotates the queries and keys of `qkv` by the angles of their positions, or by the opposite angles if `back`.
/// The result has the format of `qkv`.
pub(crate) fn turn(
    level: Level,
    qkv: Floats<'_>,
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
    back: bool,
) -> FloatVec {
    let width = spec.qkv_width();
    assert_eq!(qkv.len(), segments.tokens() * width, "rotary: length");
    rotary.check(spec);
    let angles = rotary.angles(segments);
    let mut out = FloatRoom::new(qkv.format(), qkv.len());
    let to = out.shared();
    parallel::for_each(segments.rows(), qkv.len() * 4, |row| {
        let tokens = segments.range(row);
        let kernel = Row {
            tokens,
            width,
            heads: spec.heads + spec.kv_heads,
            dim: spec.head_dim,
            half: rotary.frequencies().len(),
            angles: &angles,
            from: qkv.at(0),
            to,
            back,
        };
        // SAFETY: `qkv` has the length of the whole pack, as was checked above, and so has the output. There are
        // angles for all positions of the longest row, and each task writes another row of the pack.
        unsafe { launch(level, kernel) };
    });
    // SAFETY: the rows have all tokens of the pack, and each token is written completely: heads that are rotated,
    // and copies of all other numbers. So every number was written.
    unsafe { out.filled() }
}

struct Row<'a> {
    tokens: std::ops::Range<usize>,
    width: usize,
    /// The number of heads that are rotated: those of queries and of keys.
    heads: usize,
    dim: usize,
    half: usize,
    angles: &'a Angles,
    from: FloatPtr,
    to: FloatMut,
    back: bool,
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let half = self.half;
        // SAFETY: the caller promises buffers that hold the row's tokens, that nothing else accesses these
        // tokens of the output, and angles for all of the row's positions. `Rotary::check` has found that a
        // head has at least `2 * half` numbers, so all loads and stores lie within the token.
        unsafe {
            let direction = simd.splat(if self.back { -1.0 } else { 1.0 });
            for (position, token) in self.tokens.enumerate() {
                let cosines = self.angles.cosines.as_ptr().add(position * half);
                let sines = self.angles.sines.as_ptr().add(position * half);
                for head in 0..self.heads {
                    let at = token * self.width + head * self.dim;
                    for i in (0..half).step_by(S::LANES) {
                        let left = half - i;
                        let cosine = simd.load_upto(cosines.add(i), left);
                        let sine = simd.mul(simd.load_upto(sines.add(i), left), direction);
                        let x = self.from.load(simd, at + i, left);
                        let y = self.from.load(simd, at + half + i, left);
                        let turned_x = simd.fnma(y, sine, simd.mul(x, cosine));
                        let turned_y = simd.fma(x, sine, simd.mul(y, cosine));
                        self.to.store(simd, at + i, left, turned_x);
                        self.to.store(simd, at + half + i, left, turned_y);
                    }
                    let rest = at + 2 * half;
                    copy_line(simd, self.from.add(rest), self.to, rest, self.dim - 2 * half);
                }
                let values = self.heads * self.dim;
                let at = token * self.width + values;
                copy_line(simd, self.from.add(at), self.to, at, self.width - values);
            }
        }
    }
}
