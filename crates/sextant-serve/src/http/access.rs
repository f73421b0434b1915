//! API keys.

use super::keys::{Key, KeyProblem, read};
use crate::context::{Caller, called_by};
use crate::error::ApiError;
use crate::native::ErrorCode;
use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Who may ask. Keys are kept as hashes, so that neither a dump of memory nor the time of a comparison gives one
/// away.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Keys that do not change while the server runs.
    given: Vec<Key>,
    file: Option<PathBuf>,
    /// What the file said when it was read.
    of_file: Vec<Key>,
}

impl Access {
    /// Access with any of these keys; without a key, for everybody.
    pub fn with_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let given = keys.into_iter().map(|key| Key::new(key, None, None)).collect();
        Self { given, ..Self::default() }
    }

    /// Access also with the keys of a file: one a line, and behind it, if need be, `name=NAME` and
    /// `pairs_per_second=NUMBER`. Empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The file cannot be read, a line is something else, or there is no key.
    pub fn and_file(self, path: &Path) -> Result<Self, KeyProblem> {
        let of_file = read(path)?;
        Ok(Self { of_file, file: Some(path.to_owned()), ..self })
    }

    /// What the file says now. Keys that it had before keep what is left of their allowances. `None` if nothing has
    /// changed.
    ///
    /// # Errors
    /// As of [`Access::and_file`].
    pub(crate) fn reread(&self) -> Result<Option<Self>, KeyProblem> {
        let Some(path) = &self.file else { return Ok(None) };
        let mut of_file = read(path)?;
        let mut changed = of_file.len() != self.of_file.len();
        for key in &mut of_file {
            match self.of_file.iter().find(|old| old.is_like(key)) {
                Some(old) => key.caller = Arc::clone(&old.caller),
                None => changed = true,
            }
        }
        Ok(changed.then(|| Self { of_file, ..self.clone() }))
    }

    /// Whether anybody may ask.
    pub fn is_open(&self) -> bool {
        self.keys().next().is_none()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.given.iter().chain(&self.of_file)
    }

    /// The holder of a key. Every key is compared, and each in the same time.
    fn caller(&self, key: &str) -> Option<&Arc<Caller>> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let mut found = u64::MAX;
        for (number, known) in self.keys().enumerate() {
            found.conditional_assign(&(number as u64), known.hash.ct_eq(&hash));
        }
        self.keys().nth(usize::try_from(found).ok()?).map(|key| &key.caller)
    }
}

/// The key of a request: `Authorization: Bearer KEY`, the same without `Bearer`, as some clients send it, or
/// `x-api-key`.
fn key(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = authorization.map(|value| {
        let parted = value.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        parted.map_or(value, |(_, key)| key).trim()
    });
    let named = || headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.filter(|key| !key.is_empty()).or_else(named)
}

/// Lets requests pass that have a key, or all of them if none is needed.
pub(crate) async fn require_key(
    State(access): State<Arc<ArcSwap<Access>>>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = {
        let access = access.load();
        let caller = key(request.headers()).and_then(|key| access.caller(key));
        if let Some(caller) = caller {
            called_by(Arc::clone(caller));
        }
        caller.is_some() || access.is_open()
    };
    if admitted {
        return next.run(request).await;
    }
    let message = "an API key is needed: `Authorization: Bearer KEY`";
    let mut refused = ApiError::new(ErrorCode::Unauthorized, message).into_response();
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_any_of_the_usual_ways() {
        let access = Access::with_keys(["one", "two"]);
        for (name, value, expected) in [
            ("authorization", "Bearer one", true),
            ("authorization", "bearer  two", true),
            ("authorization", "two", true),
            ("x-api-key", "one", true),
            ("authorization", "Bearer three", false),
            ("authorization", "Bearer ", false),
            ("authorization", "", false),
            ("x-api-key", "", false),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            let admitted = key(&headers).is_some_and(|key| access.caller(key).is_some());
            assert_eq!(admitted, expected, "{name}: {value}");
        }
        assert!(Access::with_keys([]).is_open() && !access.is_open());
    }

    #[test]
    fn a_key_that_stays_keeps_what_is_left_of_its_allowance() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("keys");
        std::fs::write(&file, "old pairs_per_second=1\ngone\n").unwrap();
        let access = Access::with_keys(["given"]).and_file(&file).unwrap();
        assert!(access.reread().unwrap().is_none());
        access.caller("old").unwrap().charge(100).unwrap();
        std::fs::write(&file, "new\nold pairs_per_second=1\n").unwrap();
        let read = access.reread().unwrap().unwrap();
        assert!(read.caller("old").unwrap().charge(1).is_err());
        assert!(read.caller("new").is_some() && read.caller("given").is_some());
        assert!(read.caller("gone").is_none());
        std::fs::write(&file, "").unwrap();
        assert!(read.reread().is_err());
    }
}
