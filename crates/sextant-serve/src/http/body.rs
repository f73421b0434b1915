//! Bodies of requests, read within bounds.

use crate::error::ApiError;
use crate::json::parse;
use crate::native::ErrorCode;
use crate::service::Service;
use axum::body::{BodyDataStream, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The bytes of a body, unpacked.
pub(crate) struct Raw(pub(crate) Bytes);

impl FromRequest<Arc<Service>> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let (most, patience) = (service.limits.body_bytes.get(), service.limits.body_time);
        let body = request.into_body();
        if body.size_hint().lower() > most as u64 {
            // The client said so before it sent anything.
            return Err(too_long(most));
        }
        let body = body.into_data_stream();
        let late = |_| {
            let message = format!("the body did not come within {} s", patience.as_secs());
            let late = ApiError::new(ErrorCode::Timeout, message);
            ApiError { status: StatusCode::REQUEST_TIMEOUT, ..late }
        };
        tokio::time::timeout(patience, read(body, most)).await.map_err(late)?.map(Self)
    }
}

fn too_long(most: usize) -> ApiError {
    let message = format!("the body has more than {most} bytes; send it in parts");
    ApiError::new(ErrorCode::TooLarge, message)
}

async fn read(mut body: BodyDataStream, most: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let part =
            part.map_err(|_| ApiError::invalid("the body broke off, or could not be unpacked"))?;
        if bytes.len() + part.len() > most {
            return Err(too_long(most));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes.into())
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
