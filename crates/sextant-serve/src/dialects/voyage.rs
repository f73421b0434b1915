//! Voyage's rerank API.

use super::document::Document;
use super::jina::Usage;
use super::ranking::{Item, Ranking, rank};
use super::{Routes, dialect, post};
use crate::error::ApiError;
use crate::http::Parsed;
use crate::native::TaskName;
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    dialect("voyage", [post("/v1/rerank", rerank), post("/rerank", rerank)])
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    documents: Vec<Document>,
    top_k: Option<usize>,
    return_documents: Option<bool>,
    truncation: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct Response {
    object: &'static str,
    data: Vec<Item>,
    model: String,
    usage: Usage,
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    answer(&service, request).await.map(Json)
}

/// Answers a request. Documents are not repeated unless they are wanted.
pub(super) async fn answer(service: &Service, request: Request) -> Result<Response, ApiError> {
    let Request { model, task, query, documents, top_k, return_documents, truncation } = request;
    let cutting = truncation.unwrap_or(true);
    let ranking = Ranking { model, task, query, documents, fields: None, top: top_k, cutting };
    let (ranked, documents) = rank(service, ranking).await?;
    let repeated = return_documents.unwrap_or(false);
    let data = ranked.items(documents, repeated, |document| document.text().into());
    Ok(Response { object: "list", data, model: ranked.model, usage: ranked.usage.into() })
}
