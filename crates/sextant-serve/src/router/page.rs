//! The page at `/`, whose files are inside the program.

use crate::error::ApiError;
use crate::native::ErrorCode;
use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// A file of the page: its name, its content type and its bytes.
type Asset = (&'static str, &'static str, &'static [u8]);

/// The files of the folder `page`, which `/assets/NAME` serves. The policy below lets the page run scripts from here
/// only, none that stand in its own text.
const ASSETS: [Asset; 0] = [];

const INDEX: &str = include_str!("../../page/index.html");

/// What a browser may load for the page: nothing from anywhere else.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(index)).route("/assets/{name}", get(asset))
}

async fn index() -> Response {
    file("text/html; charset=utf-8", INDEX.as_bytes())
}

async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.into_iter().find(|(known, ..)| *known == name) {
        Some((_, kind, bytes)) => file(kind, bytes),
        None => ApiError::new(ErrorCode::NotFound, "the page has no such file").into_response(),
    }
}

fn file(kind: &'static str, bytes: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // The files belong to this version of the program.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, bytes).into_response()
}
