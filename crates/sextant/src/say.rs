//! What the program says to people.

use std::io::Write;

/// Prints to standard output. A reader that went away (`| head`) ends the program's output, not
/// with an error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
