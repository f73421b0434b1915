//! Guards calls into libraries that may panic on the content of a file.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, and returns the message of a panic as an error. This is for calls into a library whose parser
/// is known to panic on bytes that a user's file may have. Sextant's own code returns errors and needs no
/// guard.
///
/// Values that `body` was changing when it panicked must not be used afterwards.
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

/// Whether the calling thread is inside [`guarded`]. A program's panic hook must not report a panic then.
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
