//! What opened bundles and ensembles answer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod answering;
mod bases;
mod predicting;
mod support;
mod threads;
