//! AdamW in one pass over parameter, gradient and both moments.

use super::moments::{SharedMoments, Span};
use super::parallel::{self, Scratch, SharedMut};
use crate::simd::{Kernel, Level, Simd, launch};
use crate::{AdamWStep, Moment, Moments, RowGradient, RowMoments, UntouchedRows};

/// The number of elements of a chunk.
const CHUNK: usize = 1 << 15;

pub(crate) fn step(
    level: Level,
    param: &mut [f32],
    grad: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    step: &AdamWStep,
) {
    let count = param.len();
    assert!(grad.len() == count && m.len() == count && v.len() == count, "adamw: lengths");
    let (param, m, v) = (SharedMut::new(param), SharedMut::new(m), SharedMut::new(v));
    parallel::for_each(count.div_ceil(CHUNK), count * 4, |chunk| {
        let start = chunk * CHUNK;
        let update = Update {
            count: CHUNK.min(count - start),
            param: param.at(start),
            grad: Some(grad[start..].as_ptr()),
            m: m.at(start),
            v: v.at(start),
            step: *step,
        };
        // SAFETY: the four buffers have the same length, as was checked above, and the update has `count`
        // elements left from `start` on. Chunks are disjoint parts of the buffers.
        unsafe { launch(level, update) };
    });
}

/// One step on a parameter whose moments are stored in any format.
pub(crate) fn step_stored(
    level: Level,
    param: &mut [f32],
    grad: &[f32],
    moments: &mut Moments,
    step: &AdamWStep,
) {
    let (count, width) = (param.len(), moments.width());
    assert!(grad.len() == count && moments.lines() * width == count, "adamw: lengths");
    let (param, place) = (SharedMut::new(param), SharedMoments::new(moments));
    let span = place.span();
    let spans = width.div_ceil(span);
    parallel::for_each(moments.lines() * spans, count * 4, |task| {
        let (line, start) = (task / spans, task % spans * span);
        let span = Span { line, start, count: span.min(width - start) };
        let index = line * width + start;
        // SAFETY: parameter, gradient and moments have as many numbers, as was checked above. Spans are disjoint
        // parts of them, and each is updated by one task.
        unsafe { update(level, place, span, param.at(index), Some(&grad[index..]), index, step) };
    });
}

/// One step on an embedding table of which only some rows have a gradient.
pub(crate) fn step_rows(
    level: Level,
    param: &mut [f32],
    gradient: &RowGradient,
    moments: &mut RowMoments,
    step: &AdamWStep,
    untouched: UntouchedRows,
) {
    let (count, width, rows) = (param.len(), gradient.width(), moments.rows());
    let inside = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < rows);
    assert!(count == rows * width && moments.width() == width, "adamw: lengths");
    assert!(gradient.ids().iter().all(inside), "adamw: rows of the gradient");
    moments.make_room(gradient.ids().iter().map(|&id| id as usize));
    let param = SharedMut::new(param);
    let segments: Vec<SharedMoments> =
        moments.segments.iter_mut().map(SharedMoments::new).collect();
    let (segments, moments) = (&segments, &*moments);
    // The number of rows of a chunk.
    let share = (CHUNK / width.max(1)).max(1);
    parallel::for_each(rows.div_ceil(share), count * 4, |chunk| {
        let (first, end) = (chunk * share, ((chunk + 1) * share).min(rows));
        let mut place = gradient.ids().partition_point(|&id| (id as usize) < first);
        for row in first..end {
            let grad = (gradient.ids().get(place) == Some(&(row as i32))).then(|| {
                place += 1;
                &gradient.values()[(place - 1) * width..place * width]
            });
            if grad.is_none() && untouched == UntouchedRows::Keep {
                continue;
            }
            let start = row * width;
            let Some((segment, line)) = moments.place(row) else {
                // SAFETY: the row is one of the parameter, and this task alone changes it.
                unsafe {
                    launch(level, Decay { count: width, param: param.at(start), step: *step });
                };
                continue;
            };
            let moments = segments[segment];
            for start in (0..width).step_by(moments.span()) {
                let span = Span { line, start, count: moments.span().min(width - start) };
                let index = row * width + start;
                let grad = grad.map(|grad| &grad[start..]);
                // SAFETY: the row is one of the parameter, and a gradient has as many numbers. The line of
                // moments is the row's own. This task alone accesses them, each span once.
                unsafe { update(level, moments, span, param.at(index), grad, index, step) };
            }
        }
    });
}

/// Updates the parameters of a span, whose first one has this index.
///
/// # Safety
/// The span is one of the moments. From `param` on there are as many numbers as it has, and in the gradient, too.
/// Nothing else accesses the parameters and the moments.
unsafe fn update(
    level: Level,
    moments: SharedMoments,
    span: Span,
    param: *mut f32,
    grad: Option<&[f32]>,
    index: usize,
    step: &AdamWStep,
) {
    let (count, grad) = (span.count, grad.map(<[f32]>::as_ptr));
    if let Some([m, v]) = moments.floats(span) {
        // SAFETY: the caller promises as many parameters, gradients and moments as the span has, which nothing
        // else accesses.
        return unsafe { launch(level, Update { count, param, grad, m, v, step: *step }) };
    }
    let mut scratch = Scratch::take(2 * count);
    let start = scratch.start();
    // SAFETY: the scratch has twice the span's numbers, which were initialised. The halves do not overlap, and
    // are used either as slices or by the kernel, never as both at once. For parameters, gradients and moments,
    // the caller promises what is asked for.
    unsafe {
        let half = |i: usize| std::slice::from_raw_parts_mut(start.add(i * count), count);
        moments.read(level, Moment::First, span, half(0));
        moments.read(level, Moment::Second, span, half(1));
        let (m, v) = (start, start.add(count));
        launch(level, Update { count, param, grad, m, v, step: *step });
        let key = [step.step, index as u64];
        moments.write(level, Moment::First, span, half(0), key);
        moments.write(level, Moment::Second, span, half(1), key);
    }
}

/// A step on parameters whose gradient and moments are zero.
struct Decay {
    count: usize,
    param: *mut f32,
    step: AdamWStep,
}

impl Kernel for Decay {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        if self.step.weight_decay == 0.0 {
            return;
        }
        let keep = simd.splat(self.step.keep());
        for i in (0..self.count).step_by(S::LANES) {
            let left = self.count - i;
            // SAFETY: the caller promises `count` parameters that nothing else accesses; no lane past them is
            // touched.
            unsafe {
                let p = simd.mul(keep, simd.load_upto(self.param.add(i), left));
                simd.store_upto(self.param.add(i), left, p);
            }
        }
    }
}

struct Update {
    count: usize,
    param: *mut f32,
    /// The gradient; `None` stands for zeros.
    grad: Option<*const f32>,
    m: *mut f32,
    v: *mut f32,
    step: AdamWStep,
}

impl Kernel for Update {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S) {
        let step = self.step;
        let (first, second) = step.bias_corrections();
        // SAFETY: the caller promises that all buffers are valid for `count` numbers, and that nothing else
        // accesses the parameter and the moments; no lane past the `count` numbers is touched.
        unsafe {
            let splat = |x: f64| simd.splat(x as f32);
            let scale = simd.splat(step.grad_scale);
            let (beta1, rest1) = (splat(step.beta1), splat(1.0 - step.beta1));
            let (beta2, rest2) = (splat(step.beta2), splat(1.0 - step.beta2));
            let (rate, keep) = (splat(step.lr / first), simd.splat(step.keep()));
            let (correction, eps) = (splat(1.0 / second.sqrt()), splat(step.eps));
            for i in (0..self.count).step_by(S::LANES) {
                let left = self.count - i;
                let g = match self.grad {
                    Some(grad) => simd.mul(simd.load_upto(grad.add(i), left), scale),
                    None => simd.splat(0.0),
                };
                let m = simd.load_upto(self.m.add(i), left);
                let m = simd.fma(rest1, g, simd.mul(beta1, m));
                let v = simd.load_upto(self.v.add(i), left);
                let v = simd.fma(rest2, simd.mul(g, g), simd.mul(beta2, v));
                let denominator = simd.fma(simd.sqrt(v), correction, eps);
                let p = simd.mul(keep, simd.load_upto(self.param.add(i), left));
                let p = simd.fnma(rate, simd.div(m, denominator), p);
                simd.store_upto(self.m.add(i), left, m);
                simd.store_upto(self.v.add(i), left, v);
                simd.store_upto(self.param.add(i), left, p);
            }
        }
    }
}
