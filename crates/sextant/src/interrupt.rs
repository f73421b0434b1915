//! Requests to stop, by Ctrl-C or by a signal.
//!
//! The first signal only raises a flag, so that a command can leave things in order; the second signal
//! ends the program at once. A command that checks [`requested`] now and then calls [`install`] first.
//! All other commands end at the first signal, which is the system's default. A program that was started
//! by `nohup` must not end when its terminal is closed, and does not.

use anyhow::Context;
use sextant_score::ScoreError;
use sextant_train::{Event, Observer, TrainError};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a command that was stopped: the one that shells use for Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
/// Whether the next signal ends the program: the one before it was heard as a request.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Makes the first signal from now on a request to stop, which raises the flag.
///
/// # Errors
/// The system allows no handler for a signal.
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
        // What is registered first also runs first at a signal. The request comes first, so that a signal between these
        // lines is not lost. The second line ends the program if there was a signal before, and the third one notes that
        // there was one.
        let status = i32::from(EXIT_CODE);
        signal_hook::flag::register(signal, &REQUESTED)
            .and_then(|_| signal_hook::flag::register_conditional_shutdown(signal, status, &ENDS))
            .and_then(|_| signal_hook::flag::register(signal, &ENDS))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does it. If the system does not tell,
/// it is assumed that it was not.
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

/// Makes it an error of writing, like a full disk, if a file grows past the limit of the session
/// (`ulimit -f`). By default the system would end the program without a message.
pub(crate) fn outlive_file_limits() {
    #[cfg(unix)]
    {
        // If this fails, the system ends the program, as it does by default: nothing worse.
        let _ = signal_hook::flag::register(
            signal_hook::consts::SIGXFSZ,
            Arc::new(AtomicBool::new(false)),
        );
    }
}
