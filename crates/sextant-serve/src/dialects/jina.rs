//! Jina's rerank API. Its answer also has what clients of vLLM, llama.cpp and Cohere's version 1 look for.

use super::document::Document;
use super::ranking::{Item, Ranking, rank};
use super::{Routes, dialect, post};
use crate::error::ApiError;
use crate::http::{Parsed, fresh_id};
use crate::native::TaskName;
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) fn routes() -> Routes {
    dialect("jina", [post("/v1/rerank", rerank), post("/rerank", rerank)])
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    documents: Vec<Document>,
    top_n: Option<usize>,
    rank_fields: Option<Vec<String>>,
    return_documents: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct Response {
    id: String,
    object: &'static str,
    model: String,
    usage: Usage,
    results: Vec<Item>,
    /// The results once more, without documents, where clients of Voyage look for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<Item>,
}

impl Response {
    /// The answer with what clients of Voyage look for, too. Without options, their requests are like others.
    pub(super) fn for_every_client(mut self) -> Self {
        let bare = |item: &Item| Item { document: None, ..*item };
        self.data = self.results.iter().map(bare).collect();
        self
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: usize,
    pub(super) total_tokens: usize,
}

impl From<crate::native::Usage> for Usage {
    fn from(usage: crate::native::Usage) -> Self {
        Self { prompt_tokens: usage.tokens, total_tokens: usage.tokens }
    }
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    answer(&service, request).await.map(Json)
}

/// Answers a request. Documents are repeated unless they are not wanted.
pub(super) async fn answer(service: &Service, request: Request) -> Result<Response, ApiError> {
    let Request { model, task, query, documents, top_n, rank_fields, return_documents } = request;
    let ranking =
        Ranking { model, task, query, documents, fields: rank_fields, top: top_n, cutting: true };
    let (ranked, documents) = rank(service, ranking).await?;
    let repeated = return_documents.unwrap_or(true);
    let results = ranked.items(documents, repeated, Document::object);
    Ok(Response {
        id: fresh_id(),
        object: "list",
        model: ranked.model,
        usage: ranked.usage.into(),
        results,
        data: Vec::new(),
    })
}
