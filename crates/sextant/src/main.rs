//! The `sextant` command.
//!
//! The command is thin: it turns arguments into calls of the crates below, and results into text. See
//! `sextant help`.

mod arguments;
mod cascade;
mod cli;
mod compare;
mod completions;
mod consistency;
mod data;
mod decide;
mod demo;
mod device;
mod ensemble;
mod evaluate;
mod export;
mod get;
mod import;
mod inspect;
mod interrupt;
mod judge;
mod lab;
mod merge;
mod progress;
mod say;
mod score;
mod scoring;
#[cfg(unix)]
mod serve;
mod train;

use anyhow::Context;
use clap::Parser;
use sextant_kernels::CachingAllocator;
use std::io::IsTerminal;
use std::process::ExitCode;

/// Keeps freed blocks: training allocates and frees the same large blocks at every step, and page faults
/// are expensive.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(4 << 30);

fn main() -> ExitCode {
    // A panic that is turned into an error is reported as that error only.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sextant_core::is_guarded() {
            report(panic);
        }
    }));
    let cli = cli::Cli::parse();
    start_log(cli.log());
    interrupt::outlive_file_limits();
    let ran = cli.run();
    let said = say::finish().context("cannot write to standard output");
    match ran.and(said) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if interrupt::is_stop(&error) => {
            say::complain(&message(&error));
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            say::complain(&format!("error: {}", message(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Writes the log to standard error: for people, or as a command wants its own (see [`cli::Cli::log`]).
/// `RUST_LOG` goes over what a command says of levels.
fn start_log(wanted: Option<(bool, String)>) {
    let level = wanted.as_ref().map_or("warn", |(_, level)| level);
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| level.into()))
        .with_writer(std::io::stderr)
        // Colour codes would be noise in a log file.
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false);
    match wanted {
        None => log.without_time().init(),
        Some((false, _)) => log.init(),
        Some((true, _)) => log.json().flatten_event(true).init(),
    }
}

/// An error with its causes, without those that its text contains already.
fn message(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| {
        match (message.is_empty(), message.contains(&cause)) {
            (true, _) => cause,
            (false, true) => message,
            (false, false) => format!("{message}: {cause}"),
        }
    })
}
