//! Being asked to stop, by Ctrl-C or by a signal.
//!
//! The first signal only raises a flag, so that a command can leave things in order; the second ends the
//! program at once. A command that asks [`requested`] now and then calls [`install`] first. The others
//! end at the first signal, as the system has it.

use anyhow::Context;
use sextant_train::{Event, Observer};
use std::ops::ControlFlow;
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
        // In this order: at the first signal the flag is still down when the exit looks at it.
        let status = i32::from(EXIT_CODE);
        signal_hook::flag::register_conditional_shutdown(signal, status, &REQUESTED)
            .and_then(|_| signal_hook::flag::register(signal, &REQUESTED))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// Whether somebody asked the program to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
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
