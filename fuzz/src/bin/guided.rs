//! libFuzzer's loop around one entry point, which `SEXTANT_FUZZ_TARGET` names. With
//! `SEXTANT_FUZZ_SEEDS` set to a folder it writes the target's seeds there and ends.

#![no_main]
#![expect(
    clippy::print_stderr,
    clippy::exit,
    reason = "a program for developers, run by libFuzzer"
)]

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use sextant_fuzz::{Scratch, Target};
use std::alloc::System;
use std::path::Path;
use std::sync::OnceLock;

/// Refuses memory that is out of proportion to the input, which ends the process. (libFuzzer's own limit
/// needs a sanitizer, which stable Rust does not have.)
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The bytes that any input may take: buffers of codecs, tables of regular expressions, memory of
/// threads.
const BASE: usize = 48 << 20;
/// The bytes that each byte of the input may take in addition.
const PER_BYTE: usize = 256;

static TARGET: OnceLock<(&'static Target, Scratch)> = OnceLock::new();

fn begin() {
    // libFuzzer's own hook ends the process at any panic, also at one that the product turns into an
    // error because a dependency is known to panic. With this hook, a panic that is not caught still
    // ends the process.
    std::panic::set_hook(Box::new(|panic| {
        if !sextant_core::is_guarded() {
            eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
        }
    }));
    let name = std::env::var("SEXTANT_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = sextant_fuzz::target(&name) else {
        eprintln!("set SEXTANT_FUZZ_TARGET to one of {}", sextant_fuzz::names());
        std::process::exit(2);
    };
    if let Ok(folder) = std::env::var("SEXTANT_FUZZ_SEEDS") {
        let written = target.write_seeds(Path::new(&folder));
        written.unwrap_or_else(|error| panic!("cannot write seeds to {folder}: {error}"));
        std::process::exit(0);
    }
    let scratch = Scratch::new().unwrap_or_else(|error| panic!("no scratch folder: {error}"));
    let _ = TARGET.set((target, scratch));
}

fuzz_target!(
    init: begin(),
    |bytes: &[u8]| {
        if let Some((target, scratch)) = TARGET.get() {
            let limit = ALLOCATOR.allocated() + BASE + PER_BYTE * bytes.len();
            let _ = ALLOCATOR.set_limit(limit);
            let _ = (target.run)(scratch, bytes);
            let _ = ALLOCATOR.set_limit(usize::MAX);
        }
    }
);
