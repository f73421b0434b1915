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

/// The files of the folder `page`, which `/assets/NAME` serves.
const ASSETS: [Asset; 17] = [
    ("api.js", SCRIPT, include_bytes!("../../page/api.js")),
    ("dom.js", SCRIPT, include_bytes!("../../page/dom.js")),
    ("file.js", SCRIPT, include_bytes!("../../page/file.js")),
    ("form.js", SCRIPT, include_bytes!("../../page/form.js")),
    ("grades.js", SCRIPT, include_bytes!("../../page/grades.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../page/icon.svg")),
    ("link.js", SCRIPT, include_bytes!("../../page/link.js")),
    ("main.js", SCRIPT, include_bytes!("../../page/main.js")),
    ("order.js", SCRIPT, include_bytes!("../../page/order.js")),
    ("ranking.js", SCRIPT, include_bytes!("../../page/ranking.js")),
    ("request.js", SCRIPT, include_bytes!("../../page/request.js")),
    ("rows.js", SCRIPT, include_bytes!("../../page/rows.js")),
    ("snippet.js", SCRIPT, include_bytes!("../../page/snippet.js")),
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../page/style.css")),
    ("tasks.js", SCRIPT, include_bytes!("../../page/tasks.js")),
    ("theme.js", SCRIPT, include_bytes!("../../page/theme.js")),
    ("triangle.js", SCRIPT, include_bytes!("../../page/triangle.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

const INDEX: &str = include_str!("../../page/index.html");

/// What a browser may load for the page: its own files, and nothing from anywhere else. Styles and scripts in its text
/// do not hold, and no script can turn a text into markup, because what people paste is shown there.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

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
