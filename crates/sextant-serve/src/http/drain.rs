//! What is left of a body whose request was answered before all of it was read.
//!
//! Most clients look for an answer only when they have sent everything. If the connection were closed before, they
//! would see that and not the answer. So the rest of a body is read and dropped, within bounds.

use crate::service::Service;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// How many times the limit of a body is dropped at most, and for how long.
const DROPPED: usize = 4;
const DROPPING: Duration = Duration::from_secs(1);

/// Where a body goes back to.
type Back = Arc<Mutex<Option<Body>>>;

/// A body that goes back if it is dropped before its end.
struct Lent {
    body: Option<Body>,
    back: Back,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

/// Reads what an error left of the body. A client that waits for `100 Continue` has sent nothing and is not asked to.
pub(crate) async fn drain(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let waits = request.headers().contains_key(header::EXPECT);
    let back = Back::default();
    let request = request.map(|body| Body::new(Lent { body: Some(body), back: Arc::clone(&back) }));
    let response = next.run(request).await;
    let status = response.status();
    if !waits && (status.is_client_error() || status.is_server_error()) {
        let left = back.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(body) = left {
            let most = service.limits.body_bytes.get().saturating_mul(DROPPED);
            // What is not read in time is left to the end of the connection.
            let _ = tokio::time::timeout(DROPPING, discard(body, most)).await;
        }
    }
    response
}

/// Reads at most so many bytes of a body and drops them.
async fn discard(body: Body, mut most: usize) {
    let mut body = body.into_data_stream();
    while let Some(Ok(part)) = body.next().await {
        let Some(left) = most.checked_sub(part.len()) else { return };
        most = left;
    }
}
