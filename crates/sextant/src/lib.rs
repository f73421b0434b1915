//! The `sextant` command, as a function.
//!
//! The command is thin: it turns arguments into calls of the crates below, and results into text. See
//! `sextant help`. It is a library because two programs are this command: the binary of this crate, and the
//! one that the Python package brings along.

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
#[cfg(test)]
mod named_options;
mod progress;
mod ranks;
mod say;
mod score;
mod scoring;
#[cfg(unix)]
mod serve;
mod train;

use anyhow::Context;
use clap::Parser;
use std::ffi::OsString;
use std::io::IsTerminal;

/// The exit code of a command that failed.
const FAILURE: u8 = 1;

/// Runs the command that the arguments name, the first of which is the program's name, and returns the exit
/// code. May be called once in a process: it sets up the log and the handlers of signals.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    keep_guarded_panics_silent();
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(shown) => {
            // Nobody can be told that help or an error cannot be printed.
            let _ = shown.print();
            return u8::try_from(shown.exit_code()).unwrap_or(FAILURE);
        }
    };
    start_log(cli.log());
    interrupt::outlive_file_limits();
    let ran = cli.run();
    let said = say::finish().context("cannot write to standard output");
    match ran.and(said) {
        Ok(()) => 0,
        Err(error) if interrupt::is_stop(&error) => {
            say::complain(&message(&error));
            interrupt::EXIT_CODE
        }
        // The process that failed says why.
        Err(error) if ranks::is_of_another(&error) => FAILURE,
        Err(error) => {
            say::complain(&format!("error: {}", message(&error)));
            FAILURE
        }
    }
}

/// From now on, a panic that [`sextant_core::guarded`] turns into an error is reported as that error only.
pub fn keep_guarded_panics_silent() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sextant_core::is_guarded() {
            report(panic);
        }
    }));
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
