//! What the program says to people.

use std::io::{Error, ErrorKind, Result, Write};
use std::sync::{Mutex, PoisonError};

/// The first failure to print. It does not end work that is under way, which may be the training of
/// hours; [`finish`] reports it when the work is done.
static FAILURE: Mutex<Option<Error>> = Mutex::new(None);

/// Prints to standard output.
pub(crate) fn say(text: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Flushes standard output, and returns the first failure to print.
///
/// # Errors
/// Some of the output was lost: a full disk, a closed output. It is no error if a reader took what it
/// wanted and closed the pipe (`| head`).
pub(crate) fn finish() -> Result<()> {
    let failed = FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = failed.map_or_else(|| std::io::stdout().lock().flush(), Err);
    ended.or_else(|error| if is_closed_pipe(&error) { Ok(()) } else { Err(error) })
}

/// Whether writing failed because the reader of a pipe went away.
pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
