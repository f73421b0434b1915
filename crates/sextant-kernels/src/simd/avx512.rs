#![allow(clippy::wildcard_imports, reason = "a file of intrinsics")]

use std::arch::x86_64::*;
use std::mem::transmute;

use half::bf16;

use super::avx512_proof::Avx512;
use super::turn::{turn_eight, turn_sixteen};
use super::{Kernel, Simd};
#[cfg(target_os = "linux")]
use super::{TileBlock, TileWords, Tiles};
use crate::dropout::{MIX_1, MIX_2, RowKey};

type V = __m512;

/// A mask with a bit for each of the first `n` lanes.
#[inline(always)]
fn first(n: usize) -> u16 {
    ((1u32 << n) - 1) as u16
}

impl<const BF16: bool, const TILES: bool> Simd for Avx512<BF16, TILES> {
    type V = V;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    const PANEL: usize = 3;
    const DEPTH: usize = 128;
    const GROUP: usize = 8;
    const BF16: bool = BF16;
    const TILES: bool = TILES;

    #[inline(always)]
    unsafe fn call<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
        unsafe { Self::enter(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be read.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be written.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be read; lanes that the mask leaves out are not accessed.
        unsafe { _mm512_maskz_loadu_ps(first(n), p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: V) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be written; lanes that the mask leaves out are not
        // accessed.
        unsafe { _mm512_mask_storeu_ps(p, first(n), v) }
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn max_magnitude(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe {
            let b = _mm512_castps_si512(self.abs(b));
            _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), b))
        }
    }
    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn fnma(self, a: V, b: V, c: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn abs(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_abs_ps(a) }
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: V, n: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_scalef_ps(a, n) }
    }
    #[inline(always)]
    fn select_less(self, a: V, b: V, x: V, y: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x) }
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_reduce_add_ps(a) }
    }
    #[inline(always)]
    fn greatest(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_reduce_max_ps(a) }
    }
    #[inline(always)]
    fn greatest_magnitude(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { f32::from_bits(_mm512_reduce_max_epi32(_mm512_castps_si512(a)).cast_unsigned()) }
    }
    #[inline(always)]
    fn dropout(self, key: RowKey, column: u32, threshold: u32, scale: f32) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let start = _mm512_set1_epi32(column.wrapping_add(key.low) as i32);
            let x = _mm512_add_epi32(lanes, start);
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
            let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(MIX_1 as i32));
            let x = _mm512_xor_si512(x, _mm512_set1_epi32(key.high as i32));
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x));
            let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(MIX_2 as i32));
            let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
            let kept = _mm512_cmpge_epu32_mask(x, _mm512_set1_epi32(threshold as i32));
            _mm512_maskz_mov_ps(kept, _mm512_set1_ps(scale))
        }
    }
    #[inline(always)]
    fn round_bf16(self, x: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe {
            let bits = _mm512_castps_si512(x);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
            let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
            let nan = _mm512_or_si512(bits, _mm512_set1_epi32(0x40_0000));
            let rounded = _mm512_mask_mov_epi32(_mm512_add_epi32(bits, bias), is_nan, nan);
            let top = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            _mm512_castsi512_ps(_mm512_and_si512(rounded, top))
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16, n: usize) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be read; lanes that the mask leaves out are not accessed.
        unsafe {
            let halves = if n >= 16 {
                _mm256_loadu_si256(p.cast())
            } else {
                _mm256_maskz_loadu_epi16(first(n), p.cast())
            };
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, p: *mut bf16, n: usize, v: V) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be written; lanes that the mask leaves out are not
        // accessed; the transmuted types have the same size, and every bit pattern is valid for both.
        unsafe {
            let halves = if BF16 {
                transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v))
            } else {
                let upper = _mm512_srli_epi32::<16>(_mm512_castps_si512(self.round_bf16(v)));
                _mm512_cvtepi32_epi16(upper)
            };
            if n >= 16 {
                _mm256_storeu_si256(p.cast(), halves);
            } else {
                _mm256_mask_storeu_epi16(p.cast(), first(n), halves);
            }
        }
    }
    #[inline(always)]
    fn dot_bf16(self, acc: V, a: V, b: V) -> V {
        if !BF16 {
            unreachable!("this level does not pair bf16 numbers");
        }
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched; the transmuted types have the same size, and every bit pattern is valid for
        // both.
        unsafe { _mm512_dpbf16_ps(acc, transmute::<V, __m512bh>(a), transmute::<V, __m512bh>(b)) }
    }
    #[inline(always)]
    fn pair_bf16(self, low: V, high: V) -> V {
        if !BF16 {
            unreachable!("this level does not pair bf16 numbers");
        }
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched; the transmuted types have the same size, and every bit pattern is valid for
        // both.
        unsafe {
            let low = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(low));
            let high = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(high));
            let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
            _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(low), high))
        }
    }

    #[inline(always)]
    unsafe fn pack_bf16(self, from: *const f32) -> V {
        if !BF16 {
            unreachable!("this level does not pair bf16 numbers");
        }
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be read; the transmuted types have the same size, and every
        // bit pattern is valid for both.
        unsafe {
            let (low, high) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16)));
            transmute::<__m512bh, V>(_mm512_cvtne2ps_pbh(high, low))
        }
    }

    #[inline(always)]
    fn dot_bytes(self, acc: V, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe {
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(acc), a, b))
        }
    }
    #[cfg(target_os = "linux")]
    #[inline(always)]
    unsafe fn multiply_tiles(self, words: TileWords, tiles: &mut Tiles, block: &TileBlock) {
        if !TILES {
            unreachable!("this level has no tile registers");
        }
        // SAFETY: `self` exists with `TILES` only where tile registers are usable, and the caller promises that the
        // pointers of the block are valid for its sizes.
        unsafe { super::amx::multiply(words, tiles, block) }
    }
    #[inline(always)]
    unsafe fn turn_group(self, from: *const f32, row: usize, to: *mut f32) {
        // SAFETY: `self` exists only where the machine has AVX-512 and AVX2, and the caller promises that eight
        // numbers of eight rows can be read and as many written.
        unsafe {
            let mut rows = [_mm256_setzero_ps(); 8];
            for (i, x) in rows.iter_mut().enumerate() {
                *x = _mm256_loadu_ps(from.add(i * row));
            }
            for (k, x) in turn_eight(rows).into_iter().enumerate() {
                _mm256_storeu_ps(to.add(k * Self::GROUP), x);
            }
        }
    }
    #[inline(always)]
    unsafe fn store_group(self, to: *mut f32, v: V) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that eight numbers can be written.
        unsafe { _mm256_storeu_ps(to, _mm512_castps512_ps256(v)) }
    }
    #[inline(always)]
    fn convert_i32(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and only
        // registers are touched.
        unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(a)) }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, v: V, n: usize) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that the memory of the lanes can be written; lanes that the mask leaves out are not
        // accessed.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
            _mm_mask_storeu_epi8(to.cast(), first(n.min(16)), bytes);
        }
    }

    #[inline(always)]
    unsafe fn transpose(
        self,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        // SAFETY: `self` exists only where the machine has the AVX-512 instructions used here, and the caller
        // promises that `from` can be read and `to` written for 16 rows of 16 numbers, which are `from_stride`
        // and `to_stride` apart.
        unsafe {
            let mut r = [_mm512_setzero_si512(); 16];
            for (i, r) in r.iter_mut().enumerate() {
                *r = _mm512_loadu_si512(from.add(i * from_stride).cast());
            }
            let r = turn_sixteen(r);
            for (i, r) in r.iter().enumerate() {
                _mm512_storeu_si512(to.add(i * to_stride).cast(), *r);
            }
        }
    }
}
