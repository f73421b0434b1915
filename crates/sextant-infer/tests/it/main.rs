//! What opened bundles and ensembles answer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod predicting;
