//! Which columns of an input are read.

use std::sync::Arc;

/// The columns that a reader of batches gives.
#[derive(Debug, Clone)]
pub(in crate::read) enum Projection {
    /// All but these.
    Without(&'static [&'static str]),
    /// Only these; what an input lacks of them is no error.
    Only(Arc<[String]>),
}

impl Projection {
    pub(super) fn keeps(&self, name: &str) -> bool {
        match self {
            Self::Without(names) => !names.contains(&name),
            Self::Only(names) => names.iter().any(|kept| kept == name),
        }
    }
}
