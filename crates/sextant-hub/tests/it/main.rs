//! Tests of the store, and of downloads from a local server that are observed and stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod stop;
mod store;
