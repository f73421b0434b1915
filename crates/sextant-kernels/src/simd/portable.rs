use half::bf16;

use super::{Kernel, Simd};
use crate::dropout::RowKey;

/// Arrays of eight lanes, which the compiler translates into the vector instructions of its target. Every
/// machine can run this level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Portable;

const N: usize = 8;
type V = [f32; N];

#[inline(always)]
fn map(a: V, f: impl Fn(f32) -> f32) -> V {
    a.map(f)
}

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// `a * b + c`, fused where the target has an instruction for that. Without one, `f32::mul_add` would be a
/// library call, which is far slower.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// The 16 bits of the nearest bf16 number, ties to even.
#[inline(always)]
fn to_bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() {
        (bits >> 16) | 0x40
    } else {
        bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16
    }
}

impl Simd for Portable {
    type V = V;
    const LANES: usize = N;
    const REGISTERS: usize = 7; // of two 128-bit registers each, on most targets
    const PANEL: usize = 1;
    const DEPTH: usize = 128;
    const GROUP: usize = 4;
    const BF16: bool = false;

    #[inline(never)]
    unsafe fn call<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
        unsafe { kernel.run(self) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: the caller promises that a whole vector can be read at `p`, and an unaligned read asks for no
        // alignment.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: the caller promises that a whole vector can be written at `p`, and an unaligned write asks for
        // no alignment.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        // SAFETY: the caller promises that the first `n` numbers can be read, and no others are.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: the caller promises that the first `n` numbers can be written, and no others are.
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max_magnitude(self, a: V, b: V) -> V {
        zip(a, b, |a, b| f32::from_bits(a.to_bits().max(b.abs().to_bits())))
    }
    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    fn fnma(self, a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(-a[i], b[i], c[i]))
    }
    #[inline(always)]
    fn abs(self, a: V) -> V {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        // Adding 1.5 · 2^23 leaves no bits for a fraction, so that subtracting it again gives the rounded
        // number; exact for magnitudes below 2^22.
        map(a, |a| (a + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    fn scale(self, a: V, n: V) -> V {
        zip(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn select_less(self, a: V, b: V, x: V, y: V) -> V {
        std::array::from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        let half: [f32; 4] = std::array::from_fn(|i| a[i] + a[i + 4]);
        (half[0] + half[2]) + (half[1] + half[3])
    }
    #[inline(always)]
    fn greatest(self, a: V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    fn greatest_magnitude(self, a: V) -> f32 {
        f32::from_bits(a.into_iter().map(f32::to_bits).fold(0, u32::max))
    }
    #[inline(always)]
    fn dropout(self, key: RowKey, column: u32, threshold: u32, scale: f32) -> V {
        std::array::from_fn(|i| {
            if key.hash(column.wrapping_add(i as u32)) >= threshold { scale } else { 0.0 }
        })
    }
    #[inline(always)]
    fn round_bf16(self, x: V) -> V {
        map(x, |x| f32::from_bits(to_bf16(x) << 16))
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16, n: usize) -> V {
        // SAFETY: the caller promises that the first `n` numbers can be read, and no others are.
        std::array::from_fn(|i| if i < n { unsafe { (*p.add(i)).to_f32() } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_bf16(self, p: *mut bf16, n: usize, v: V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: the caller promises that the first `n` numbers can be written, and no others are.
            unsafe { *p.add(i) = bf16::from_bits(to_bf16(x) as u16) };
        }
    }
    #[inline(always)]
    fn dot_bf16(self, acc: V, a: V, b: V) -> V {
        let low = |x: f32| f32::from_bits(x.to_bits() << 16);
        let high = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        std::array::from_fn(|i| {
            let sum = multiply_add(low(a[i]), low(b[i]), acc[i]);
            multiply_add(high(a[i]), high(b[i]), sum)
        })
    }
    #[inline(always)]
    fn pair_bf16(self, low: V, high: V) -> V {
        zip(low, high, |l, h| f32::from_bits(to_bf16(l) | (to_bf16(h) << 16)))
    }
    #[inline(always)]
    unsafe fn pack_bf16(self, from: *const f32) -> V {
        // SAFETY: the caller promises that `2 * LANES` numbers can be read, and no others are.
        std::array::from_fn(|i| unsafe {
            f32::from_bits(to_bf16(*from.add(2 * i)) | (to_bf16(*from.add(2 * i + 1)) << 16))
        })
    }
    #[inline(always)]
    fn dot_bytes(self, acc: V, a: V, b: V) -> V {
        std::array::from_fn(|i| {
            let (a, b) = (a[i].to_bits().to_le_bytes(), b[i].to_bits().to_le_bytes());
            let mut sum = acc[i].to_bits() as i32;
            for k in 0..4 {
                sum = sum.wrapping_add(i32::from(a[k]) * i32::from(b[k] as i8));
            }
            f32::from_bits(sum as u32)
        })
    }
    #[inline(always)]
    fn convert_i32(self, a: V) -> V {
        map(a, |a| (a.to_bits() as i32) as f32)
    }
}
