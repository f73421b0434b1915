//! Request ids, a line of log for each request, its metrics, and its trace.

use crate::context::{self, Context, Work};
use crate::error::ApiError;
use crate::service::Service;
use crate::traces::{Part, Trace, Traced};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use tracing::Instrument;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The API that answered, as an extension of its responses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect(pub &'static str);

/// Gives each request an id, which stands in the log and in the answer, and notes how it went. The log has
/// neither texts nor keys, unless the server is told to write texts.
pub(crate) async fn observe(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = id(request.headers());
    let method = request.method().clone();
    // The route, not the address as it was asked for, which may have texts in it.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "(none)".to_owned());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), %method, route);
    let trace = service.traces.as_ref().and_then(|_| {
        let parent = request.headers().get("traceparent").and_then(|text| text.to_str().ok());
        Trace::begin(parent)
    });
    let context = Arc::new(Context::default());
    let answering = context::within(Arc::clone(&context), next.run(request));
    let mut response = answering.instrument(span.clone()).await;
    let took = begun.elapsed();
    let dialect = response.extensions().get::<Dialect>().map_or("other", |dialect| dialect.0);
    let status = response.status().as_u16();
    service.meters.request(dialect, status, took);
    span.in_scope(|| {
        let ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let key = context.caller_name();
        if let Some(ApiError { code, .. }) = response.extensions().get::<ApiError>() {
            tracing::info!(status, ms, key, ?code, "refused");
        } else {
            tracing::info!(status, ms, key, "answered");
        }
    });
    if let (Some(traces), Some(trace)) = (&service.traces, trace) {
        let whole = Part { name: "request", begun, took };
        let mut attributes = vec![
            ("http.request.method", json!(method.as_str())),
            ("http.route", json!(route)),
            ("http.response.status_code", json!(status)),
            ("sextant.dialect", json!(dialect)),
            ("sextant.request_id", json!(id.to_str().unwrap_or_default())),
        ];
        let mut parts = Vec::new();
        if let Some(Work { pairs, tokens, begun, queued, computed }) = context.work() {
            attributes.extend([("sextant.pairs", json!(pairs)), ("sextant.tokens", json!(tokens))]);
            parts.push(Part { name: "queue", begun, took: queued });
            parts.push(Part { name: "answer", begun: begun + queued, took: computed });
        }
        let name = format!("{method} {route}");
        traces.send(Traced { trace, name, whole, parts, status, attributes });
    }
    response.headers_mut().insert(REQUEST_ID.clone(), id);
    response
}
/// Names the API of a response, for the metrics, unless its handler has named it.
pub(crate) fn labelled(
    dialect: Dialect,
) -> impl Fn(Response) -> std::future::Ready<Response> + Clone {
    move |mut response: Response| {
        response.extensions_mut().get_or_insert(dialect);
        std::future::ready(response)
    }
}

/// The id that the client gave the request, if it may stand in a log, or else a new one.
fn id(headers: &HeaderMap) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let given = headers
        .get(&REQUEST_ID)
        .filter(|id| !id.is_empty() && id.len() <= 64 && id.as_bytes().iter().all(plain));
    given.cloned().unwrap_or_else(new_id)
}

fn new_id() -> HeaderValue {
    // Hexadecimal digits and a dash may stand in every header.
    HeaderValue::from_str(&fresh_id()).unwrap_or(HeaderValue::from_static("none"))
}

/// An id that nothing else of this or another server has, as far as chance goes.
pub(crate) fn fresh_id() -> String {
    static PROCESS: LazyLock<u64> =
        LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{number:x}", *PROCESS)
}
