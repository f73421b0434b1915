//! What stands between a connection and a handler: bodies, keys, request ids.

mod access;
mod body;
mod observe;

pub use access::Access;
pub(crate) use access::require_key;
pub(crate) use body::{Parsed, Raw};
pub(crate) use observe::{Dialect, fresh_id, labelled, observe};
