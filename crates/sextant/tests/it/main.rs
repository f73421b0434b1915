//! The command line as its users run it: real processes, real files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod affinity;
mod bad_input;
mod bad_rows;
mod batches;
mod behaviour;
mod data;
mod decisions;
mod examples;
mod formats;
mod get;
mod help;
mod import;
mod judge;
mod judge_folder;
mod kill;
mod lab;
mod outputs;
mod pipeline;
#[cfg(unix)]
mod serve;
mod shared_lab;
mod streams;
mod support;
mod teacher;
