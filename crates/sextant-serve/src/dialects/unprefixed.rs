//! The paths `/rerank` and `/v1/rerank`, which several APIs share. The keys of a body tell them apart: TEI's has
//! `texts`, Voyage's `top_k` or `truncation`. All others get one answer that has what each of them looks for.

use super::{Routes, dialect, jina, post, tei, voyage};
use crate::error::ApiError;
use crate::http::{Dialect, Raw};
use crate::json::parse;
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    dialect("shared", [post("/rerank", rerank), post("/v1/rerank", rerank)])
}

/// Whether a body has some keys, with whatever value.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys {
    #[serde(deserialize_with = "present")]
    texts: bool,
    #[serde(deserialize_with = "present")]
    top_k: bool,
    #[serde(deserialize_with = "present")]
    truncation: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

async fn rerank(State(service): State<Arc<Service>>, Raw(body): Raw) -> Result<Response, ApiError> {
    let keys: Keys = parse(&body)?;
    let (name, mut response) = if keys.texts {
        match tei::answer(&service, parse(&body)?).await {
            Ok(response) => ("tei", response),
            Err(error) => ("tei", tei::error_form(error.into_response()).await),
        }
    } else if keys.top_k || keys.truncation {
        ("voyage", Json(voyage::answer(&service, parse(&body)?).await?).into_response())
    } else {
        let answer = jina::answer(&service, parse(&body)?).await?;
        ("jina", Json(answer.for_every_client()).into_response())
    };
    response.extensions_mut().insert(Dialect(name));
    Ok(response)
}
