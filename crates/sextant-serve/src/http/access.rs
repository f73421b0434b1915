//! API keys.

use crate::error::ApiError;
use crate::native::ErrorCode;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// Who may ask. Keys are kept as hashes, so that neither a dump of memory nor the time of a comparison gives one
/// away.
#[derive(Debug, Clone, Default)]
pub struct Access {
    keys: Vec<[u8; 32]>,
}

impl Access {
    /// Access with any of these keys; without a key, for everybody.
    pub fn with_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self { keys: keys.into_iter().map(|key| Sha256::digest(key).into()).collect() }
    }

    /// Whether anybody may ask.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    fn admits(&self, key: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let found = self.keys.iter().fold(Choice::from(0), |found, key| found | key.ct_eq(&hash));
        found.into()
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
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    if access.is_open() || key(request.headers()).is_some_and(|key| access.admits(key)) {
        return next.run(request).await;
    }
    let message = "an API key is needed: `Authorization: Bearer KEY`";
    ApiError::new(ErrorCode::Unauthorized, message).into_response()
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
            let admitted = key(&headers).is_some_and(|key| access.admits(key));
            assert_eq!(admitted, expected, "{name}: {value}");
        }
        assert!(Access::with_keys([]).is_open() && !access.is_open());
    }
}
