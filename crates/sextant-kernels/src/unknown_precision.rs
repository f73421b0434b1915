/// The error that no precision has the given name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision {name:?}: expected {expected}")]
pub struct UnknownPrecision {
    /// The name that was given.
    pub name: String,
    /// The names that exist, as a phrase.
    pub expected: &'static str,
}
