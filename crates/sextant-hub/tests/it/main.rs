//! Downloads from a server on this machine, watched and stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod stop;
mod store;
