//! What stands between a connection and a handler: bodies, keys, request ids, what is left of bodies.

mod access;
mod body;
mod drain;
mod keys;
mod observe;
mod unpack;

pub use access::Access;
pub(crate) use access::require_key;
pub(crate) use body::{Parsed, Raw};
pub(crate) use drain::drain;
pub use keys::KeyProblem;
pub(crate) use observe::{Dialect, fresh_id, labelled, observe};
pub(crate) use unpack::unpack;
