//! Being asked to stop, by Ctrl-C or by a signal.
//!
//! The first signal only raises a flag, so that a command can leave things in order; the second ends the
//! program at once. A command that asks [`requested`] now and then calls [`install`] first. The others
//! end at the first signal, as the system has it. A program that was started by `nohup` is not to end when
//! its terminal is closed, and does not.

use anyhow::Context;
use sextant_score::ScoreError;
use sextant_train::{Event, Observer, TrainError};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a command that was stopped: as shells have it for Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal is a request.
///
/// # Errors
/// The system refuses.
pub(crate) fn install() -> anyhow::Result<()> {
    #[cfg(unix)]
    const SIGNALS: [i32; 3] =
        [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    const SIGNALS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
    for signal in SIGNALS {
        #[cfg(unix)]
        if signal == signal_hook::consts::SIGHUP && ignores_hangups() {
            continue;
        }
        // In this order: at the first signal the flag is still down when the exit looks at it.
        let status = i32::from(EXIT_CODE);
        signal_hook::flag::register_conditional_shutdown(signal, status, &REQUESTED)
            .and_then(|_| signal_hook::flag::register(signal, &REQUESTED))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does it; where the system does not tell,
/// it is taken not to be.
#[cfg(unix)]
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits & (1 << (signal_hook::consts::SIGHUP - 1)) != 0)
}

/// Whether somebody asked the program to stop.
fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// The end of a command that was asked to stop: what is kept, and how to go on.
#[derive(Debug)]
pub(crate) struct Stopped(pub(crate) String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}

/// Whether a command ended because it was asked to, and not because something failed meanwhile.
pub(crate) fn is_stop(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_training = cause.downcast_ref::<TrainError>();
        cause.is::<Stopped>()
            || matches!(cause.downcast_ref(), Some(ScoreError::Interrupted))
            || matches!(of_training, Some(TrainError::Interrupted { .. } | TrainError::Stopped))
    })
}

/// Breaks when somebody asked the program to stop.
pub(crate) fn flow() -> ControlFlow<()> {
    if requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// An observer that ends a training when somebody asks the program to stop.
pub(crate) struct Stop;

impl Observer for Stop {
    fn on_event(&mut self, _: Event<'_>) -> ControlFlow<()> {
        flow()
    }
}

/// A file that grows past the limit of the session (`ulimit -f`) is an error of the write, as a full disk is,
/// not the end of the program with no word.
pub(crate) fn outlive_file_limits() {
    #[cfg(unix)]
    {
        // Without this the system ends the program, as it does everywhere else: nothing worse.
        let _ = signal_hook::flag::register(
            signal_hook::consts::SIGXFSZ,
            Arc::new(AtomicBool::new(false)),
        );
    }
}
