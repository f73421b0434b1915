//! The proof that a machine has 512-bit vectors, and the entry points that are compiled with their instructions.

use super::Kernel;

/// 512-bit vectors with 8-bit dot products, with bf16 dot products if `BF16` is true, and with tile registers if
/// `TILES` is. Only `detect` creates a value, which so proves that the machine has these instructions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Avx512<const BF16: bool, const TILES: bool>(());

/// # Safety
/// The requirements of [`Kernel::run`] are met.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn enter<K: Kernel>(simd: Avx512<false, false>, kernel: K) -> K::Output {
    // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
    unsafe { kernel.run(simd) }
}

/// # Safety
/// The requirements of [`Kernel::run`] are met.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni")]
unsafe fn enter_bf16<K: Kernel, const TILES: bool>(
    simd: Avx512<true, TILES>,
    kernel: K,
) -> K::Output {
    // SAFETY: the caller promises that the requirements of `Kernel::run` are met.
    unsafe { kernel.run(simd) }
}

impl<const BF16: bool, const TILES: bool> Avx512<BF16, TILES> {
    /// Runs a kernel in the entry point that is compiled with these instructions.
    ///
    /// # Safety
    /// The requirements of [`Kernel::run`] are met.
    #[inline(always)]
    pub(super) unsafe fn enter<K: Kernel>(_proof: Self, kernel: K) -> K::Output {
        // SAFETY: the proof exists only where the machine has the features of its `BF16`, with which the entry
        // point chosen here is compiled. So a value of the same type may be created. The caller promises that
        // the requirements of `Kernel::run` are met.
        unsafe {
            if BF16 {
                enter_bf16::<K, TILES>(Avx512(()), kernel)
            } else {
                enter(Avx512(()), kernel)
            }
        }
    }
}

impl Avx512<false, false> {
    /// The proof that the machine has the instructions, if it has them.
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }
}

impl Avx512<true, false> {
    /// The proof that the machine has the instructions, if it has them.
    pub(super) fn detect() -> Option<Self> {
        let found =
            Avx512::<false, false>::detect().is_some() && is_x86_feature_detected!("avx512bf16");
        found.then_some(Self(()))
    }
}

#[cfg(target_os = "linux")]
impl Avx512<true, true> {
    /// The proof that the machine has the instructions and that this process may use the tile registers, if so.
    pub(super) fn detect() -> Option<Self> {
        let found = Avx512::<true, false>::detect().is_some() && super::amx::usable();
        found.then_some(Self(()))
    }
}
