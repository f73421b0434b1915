#![allow(clippy::wildcard_imports, reason = "a file of intrinsics")]

use std::arch::x86_64::*;

use half::bf16;

use super::turn::turn_eight;
use super::{Kernel, Simd};
use crate::dropout::{MIX_1, MIX_2, RowKey};

/// 256-bit vectors with fused multiply-add, and with 8-bit dot products if `VNNI` is true. Only `detect` creates a
/// value, which so proves that the machine has these instructions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Avx2<const VNNI: bool>(());

type V = __m256;

/// # Safety
/// The requirements of [`Kernel::run`] are met.
#[target_feature(enable = "avx2,fma")]
unsafe fn enter<K: Kernel>(simd: Avx2<false>, kernel: K) -> K::Output {
    // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
    unsafe { kernel.run(simd) }
}

/// # Safety
/// The requirements of [`Kernel::run`] are met.
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn enter_vnni<K: Kernel>(simd: Avx2<true>, kernel: K) -> K::Output {
    // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
    unsafe { kernel.run(simd) }
}

impl Avx2<false> {
    /// The proof that the machine has the instructions, if it has them.
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

impl Avx2<true> {
    /// The proof that the machine has the instructions, if it has them.
    pub(super) fn detect() -> Option<Self> {
        let found = Avx2::<false>::detect().is_some() && is_x86_feature_detected!("avxvnni");
        found.then_some(Self(()))
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    /// A mask whose bits are all 1 in the first `n` lanes and 0 in the others.
    #[expect(clippy::unused_self, reason = "the proof that the instructions are there")]
    #[inline(always)]
    fn first(self, n: usize) -> __m256i {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
        }
    }
}

impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type V = V;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const PANEL: usize = 2;
    const DEPTH: usize = 384;
    const PREFETCH: bool = true;
    const GROUP: usize = 6;
    const WEIGHT_BYTE: f32 = if VNNI { 127.0 } else { 64.0 };
    const BF16: bool = false;

    #[inline(always)]
    unsafe fn call<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and AVX-VNNI if `VNNI` is true, so it has
        // the features of the entry point that is called. The caller promises that the requirements of
        // `Kernel::run` are met.
        unsafe { if VNNI { enter_vnni(Avx2(()), kernel) } else { enter(Avx2(()), kernel) } }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be read.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be written.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be read; lanes that the mask leaves out are not accessed.
        unsafe { _mm256_maskload_ps(p, self.first(n)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: V) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be written; lanes that the mask leaves out are not accessed.
        unsafe { _mm256_maskstore_ps(p, self.first(n), v) }
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max_magnitude(self, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let b = _mm256_castps_si256(self.abs(b));
            _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), b))
        }
    }
    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn fnma(self, a: V, b: V, c: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn abs(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: V, n: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn select_less(self, a: V, b: V, x: V, y: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
        }
    }
    #[inline(always)]
    fn greatest(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)))
        }
    }
    #[inline(always)]
    fn greatest_magnitude(self, a: V) -> f32 {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe {
            let a = _mm256_castps_si256(a);
            let half = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let quarter = _mm_max_epi32(half, _mm_unpackhi_epi64(half, half));
            let last = _mm_max_epi32(quarter, _mm_shuffle_epi32::<1>(quarter));
            f32::from_bits(_mm_cvtsi128_si32(last).cast_unsigned())
        }
    }
    #[inline(always)]
    fn dropout(self, key: RowKey, column: u32, threshold: u32, scale: f32) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
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
    fn round_bf16(self, x: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
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
    unsafe fn load_bf16(self, p: *const bf16, n: usize) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be read; a partial vector goes through an array that holds a whole one.
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
    unsafe fn store_bf16(self, p: *mut bf16, n: usize, v: V) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be written; a partial vector goes through an array that holds a whole one.
        unsafe {
            let upper = _mm256_srli_epi32::<16>(_mm256_castps_si256(self.round_bf16(v)));
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
    fn dot_bytes(self, acc: V, a: V, b: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and AVX-VNNI if `VNNI` is true, and only
        // registers are touched.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            let acc = _mm256_castps_si256(acc);
            if VNNI {
                return _mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(acc, a, b));
            }
            // The sum of two products fits into 16 bits: it is at most 2 * 255 * 64 = 32,640.
            let pairs = _mm256_maddubs_epi16(a, b);
            let sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
            _mm256_castsi256_ps(_mm256_add_epi32(acc, sums))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, v: V, n: usize) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that the
        // memory of the lanes can be written; a partial vector goes through an array that holds a whole one.
        unsafe {
            let words = _mm256_cvtps_epi32(v);
            let halves = _mm256_packus_epi32(words, words);
            let bytes = _mm256_packus_epi16(halves, halves);
            let low = _mm256_castsi256_si128(bytes);
            let high = _mm256_extracti128_si256::<1>(bytes);
            let eight = _mm_unpacklo_epi32(low, high);
            if n >= 8 {
                _mm_storel_epi64(to.cast(), eight);
            } else {
                let mut some = [0u8; 8];
                _mm_storel_epi64(some.as_mut_ptr().cast(), eight);
                to.copy_from_nonoverlapping(some.as_ptr(), n);
            }
        }
    }
    #[inline(always)]
    unsafe fn turn_group(self, from: *const f32, row: usize, to: *mut f32) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that eight
        // numbers of six rows can be read and as many written.
        unsafe {
            let mut rows = [_mm256_setzero_ps(); 8];
            for (i, x) in rows.iter_mut().enumerate().take(Self::GROUP) {
                *x = _mm256_loadu_ps(from.add(i * row));
            }
            for (k, x) in turn_eight(rows).into_iter().enumerate() {
                self.store_group(to.add(k * Self::GROUP), x);
            }
        }
    }
    // A masked store takes many times as long on AMD's processors.
    #[inline(always)]
    unsafe fn store_group(self, to: *mut f32, v: V) {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and the caller promises that six numbers
        // can be written.
        unsafe {
            _mm_storeu_ps(to, _mm256_castps256_ps128(v));
            _mm_storel_pd(to.add(4).cast(), _mm_castps_pd(_mm256_extractf128_ps::<1>(v)));
        }
    }
    #[inline(always)]
    fn convert_i32(self, a: V) -> V {
        // SAFETY: `self` exists only where the machine has AVX2 and FMA, and only registers are touched.
        unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(a)) }
    }
}
