//! Checks the answers of opened bundles and ensembles.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod answering;
mod bases;
mod predicting;
mod support;
mod threads;
