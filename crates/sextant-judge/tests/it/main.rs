//! Judging over HTTP, against a small server in the process, with the forms of real servers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod agreeing;
mod asking;
mod server;
mod shots;
