//! The page of the server as a browser shows it, over small models. Screenshots stay in `target/page-screenshots`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

#[path = "../../../sextant-infer/tests/it/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod bundles;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod support;

mod chromium;
mod comparing;
mod page;
mod ranking;
mod requests;
mod triangle;
mod using;
