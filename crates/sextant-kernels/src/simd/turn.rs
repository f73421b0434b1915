//! Transposing square blocks in registers.

#![allow(clippy::wildcard_imports, reason = "a file of intrinsics")]

use std::arch::x86_64::*;

/// Transposes eight rows of eight numbers.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
pub(super) unsafe fn turn_eight(r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller promises AVX2, and only registers are touched.
    unsafe {
        let pairs =
            |i: usize| [_mm256_unpacklo_ps(r[i], r[i + 1]), _mm256_unpackhi_ps(r[i], r[i + 1])];
        let quads = |i: usize| {
            let ([a, b], [c, d]) = (pairs(i), pairs(i + 2));
            [
                _mm256_shuffle_ps::<0x44>(a, c),
                _mm256_shuffle_ps::<0xee>(a, c),
                _mm256_shuffle_ps::<0x44>(b, d),
                _mm256_shuffle_ps::<0xee>(b, d),
            ]
        };
        let (low, high) = (quads(0), quads(4));
        let mut turned = [r[0]; 8];
        for i in 0..4 {
            turned[i] = _mm256_permute2f128_ps::<0x20>(low[i], high[i]);
            turned[i + 4] = _mm256_permute2f128_ps::<0x31>(low[i], high[i]);
        }
        turned
    }
}

/// Transposes sixteen rows of sixteen numbers.
///
/// # Safety
/// The machine has AVX-512F.
#[inline(always)]
pub(super) unsafe fn turn_sixteen(mut r: [__m512i; 16]) -> [__m512i; 16] {
    // SAFETY: the caller promises AVX-512F, and only registers are touched.
    unsafe {
        let mut t = [_mm512_setzero_si512(); 16];
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
        }
        for i in 0..4 {
            r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
            r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
            r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
            r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
        }
        for i in 0..4 {
            t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[i + 4]);
            t[i + 4] = _mm512_shuffle_i32x4::<0xdd>(r[i], r[i + 4]);
            t[i + 8] = _mm512_shuffle_i32x4::<0x88>(r[i + 8], r[i + 12]);
            t[i + 12] = _mm512_shuffle_i32x4::<0xdd>(r[i + 8], r[i + 12]);
        }
        for i in 0..4 {
            r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[i + 8]);
            r[i + 8] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[i + 8]);
            r[i + 4] = _mm512_shuffle_i32x4::<0x88>(t[i + 4], t[i + 12]);
            r[i + 12] = _mm512_shuffle_i32x4::<0xdd>(t[i + 4], t[i + 12]);
        }
        r
    }
}
