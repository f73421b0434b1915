//! Calls into libraries that may panic on what a file holds.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, and gives the message of a panic as an error: for calls into a library whose parser is known
/// to panic on bytes that a user may have. Own code returns errors and needs no guard.
///
/// What `body` was changing when it panicked must not be used afterwards.
pub fn guarded<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let found = catch_unwind(AssertUnwindSafe(body));
    GUARDED.set(outer);
    found.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("it holds what its reader does not expect").to_owned()
    })
}

/// Whether the calling thread is inside [`guarded`]: a program's panic hook then has nothing to report.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        let number = 7;
        assert_eq!(guarded(|| assert!(number == 0, "found {number}")), Err("found 7".to_owned()));
        assert!(guarded(|| std::panic::panic_any(0_u8)).unwrap_err().contains("does not expect"));
        assert_eq!(guarded(is_guarded), Ok(true));
        assert!(!is_guarded());
    }
}
