//! Turns the queries and keys of a pack by their positions; the gradient turns back.

use super::parallel::{self, SharedMut, uninitialised};
use crate::rotary::{Angles, Rotary};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AttentionSpec, Segments};

/// Turns `qkv` by the angles of its positions, or back.
pub(crate) fn turn(
    level: Level,
    qkv: &[f32],
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
    back: bool,
) -> Vec<f32> {
    let width = spec.qkv_width();
    assert_eq!(qkv.len(), segments.tokens() * width, "rotary: length");
    rotary.check(spec);
    let angles = rotary.angles(segments);
    let mut out = uninitialised(qkv.len());
    let to = SharedMut::new(&mut out);
    parallel::for_each(segments.rows(), qkv.len() * 4, |row| {
        let tokens = segments.range(row);
        let kernel = Row {
            tokens: tokens.len(),
            width,
            heads: spec.heads + spec.kv_heads,
            dim: spec.head_dim,
            half: rotary.frequencies().len(),
            angles: &angles,
            from: qkv[tokens.start * width..].as_ptr(),
            to: to.at(tokens.start * width),
            back,
        };
        // SAFETY: the level is supported; rows are disjoint parts of buffers of one length.
        unsafe { launch(level, kernel) };
    });
    out
}

struct Row<'a> {
    tokens: usize,
    width: usize,
    /// Heads that turn: those of queries and keys.
    heads: usize,
    dim: usize,
    half: usize,
    angles: &'a Angles,
    from: *const f32,
    to: *mut f32,
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
            for token in 0..self.tokens {
                let (from, to) =
                    (self.from.add(token * self.width), self.to.add(token * self.width));
                let cosines = self.angles.cosines.as_ptr().add(token * half);
                let sines = self.angles.sines.as_ptr().add(token * half);
                for head in 0..self.heads {
                    let (from, to) = (from.add(head * self.dim), to.add(head * self.dim));
                    for i in (0..half).step_by(S::LANES) {
                        let left = half - i;
                        let cosine = S::load_upto(cosines.add(i), left);
                        let sine = S::mul(S::load_upto(sines.add(i), left), direction);
                        let x = S::load_upto(from.add(i), left);
                        let y = S::load_upto(from.add(half + i), left);
                        let turned_x = S::fnma(y, sine, S::mul(x, cosine));
                        let turned_y = S::fma(x, sine, S::mul(y, cosine));
                        S::store_upto(to.add(i), left, turned_x);
                        S::store_upto(to.add(half + i), left, turned_y);
                    }
                    let rest = self.dim - 2 * half;
                    from.add(2 * half).copy_to_nonoverlapping(to.add(2 * half), rest);
                }
                let values = self.heads * self.dim;
                let rest = self.width - values;
                from.add(values).copy_to_nonoverlapping(to.add(values), rest);
            }
        }
    }
}
