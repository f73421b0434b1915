//! Bodies of requests, read within bounds.

use crate::error::ApiError;
use crate::json::parse;
use crate::native::ErrorCode;
use crate::service::Service;
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// The bytes of a body, unpacked.
pub(crate) struct Raw(pub(crate) Bytes);

impl FromRequest<Arc<Service>> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let (most, patience) = (service.limits.body_bytes.get(), service.limits.body_time);
        let body = request.into_body().into_data_stream();
        let late = |_| {
            let message = format!("the body did not come within {} s", patience.as_secs());
            let late = ApiError::new(ErrorCode::Timeout, message);
            ApiError { status: StatusCode::REQUEST_TIMEOUT, ..late }
        };
        tokio::time::timeout(patience, read(body, most)).await.map_err(late)?.map(Self)
    }
}

/// How many times the limit is read and dropped of a body that is too long, and for how long.
const DROPPED: usize = 4;
const DROPPING: Duration = Duration::from_secs(1);

async fn read(mut body: BodyDataStream, most: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let part =
            part.map_err(|_| ApiError::invalid("the body broke off, or could not be unpacked"))?;
        if bytes.len() + part.len() > most {
            drop(bytes);
            // Most clients look for an answer only when they have sent everything. If the connection were
            // closed before, they would see that and not the answer.
            let _ =
                tokio::time::timeout(DROPPING, discard(&mut body, most.saturating_mul(DROPPED)))
                    .await;
            let message = format!("the body has more than {most} bytes; send it in parts");
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes.into())
}

/// Reads at most so many bytes of a body and drops them.
async fn discard(body: &mut BodyDataStream, mut most: usize) {
    while let Some(Ok(part)) = body.next().await {
        let Some(left) = most.checked_sub(part.len()) else { return };
        most = left;
    }
}

/// A body of JSON, whatever its content type: several clients send none.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Parsed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, service).await?;
        parse(&bytes).map(Self)
    }
}
