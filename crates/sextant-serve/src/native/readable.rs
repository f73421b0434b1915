//! Parts of a request, one of which may be bad without spoiling the others.

use crate::mistake::from_value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use sextant_core::Unrepeated;

/// A pair or a triple of a request, or why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable<T>(pub Result<T, Unreadable>);

/// A part that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The caller's name for it, if that can be read.
    pub id: Option<String>,
    /// The place in the part, empty for the whole.
    pub(crate) place: String,
    /// What is wrong there. It repeats no text of the request.
    pub(crate) problem: String,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<T> {
    /// Fails only if the JSON itself is not whole and correct, or has a key twice in an object.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unrepeated(value) = Unrepeated::deserialize(deserializer)?;
        let id = value.get("id").and_then(|id| id.as_str()).map(str::to_owned);
        let read = from_value(value);
        Ok(Self(read.map_err(|(place, problem)| Unreadable { id, place, problem })))
    }
}

impl<T> From<T> for Readable<T> {
    fn from(part: T) -> Self {
        Self(Ok(part))
    }
}
