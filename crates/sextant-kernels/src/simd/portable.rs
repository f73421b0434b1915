use half::bf16;

use super::{Kernel, Simd};
use crate::dropout::RowKey;

/// Arrays of eight lanes, which the compiler turns into what its target has.
#[derive(Clone, Copy)]
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

/// `a * b + c`, in one instruction where the target has one (a library call would be far slower).
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// The upper 16 bits of the nearest bf16 number, ties to even.
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
    const BF16: bool = false;

    #[inline(never)]
    unsafe fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: every machine supports this level; pointers are the caller's promise.
        unsafe { kernel.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> V {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> V {
        // SAFETY: only the first n lanes are read.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_first(p: *mut f32, n: usize, v: V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: only the first n lanes are written.
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn sqrt(a: V) -> V {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn fnma(a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(-a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn abs(a: V) -> V {
        map(a, f32::abs)
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        // adding and taking away 1.5 · 2^23 leaves no room for a fraction: exact below 2^22
        map(a, |a| (a + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn scale(a: V, n: V) -> V {
        zip(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn select_less(a: V, b: V, x: V, y: V) -> V {
        std::array::from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }
    #[inline(always)]
    unsafe fn sum(a: V) -> f32 {
        let half: [f32; 4] = std::array::from_fn(|i| a[i] + a[i + 4]);
        (half[0] + half[2]) + (half[1] + half[3])
    }
    #[inline(always)]
    unsafe fn greatest(a: V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    unsafe fn dropout(key: RowKey, column: u32, threshold: u32, scale: f32) -> V {
        std::array::from_fn(|i| {
            if key.hash(column.wrapping_add(i as u32)) >= threshold { scale } else { 0.0 }
        })
    }
    #[inline(always)]
    unsafe fn round_bf16(x: V) -> V {
        map(x, |x| f32::from_bits(to_bf16(x) << 16))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const bf16, n: usize) -> V {
        // SAFETY: only the first n lanes are read.
        std::array::from_fn(|i| if i < n { unsafe { (*p.add(i)).to_f32() } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut bf16, n: usize, v: V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: only the first n lanes are written.
            unsafe { *p.add(i) = bf16::from_bits(to_bf16(x) as u16) };
        }
    }
    #[inline(always)]
    unsafe fn dot_bf16(acc: V, a: V, b: V) -> V {
        let low = |x: f32| f32::from_bits(x.to_bits() << 16);
        let high = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        std::array::from_fn(|i| {
            let sum = multiply_add(low(a[i]), low(b[i]), acc[i]);
            multiply_add(high(a[i]), high(b[i]), sum)
        })
    }
    #[inline(always)]
    unsafe fn pair_bf16(low: V, high: V) -> V {
        zip(low, high, |l, h| f32::from_bits(to_bf16(l) | (to_bf16(h) << 16)))
    }
    #[inline(always)]
    unsafe fn pack_bf16(from: *const f32) -> V {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| unsafe {
            f32::from_bits(to_bf16(*from.add(2 * i)) | (to_bf16(*from.add(2 * i + 1)) << 16))
        })
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: V, a: V, b: V) -> V {
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
    unsafe fn from_i32(a: V) -> V {
        map(a, |a| (a.to_bits() as i32) as f32)
    }
}
