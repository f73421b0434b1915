//! The part of the Python package `sextant` that is Rust: the engine of the command line, and the command itself.
//!
//! The package's Python (`python/sextant`) has what users see; what stands here takes plain values, Arrow
//! tables and functions, and is private to the package.
//!
//! `interruptible` lets Python live during long work; `errors` turns errors into exceptions; `columns`
//! makes tables of what Python holds. The rest is a thin layer over the crates, one file for each of their uses.

#![allow(clippy::unnecessary_wraps, reason = "a module's `init` returns what pyo3 wants")]
#![allow(
    clippy::too_many_arguments,
    reason = "they are the arguments of functions of Python, which have names"
)]

mod columns;
mod command;
mod errors;
mod evaluate;
mod import;
mod interruptible;
mod lab;
mod scorer;
mod train;

use sextant_kernels::CachingAllocator;

/// As in the command: blocks that are freed at one step are needed at the next one.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(4 << 30);

#[pyo3::pymodule]
mod _sextant {
    #[pymodule_export]
    use crate::command::main;
    #[pymodule_export]
    use crate::errors::{DataError, ModelError, RecipeError, RowError, SextantError, Stopped};
    #[pymodule_export]
    use crate::evaluate::{compare, evaluate};
    #[pymodule_export]
    use crate::import::import_classifier;
    #[pymodule_export]
    use crate::lab::{lab_cells, lab_report, lab_run, lab_status};
    #[pymodule_export]
    use crate::scorer::Scorer;
    #[pymodule_export]
    use crate::train::{recipe, train};

    #[pymodule_init]
    fn init(_: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        sextant::keep_guarded_panics_silent();
        Ok(())
    }
}
