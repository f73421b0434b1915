use crate::{Precision, simd};

/// The processor that the kernels run on, as far as it decides their speed and their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The name that the processor gives itself.
    pub name: String,
    /// Its maker, family and model, as `GenuineIntel 6.207`.
    pub model: String,
    /// Those of its features that kernels can use, by the names of Linux.
    pub features: Vec<&'static str>,
    /// The level of instructions that kernels use: [`Level::best`](simd::Level::best), or the one that `SEXTANT_SIMD`
    /// asks for.
    pub level: &'static str,
}

impl Processor {
    /// The processor of this machine, with the level of this thread.
    pub fn detect() -> Self {
        let level = simd::level().as_str();
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        {
            Self { level, ..x86::detect() }
        }
        #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
        {
            let name = std::env::consts::ARCH;
            Self { name: name.into(), model: name.into(), features: Vec::new(), level }
        }
    }

    /// The precision in which training is fastest here.
    ///
    /// That is bf16 where the processor multiplies pairs of bf16 numbers at the rate at which it multiplies single
    /// numbers of `f32`, and `f32` elsewhere:
    ///
    /// * AMD's Zen 4 and Zen 5 do so. A training step took two thirds of the time on Zen 4.
    /// * Intel's processors with tile registers (AMX: Sapphire Rapids and later) multiply pairs at a multiple of that
    ///   rate with them.
    /// * Intel's other processors with `avx512_bf16` multiply pairs at a quarter of that rate, so that kernels do not
    ///   use these instructions there ([`Level::best`](simd::Level::best)).
    /// * Where the instructions are missing or not used, numbers are rounded and multiplied as `f32`, at most as
    ///   fast.
    ///
    /// This is a table and not a measurement, so that a machine always gives the same answer.
    pub fn fastest_precision(&self) -> Precision {
        let pairs_at_full_rate = self.model.starts_with("AuthenticAMD ");
        if self.level == "amx" || self.level == "avx512bf16" && pairs_at_full_rate {
            Precision::Bf16
        } else {
            Precision::F32
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86 {
    use super::Processor;
    use std::arch::x86_64::__cpuid;

    /// The bytes of registers, in their order, up to the first zero.
    fn text(registers: &[u32]) -> String {
        let bytes: Vec<u8> = registers.iter().flat_map(|register| register.to_le_bytes()).collect();
        let text = String::from_utf8_lossy(&bytes);
        text.split('\0').next().unwrap_or_default().trim().to_owned()
    }

    pub(super) fn detect() -> Processor {
        let maker = crate::simd::maker();
        let signature = __cpuid(1).eax;
        let part = |shift: u32, bits: u32| (signature >> shift) & ((1 << bits) - 1);
        // Families of 15 and above, and models of these and of family 6, continue in a second field.
        let family = part(8, 4) + if part(8, 4) == 15 { part(20, 8) } else { 0 };
        let extended = if family == 6 || family >= 15 { part(16, 4) << 4 } else { 0 };
        let name = if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
            let leaves = (0x8000_0002..=0x8000_0004).map(__cpuid);
            let words: Vec<u32> = leaves.flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx]).collect();
            text(&words)
        } else {
            maker.clone()
        };
        let model = format!("{maker} {family}.{}", extended + part(4, 4));
        Processor { name, model, features: features(), level: "" }
    }

    fn features() -> Vec<&'static str> {
        macro_rules! found {
            ($($name:tt => $shown:literal),+ $(,)?) => {
                [$((is_x86_feature_detected!($name), $shown)),+]
            };
        }
        let all = found![
            "avx2" => "avx2",
            "fma" => "fma",
            "avxvnni" => "avx_vnni",
            "avx512f" => "avx512f",
            "avx512bw" => "avx512bw",
            "avx512dq" => "avx512dq",
            "avx512vl" => "avx512vl",
            "avx512vnni" => "avx512_vnni",
            "avx512bf16" => "avx512_bf16",
            "avx512fp16" => "avx512_fp16",
        ];
        let tiles = crate::simd::tile_features();
        all.into_iter()
            .filter_map(|(found, shown)| found.then_some(shown))
            .chain(tiles.iter().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(model: &str, level: &'static str) -> Processor {
        Processor { name: String::new(), model: model.into(), features: Vec::new(), level }
    }

    #[test]
    fn the_fastest_precision_is_that_of_the_table() {
        for (model, level, expected) in [
            ("AuthenticAMD 25.97", "avx512bf16", Precision::Bf16), // Zen 4
            ("AuthenticAMD 26.68", "avx512bf16", Precision::Bf16), // Zen 5
            ("AuthenticAMD 26.68", "avx512", Precision::F32),      // asked for by SEXTANT_SIMD
            ("AuthenticAMD 25.1", "avx2", Precision::F32),         // Zen 3
            ("GenuineIntel 6.207", "amx", Precision::Bf16),        // Emerald Rapids
            ("GenuineIntel 6.207", "avx512bf16", Precision::F32),  // asked for by SEXTANT_SIMD
            ("GenuineIntel 6.106", "avx512", Precision::F32),      // Ice Lake
            ("aarch64", "portable", Precision::F32),
        ] {
            let found = processor(model, level).fastest_precision();
            assert_eq!(found, expected, "{model} {level}");
        }
    }

    #[test]
    fn this_processor_has_a_name_and_what_its_level_needs() {
        let found = Processor::detect();
        assert!(!found.name.is_empty() && !found.model.is_empty(), "{found:?}");
        for (level, feature) in [
            ("avx2", "avx2"),
            ("avx512", "avx512_vnni"),
            ("avx512bf16", "avx512_bf16"),
            ("amx", "amx_bf16"),
        ] {
            assert!(found.level != level || found.features.contains(&feature), "{found:?}");
        }
    }
}
