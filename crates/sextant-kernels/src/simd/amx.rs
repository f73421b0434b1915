//! The tile registers of Intel's AMX (Sapphire Rapids and later).
//!
//! The compiler has no stable functions for these instructions, so they are written as assembly. It never uses the
//! tile registers by itself, so their shape stays as [`shape`] has set it from one block of assembly to the next.
//! Sources: Intel's Software Developer's Manual, volume 1, chapter 18, and for the permission, "Using XSTATE features
//! in user space applications" of Linux's documentation.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

use super::tiles::{SIDE, TileBlock, TileWords, Tiles};

/// Whether the processor has tile registers for products of bf16 pairs and of bytes, and Linux lets this process use
/// them. Linux is asked once, for all threads. It refuses where a thread's signal stack is too small to save them.
pub(super) fn usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| present() && permitted())
}

/// Whether the processor has the instructions, and the system saves the registers.
fn present() -> bool {
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    const OSXSAVE: u32 = 1 << 27;
    /// The state of the registers' shape and that of their numbers.
    const SAVED: u64 = 0b11 << 17;
    #[target_feature(enable = "xsave")]
    fn saved() -> u64 {
        // SAFETY: register 0 exists wherever the system has enabled `xgetbv`, which is checked before the call.
        unsafe { _xgetbv(0) }
    }
    let all = BF16 | TILE | INT8;
    let found = __cpuid(0).eax >= 7
        && __cpuid_count(7, 0).edx & all == all
        && __cpuid(1).ecx & OSXSAVE != 0
        && is_x86_feature_detected!("xsave");
    // SAFETY: the processor has `xsave`, and the system has enabled it.
    found && unsafe { saved() } & SAVED == SAVED
}

/// Asks Linux for the permission to use the registers, for all threads of this process.
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: this system call takes two numbers and changes nothing but the permission.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// The operand of `ldtilecfg`.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes in a row of each register.
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Gives the registers the shape for a product of these sizes. Registers 0 to 3 hold the sums, the columns changing
/// first, 4 and 5 the left factor, 6 and 7 the right one.
///
/// # Safety
/// The registers are [`usable`].
#[inline(always)]
unsafe fn shape(tiles: &mut Tiles, rows: usize, columns: usize) {
    // Both are at most twice the side.
    let parts = |count: usize| [count.min(SIDE) as u8, count.saturating_sub(SIDE) as u8];
    let ([r0, r1], [c0, c1]) = (parts(rows), parts(columns));
    let shape = [r0, r1, c0, c1];
    if tiles.shape == shape {
        return;
    }
    tiles.shape = shape;
    let mut config =
        Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    let side = SIDE as u8;
    let all =
        [(r0, c0), (r0, c1), (r1, c0), (r1, c1), (r0, side), (r1, side), (side, c0), (side, c1)];
    for (i, (rows, words)) in all.into_iter().enumerate() {
        // A register without rows or without columns must have neither.
        if rows > 0 && words > 0 {
            config.rows[i] = rows;
            config.row_bytes[i] = 4 * u16::from(words);
        }
    }
    // SAFETY: the caller promises that the instruction exists and may be used. It reads the 64 bytes of the config,
    // whose shapes are within the palette's: 16 rows of 64 bytes.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly, preserves_flags));
    }
}

/// The assembly of a product: loads the start of each sum, adds the products of all tiles along the depth, and stores
/// the sums. `$start`, `$step` and `$end` are the instructions for one number of tiles.
macro_rules! product {
    ($block:expr, start: [$($start:expr),+], step: [$($step:expr),+], end: [$($end:expr),+] $(,)?) => {{
        let block: &TileBlock = $block;
        let second_a = block.a.wrapping_add(SIDE * block.a_row);
        // Of the start and of the sums: the first rows, the next sixteen, and the bytes of a row. There are too few
        // registers to hold these beside the addresses of the loop.
        let places = [
            block.start as usize,
            block.start.wrapping_add(SIDE * block.start_row) as usize,
            4 * block.start_row,
            block.c as usize,
            block.c.wrapping_add(SIDE * block.c_row) as usize,
            4 * block.c_row,
        ];
        asm!(
            "mov {x}, [{places}]",
            "mov {y}, [{places} + 8]",
            "mov {row}, [{places} + 16]",
            $($start,)+
            "test {left}, {left}",
            "jz 3f",
            "2:",
            $($step,)+
            "add {a}, 64",
            "add {second_a}, 64",
            "add {b}, {b_tile}",
            "dec {left}",
            "jnz 2b",
            "3:",
            "mov {x}, [{places} + 24]",
            "mov {y}, [{places} + 32]",
            "mov {row}, [{places} + 40]",
            $($end,)+
            places = in(reg) places.as_ptr(),
            x = out(reg) _,
            y = out(reg) _,
            row = out(reg) _,
            a = inout(reg) block.a => _,
            second_a = inout(reg) second_a => _,
            a_row = in(reg) 4 * block.a_row,
            b = inout(reg) block.b => _,
            b_row = in(reg) 4 * block.b_row,
            b_tile = in(reg) 4 * SIDE * block.b_row,
            left = inout(reg) block.depth / SIDE => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }};
}

/// [`product`] with the instruction `$dot`, for the number of tiles that the block has.
macro_rules! products {
    ($dot:literal, $block:expr) => {
        match ($block.rows > SIDE, $block.columns > SIDE) {
            (false, false) => product!(
                $block,
                start: ["tileloadd tmm0, [{x} + {row}]"],
                step: [
                    "tileloadd tmm6, [{b} + {b_row}]",
                    "tileloadd tmm4, [{a} + {a_row}]",
                    concat!($dot, " tmm0, tmm4, tmm6")
                ],
                end: ["tilestored [{x} + {row}], tmm0"],
            ),
            (false, true) => product!(
                $block,
                start: ["tileloadd tmm0, [{x} + {row}]", "tileloadd tmm1, [{x} + {row} + 64]"],
                step: [
                    "tileloadd tmm6, [{b} + {b_row}]",
                    "tileloadd tmm4, [{a} + {a_row}]",
                    "tileloadd tmm7, [{b} + {b_row} + 64]",
                    concat!($dot, " tmm0, tmm4, tmm6"),
                    concat!($dot, " tmm1, tmm4, tmm7")
                ],
                end: ["tilestored [{x} + {row}], tmm0", "tilestored [{x} + {row} + 64], tmm1"],
            ),
            (true, false) => product!(
                $block,
                start: ["tileloadd tmm0, [{x} + {row}]", "tileloadd tmm2, [{y} + {row}]"],
                step: [
                    "tileloadd tmm6, [{b} + {b_row}]",
                    "tileloadd tmm4, [{a} + {a_row}]",
                    "tileloadd tmm5, [{second_a} + {a_row}]",
                    concat!($dot, " tmm0, tmm4, tmm6"),
                    concat!($dot, " tmm2, tmm5, tmm6")
                ],
                end: ["tilestored [{x} + {row}], tmm0", "tilestored [{y} + {row}], tmm2"],
            ),
            (true, true) => product!(
                $block,
                start: [
                    "tileloadd tmm0, [{x} + {row}]",
                    "tileloadd tmm1, [{x} + {row} + 64]",
                    "tileloadd tmm2, [{y} + {row}]",
                    "tileloadd tmm3, [{y} + {row} + 64]"
                ],
                step: [
                    "tileloadd tmm6, [{b} + {b_row}]",
                    "tileloadd tmm4, [{a} + {a_row}]",
                    "tileloadd tmm7, [{b} + {b_row} + 64]",
                    concat!($dot, " tmm0, tmm4, tmm6"),
                    "tileloadd tmm5, [{second_a} + {a_row}]",
                    concat!($dot, " tmm1, tmm4, tmm7"),
                    concat!($dot, " tmm2, tmm5, tmm6"),
                    concat!($dot, " tmm3, tmm5, tmm7")
                ],
                end: [
                    "tilestored [{x} + {row}], tmm0",
                    "tilestored [{x} + {row} + 64], tmm1",
                    "tilestored [{y} + {row}], tmm2",
                    "tilestored [{y} + {row} + 64], tmm3"
                ],
            ),
        }
    };
}

/// Computes a block. Sums of bf16 pairs are those of the lower halves and those of the upper halves along a tile's
/// depth, each with one rounding for each product, added to the sum of the tiles before.
///
/// # Safety
/// The registers are [`usable`], and the pointers of the block are valid for its sizes.
#[inline(always)]
pub(super) unsafe fn multiply(words: TileWords, tiles: &mut Tiles, block: &TileBlock) {
    debug_assert!((1..=2 * SIDE).contains(&block.rows) && (1..=2 * SIDE).contains(&block.columns));
    debug_assert!(block.depth.is_multiple_of(SIDE));
    // SAFETY: the caller promises that the instructions exist and may be used. `shape` gives the registers the rows
    // and columns of the block, so that no more of `start`, `a` and `c` is touched; rows of `b` are read up to a
    // multiple of 16 columns, as `TileBlock` states. The loop runs once for each 16 words of the depth.
    unsafe {
        shape(tiles, block.rows, block.columns);
        match words {
            TileWords::Pairs => products!("tdpbf16ps", block),
            TileWords::Bytes => products!("tdpbusd", block),
        }
    }
}
