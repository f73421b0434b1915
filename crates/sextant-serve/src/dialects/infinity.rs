//! Infinity's rerank API. It differs from others at the same path in that a document is a text in the answer, so
//! that it has a prefix of its own.

use super::document::Document;
use super::jina::Usage;
use super::ranking::{Ranking, rank};
use super::{Routes, dialect, post};
use crate::error::ApiError;
use crate::http::{Parsed, fresh_id};
use crate::native::TaskName;
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn routes() -> Routes {
    dialect("infinity", [post("/rerank", rerank), post("/v1/rerank", rerank)])
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    documents: Vec<Document>,
    top_n: Option<usize>,
    return_documents: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Response {
    object: &'static str,
    id: String,
    created: u64,
    model: String,
    usage: Usage,
    results: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct Item {
    index: usize,
    relevance_score: f32,
    document: Option<String>,
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    let Request { model, task, query, documents, top_n, return_documents } = request;
    let ranking =
        Ranking { model, task, query, documents, fields: None, top: top_n, cutting: true };
    let (ranked, documents) = rank(&service, ranking).await?;
    let repeated = return_documents.unwrap_or(false);
    let results = ranked.order.into_iter().map(|place| Item {
        index: place.index,
        relevance_score: place.score,
        document: documents.get(place.index).filter(|_| repeated).map(Document::text),
    });
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Json(Response {
        object: "rerank",
        id: fresh_id(),
        created: since_1970.as_secs(),
        model: ranked.model,
        usage: ranked.usage.into(),
        results: results.collect(),
    }))
}
