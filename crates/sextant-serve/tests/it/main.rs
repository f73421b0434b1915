//! A server with small models, asked over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../../../sextant-infer/tests/it/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod bundles;

mod access;
mod bodies;
mod consistency;
mod dialects;
mod documents;
mod drift;
mod limits;
mod recorded;
mod refusals;
mod relevance;
mod reload;
mod shapes;
mod stopping;
mod streams;
mod support;
mod tls;
mod traces;
