//! What Elasticsearch's inference service `hugging_face` asks for reranking. It names no model, requires a bare
//! array, and fails on keys that it does not know.

use super::document::Document;
use super::ranking::{Ranking, rank};
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
    dialect("elasticsearch", [post("/rerank", rerank)])
}

#[derive(Debug, Deserialize)]
struct Request {
    task: Option<TaskName>,
    query: Document,
    #[serde(alias = "texts")]
    documents: Vec<Document>,
    #[serde(alias = "top_k")]
    top_n: Option<usize>,
    #[serde(alias = "return_documents")]
    return_text: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Item {
    index: usize,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Vec<Item>>, ApiError> {
    let Request { task, query, documents, top_n, return_text } = request;
    let ranking =
        Ranking { model: None, task, query, documents, fields: None, top: top_n, cutting: true };
    let (ranked, documents) = rank(&service, ranking).await?;
    let repeated = return_text.unwrap_or(false);
    let items = ranked.order.into_iter().map(|place| Item {
        index: place.index,
        score: place.score,
        text: documents.get(place.index).filter(|_| repeated).map(Document::text),
    });
    Ok(Json(items.collect()))
}
