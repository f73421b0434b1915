//! Turns the queries and keys of a pack by their positions; the gradient turns back.

use super::floats::{FloatMut, FloatPtr, FloatVec, Floats, copy_line};
use super::parallel;
use crate::rotary::{Angles, Rotary};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Segments};

/// Turns `qkv` by the angles of its positions, or back; the result has its format.
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
    let mut out = FloatVec::uninitialised(qkv.format(), qkv.len());
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
        // SAFETY: the level is supported; rows are disjoint parts of buffers of one length.
        unsafe { launch(level, kernel) };
    });
    out
}

struct Row<'a> {
    tokens: std::ops::Range<usize>,
    width: usize,
    /// Heads that turn: those of queries and keys.
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
    unsafe fn run<S: Simd>(self) {
        let half = self.half;
        // SAFETY: the caller passes buffers that hold the row, and angles of all its positions.
        unsafe {
            let direction = S::splat(if self.back { -1.0 } else { 1.0 });
            for (position, token) in self.tokens.enumerate() {
                let cosines = self.angles.cosines.as_ptr().add(position * half);
                let sines = self.angles.sines.as_ptr().add(position * half);
                for head in 0..self.heads {
                    let at = token * self.width + head * self.dim;
                    for i in (0..half).step_by(S::LANES) {
                        let left = half - i;
                        let cosine = S::load_upto(cosines.add(i), left);
                        let sine = S::mul(S::load_upto(sines.add(i), left), direction);
                        let x = self.from.load::<S>(at + i, left);
                        let y = self.from.load::<S>(at + half + i, left);
                        let turned_x = S::fnma(y, sine, S::mul(x, cosine));
                        let turned_y = S::fma(x, sine, S::mul(y, cosine));
                        self.to.store::<S>(at + i, left, turned_x);
                        self.to.store::<S>(at + half + i, left, turned_y);
                    }
                    let rest = at + 2 * half;
                    copy_line::<S>(self.from.add(rest), self.to, rest, self.dim - 2 * half);
                }
                let values = self.heads * self.dim;
                let at = token * self.width + values;
                copy_line::<S>(self.from.add(at), self.to, at, self.width - values);
            }
        }
    }
}
