//! The `sextant` command.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the command line, the program's name first, and returns the exit code. May be called once in a process.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| sextant::run(arguments))
}
