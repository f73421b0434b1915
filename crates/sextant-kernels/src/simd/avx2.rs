#![allow(clippy::wildcard_imports, reason = "a file of intrinsics")]

use std::arch::x86_64::*;

use half::bf16;

use super::{Kernel, Simd};
use crate::dropout::{MIX_1, MIX_2, RowKey};

/// 256-bit vectors with fused multiply-add.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

type V = __m256;

#[target_feature(enable = "avx2,fma")]
unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the features are enabled here; pointers are the caller's promise.
    unsafe { kernel.run::<Avx2>() }
}

/// All ones in the first `n` lanes.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: register arithmetic only.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
    }
}

// SAFETY of the blocks below: register arithmetic on a machine that the caller of every method
// promises to support AVX2 and FMA; loads and stores touch the lanes their contract names.
impl Simd for Avx2 {
    type V = V;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const PANEL: usize = 2;
    const BF16: bool = false;

    #[inline(always)]
    unsafe fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the caller's promise.
        unsafe { enter(kernel) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> V {
        // SAFETY: see above.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: V) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> V {
        // SAFETY: see above; masked lanes are not touched.
        unsafe { _mm256_maskload_ps(p, first(n)) }
    }
    #[inline(always)]
    unsafe fn store_first(p: *mut f32, n: usize, v: V) {
        // SAFETY: see above; masked lanes are not touched.
        unsafe { _mm256_maskstore_ps(p, first(n), v) }
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: V, b: V, c: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn abs(a: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn scale(a: V, n: V) -> V {
        // SAFETY: see above.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    unsafe fn select_less(a: V, b: V, x: V, y: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn sum(a: V) -> f32 {
        // SAFETY: see above.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
        }
    }
    #[inline(always)]
    unsafe fn greatest(a: V) -> f32 {
        // SAFETY: see above.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)))
        }
    }
    #[inline(always)]
    unsafe fn dropout(key: RowKey, column: u32, threshold: u32, scale: f32) -> V {
        // SAFETY: see above.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let start = _mm256_set1_epi32(column.wrapping_add(key.low) as i32);
            let x = _mm256_add_epi32(lanes, start);
            let x = _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x));
            let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(MIX_1 as i32));
            let x = _mm256_xor_si256(x, _mm256_set1_epi32(key.high as i32));
            let x = _mm256_xor_si256(x, _mm256_srli_epi32::<15>(x));
            let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(MIX_2 as i32));
            let x = _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x));
            let kept =
                _mm256_cmpeq_epi32(_mm256_max_epu32(x, _mm256_set1_epi32(threshold as i32)), x);
            _mm256_and_ps(_mm256_castsi256_ps(kept), _mm256_set1_ps(scale))
        }
    }
    #[inline(always)]
    unsafe fn round_bf16(x: V) -> V {
        // SAFETY: see above.
        unsafe {
            let bits = _mm256_castps_si256(x);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x40_0000));
            let is_nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
            let rounded = _mm256_blendv_epi8(_mm256_add_epi32(bits, bias), nan, is_nan);
            let top = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            _mm256_castsi256_ps(_mm256_and_si256(rounded, top))
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const bf16, n: usize) -> V {
        // SAFETY: see above; a part of a vector goes through an array of whole length.
        unsafe {
            let halves = if n >= 8 {
                _mm_loadu_si128(p.cast())
            } else {
                let mut some = [bf16::ZERO; 8];
                some.as_mut_ptr().copy_from_nonoverlapping(p, n);
                _mm_loadu_si128(some.as_ptr().cast())
            };
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut bf16, n: usize, v: V) {
        // SAFETY: see above; a part of a vector goes through an array of whole length.
        unsafe {
            let upper = _mm256_srli_epi32::<16>(_mm256_castps_si256(Self::round_bf16(v)));
            let both = _mm256_packus_epi32(upper, upper);
            let halves = _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(both));
            if n >= 8 {
                _mm_storeu_si128(p.cast(), halves);
            } else {
                let mut some = [bf16::ZERO; 8];
                _mm_storeu_si128(some.as_mut_ptr().cast(), halves);
                p.copy_from_nonoverlapping(some.as_ptr(), n);
            }
        }
    }
    #[inline(always)]
    unsafe fn dot_bytes(acc: V, a: V, b: V) -> V {
        // SAFETY: see above.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            // bytes 0 and 2, then 1 and 3, of each lane as 16-bit numbers: no product saturates
            let even_a = _mm256_and_si256(a, _mm256_set1_epi32(0x00ff_00ff));
            let even_b = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b));
            let even = _mm256_madd_epi16(even_a, even_b);
            let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(a), _mm256_srai_epi16::<8>(b));
            let sum = _mm256_add_epi32(_mm256_castps_si256(acc), _mm256_add_epi32(even, odd));
            _mm256_castsi256_ps(sum)
        }
    }
    #[inline(always)]
    unsafe fn from_i32(a: V) -> V {
        // SAFETY: see above.
        unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(a)) }
    }
}
