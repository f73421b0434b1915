//! The HTTP server: one model for six tasks, behind a native API and the APIs of known rerankers.
//!
//! A request's way: `router` knows the handler, `http` reads its body within bounds, and the handler turns it into a
//! [`RelevanceRequest`](native::RelevanceRequest) (those of `dialects` out of their own forms), `service`
//! resolves names and limits, and `engine` answers it in packs that are built across requests. `models` holds
//! the opened bundles and replaces them while the server runs.
//!
//! A [`Server`] is bound, tells its address, and runs until a future of the caller's ends. The crate prints
//! nothing and installs neither signal handlers nor a log: programs do.

mod context;
mod dialects;
mod drift;
mod engine;
mod error;
mod http;
mod json;
mod lines;
mod listen;
mod meters;
mod mistake;
mod models;
pub mod native;
mod router;
mod server;
mod service;
mod settings;
mod shadow;
mod stall;
mod tls;
mod traces;

pub use engine::EngineConfig;
pub use http::{Access, KeyProblem};
pub use listen::Connections;
pub use models::{ModelSettings, ModelSource, SourceProblem};
pub use router::Surface;
pub use server::{Reloader, ServeError, Server, ServerConfig, ShadowConfig};
pub use service::{Limits, UnknownModel};
pub use settings::{KEYS, Mistakes, Settings};
pub use tls::{TlsFiles, TlsProblem};
