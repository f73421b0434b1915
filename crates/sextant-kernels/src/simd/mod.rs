//! One kernel source for six instruction sets.
//!
//! A `Kernel` is written once, over the small vector trait `Simd`, and all of its code is
//! `#[inline(always)]`. `launch` compiles it into one entry point per [`Level`], with that level's target
//! features. The level is chosen at run time: [`Level::best`], unless the
//! environment variable `SEXTANT_SIMD` (`portable`, `avx2`, `avxvnni`, `avx512`, `avx512bf16` or `amx`) or
//! [`with_level`] asks for another one.
//!
//! A [`Level`] is a proof that the machine has its instructions: it holds an empty value of a type for its
//! instruction set, which only detection creates. So the type system ensures that code with such a value may
//! run these instructions, as in the `pulp` crate. A kernel must only prove that its pointers are valid.

mod math;
mod portable;
mod tiles;
mod vector;

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable")))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx512;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx512_proof;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod turn;

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

pub(crate) use math::{
    exp, gelu, gelu_derivative, gelu_tanh, gelu_tanh_derivative, sigmoid, silu_derivative, tanh,
};
use portable::Portable;
pub(crate) use tiles::{SIDE, TileBlock, TileWords, Tiles};
pub(crate) use vector::Simd;

/// A set of vector instructions that the kernels are compiled for and this machine has.
///
/// A level that the machine cannot run has no value: see [`Level::supported`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Token);

/// The proof that the machine has a level's instructions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    /// The instructions that the compiler's target guarantees.
    Portable(Portable),
    /// 256-bit vectors with fused multiply-add.
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx2(avx2::Avx2<false>),
    /// The instructions of [`Token::Avx2`] and 8-bit dot products (Alder Lake, Zen 5 and later).
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    AvxVnni(avx2::Avx2<true>),
    /// 512-bit vectors with 8-bit dot products (Cascade Lake, Ice Lake and later).
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx512(avx512_proof::Avx512<false, false>),
    /// The instructions of [`Token::Avx512`] and bf16 dot products (Cooper Lake, Sapphire Rapids, Zen 4 and
    /// later).
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    Avx512Bf16(avx512_proof::Avx512<true, false>),
    /// The instructions of [`Token::Avx512Bf16`] and products on tile registers (Sapphire Rapids and later).
    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable")))]
    Amx(avx512_proof::Avx512<true, true>),
}

impl Level {
    /// The lowest level, which every machine runs.
    pub const PORTABLE: Self = Self(Token::Portable(Portable));

    /// The levels that this machine can run, lowest first.
    pub fn supported() -> Vec<Self> {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        let detected = [
            avx2::Avx2::<false>::detect().map(Token::Avx2),
            avx2::Avx2::<true>::detect().map(Token::AvxVnni),
            avx512_proof::Avx512::<false, false>::detect().map(Token::Avx512),
            avx512_proof::Avx512::<true, false>::detect().map(Token::Avx512Bf16),
            #[cfg(target_os = "linux")]
            avx512_proof::Avx512::<true, true>::detect().map(Token::Amx),
        ];
        #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
        let detected: [Option<Token>; 0] = [];
        let detected = detected.into_iter().flatten().map(Self);
        std::iter::once(Self::PORTABLE).chain(detected).collect()
    }

    /// The level at which this machine multiplies fastest: the highest one, but not `avx512bf16` on Intel's
    /// processors, of which those with tile registers use `amx`. There, dot products of bf16 pairs have half the rate of `f32` (on model 207, 160 GFLOP/s in place
    /// of the 290 at `avx512`, which rounds the same numbers to bf16 and multiplies them as `f32`). On AMD's
    /// processors they have twice the rate.
    pub fn best() -> Self {
        let mut supported = Self::supported();
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if maker() == "GenuineIntel" {
            supported.retain(|level| !matches!(level.0, Token::Avx512Bf16(_)));
        }
        supported.pop().unwrap_or(Self::PORTABLE)
    }

    /// The level with this name, if this machine can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::supported().into_iter().find(|level| level.as_str() == name)
    }

    /// The name that `SEXTANT_SIMD` takes.
    pub fn as_str(self) -> &'static str {
        match self.0 {
            Token::Portable(_) => "portable",
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx2(_) => "avx2",
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::AvxVnni(_) => "avxvnni",
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx512(_) => "avx512",
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx512Bf16(_) => "avx512bf16",
            #[cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable")))]
            Token::Amx(_) => "amx",
        }
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The maker's name as the processor states it, such as `GenuineIntel`.
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) fn maker() -> String {
    // The name is spread over these registers, in this order.
    let found = std::arch::x86_64::__cpuid(0);
    let bytes = [found.ebx, found.edx, found.ecx].map(u32::to_le_bytes);
    String::from_utf8_lossy(bytes.as_flattened()).into_owned()
}

/// The features of tile registers, by the names of Linux, if this process can use them.
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) fn tile_features() -> &'static [&'static str] {
    #[cfg(target_os = "linux")]
    if amx::usable() {
        return &["amx_tile", "amx_bf16", "amx_int8"];
    }
    &[]
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
            let wanted = std::env::var("SEXTANT_SIMD").unwrap_or_default();
            Level::named(&wanted).unwrap_or_else(Level::best)
        })
    })
}

/// Runs `body` with the given level for all operations that this thread calls in it.
pub fn with_level<T>(level: Level, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    let _restore = Restore(OVERRIDE.replace(Some(level)));
    body()
}

/// A computation that is written for any vector width.
pub(crate) trait Kernel {
    type Output;

    /// Runs the kernel. Implementations are `#[inline(always)]`, and so is what they call, because
    /// only code inlined into the entry point of a level may use that level's instructions.
    ///
    /// # Safety
    /// The pointers that the kernel holds are valid for everything that it reads and writes, and nothing else
    /// writes there meanwhile. A kernel that holds only slices has no such requirement.
    unsafe fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel at a level.
///
/// # Safety
/// The requirements of [`Kernel::run`] are met.
pub(crate) unsafe fn launch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    // SAFETY: the caller promises that the requirements of `Kernel::run` are met, which are those of `call`.
    // The machine has the level's instructions, because `level` holds the proof of that.
    unsafe {
        match level.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux", not(feature = "portable")))]
            Token::Amx(simd) => simd.call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx512Bf16(simd) => simd.call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx512(simd) => simd.call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::Avx2(simd) => simd.call(kernel),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Token::AvxVnni(simd) => simd.call(kernel),
            Token::Portable(simd) => simd.call(kernel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_by_name_and_in_order() {
        let levels = Level::supported();
        assert_eq!(levels[0], Level::PORTABLE);
        assert!(levels.is_sorted() && levels.contains(&level()));
        for &one in &levels {
            assert_eq!(Level::named(one.as_str()), Some(one));
            with_level(one, || assert_eq!(level(), one));
        }
        assert!(levels.contains(&Level::best()));
        assert_eq!(Level::named("avx1024"), None);
    }
}
