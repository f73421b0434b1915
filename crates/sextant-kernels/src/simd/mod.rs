//! One kernel source for four instruction sets.
//!
//! A `Kernel` is written once over the small vector trait `Simd` with everything
//! `#[inline(always)]`, and `launch` compiles it into one entry point per [`Level`] with that
//! level's target features. The level is found at run time: the best the machine has, unless the
//! environment variable `SEXTANT_SIMD` (`portable`, `avx2`, `avx512` or `avx512bf16`) or
//! [`with_level`] asks for a lower one.

mod math;
mod portable;
mod vector;

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx512;

use std::cell::Cell;
use std::sync::OnceLock;

pub(crate) use math::{
    exp, gelu, gelu_derivative, gelu_tanh, gelu_tanh_derivative, sigmoid, silu_derivative, tanh,
};
pub(crate) use vector::Simd;

/// A set of vector instructions that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Whatever the compiler's target guarantees.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors with 8-bit dot products (Cascade Lake, Ice Lake and later).
    Avx512,
    /// The same with bf16 dot products (Cooper Lake, Sapphire Rapids, Zen 4 and later).
    Avx512Bf16,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16];

    /// The name that `SEXTANT_SIMD` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether this machine can run it.
    pub fn is_supported(self) -> bool {
        self <= best_supported()
    }
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
fn best_supported() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
    match (avx2, avx512, bf16) {
        (_, _, true) => Level::Avx512Bf16,
        (_, true, _) => Level::Avx512,
        (true, ..) => Level::Avx2,
        _ => Level::Portable,
    }
}

#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
fn best_supported() -> Level {
    Level::Portable
}

thread_local! {
    static OVERRIDE: Cell<Option<Level>> = const { Cell::new(None) };
}

/// The level that operations called from this thread use.
///
/// An unknown value of `SEXTANT_SIMD`, or one that the machine cannot run, is ignored.
pub fn level() -> Level {
    static DETECTED: OnceLock<Level> = OnceLock::new();
    OVERRIDE.get().unwrap_or_else(|| {
        *DETECTED.get_or_init(|| {
            let best = best_supported();
            let wanted = std::env::var("SEXTANT_SIMD").unwrap_or_default();
            Level::ALL
                .into_iter()
                .find(|level| level.as_str() == wanted)
                .map_or(best, |level| level.min(best))
        })
    })
}

/// Runs `body` with another level for the operations that this thread calls in it.
///
/// # Panics
/// When the machine cannot run the level.
pub fn with_level<T>(level: Level, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    assert!(level.is_supported(), "this machine cannot run {} kernels", level.as_str());
    let _restore = Restore(OVERRIDE.replace(Some(level)));
    body()
}

/// A computation written over any vector width.
pub(crate) trait Kernel {
    type Output;

    /// Runs the kernel. Implementations are `#[inline(always)]`, and so is what they call, because
    /// only code inlined into the entry point of a level may use that level's instructions.
    ///
    /// # Safety
    /// The machine supports `S`, and the pointers that the kernel holds are valid for what it
    /// reads and writes.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a kernel at a level.
///
/// # Safety
/// The machine supports the level (see [`level`]), and the pointers that the kernel holds are
/// valid for what it reads and writes.
pub(crate) unsafe fn launch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    // SAFETY: passed on to the caller.
    unsafe {
        match level {
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Level::Avx512Bf16 => avx512::Avx512::<true>::call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Level::Avx512 => avx512::Avx512::<false>::call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Level::Avx2 => avx2::Avx2::call(kernel),
            _ => portable::Portable::call(kernel),
        }
    }
}
