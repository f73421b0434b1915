//! Mixedbread's rerank API.

use super::document::Document;
use super::jina::Usage;
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
    dialect("mixedbread", [post("/v1/reranking", rerank)])
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    input: Vec<Document>,
    rank_fields: Option<Vec<String>>,
    top_k: Option<usize>,
    return_input: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Response {
    object: &'static str,
    model: String,
    usage: Usage,
    data: Vec<Item>,
    top_k: usize,
    return_input: bool,
}

#[derive(Debug, Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Document>,
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    let Request { model, task, query, input, rank_fields, top_k, return_input } = request;
    let ranking = Ranking {
        model,
        task,
        query,
        documents: input,
        fields: rank_fields,
        top: top_k,
        cutting: true,
    };
    let (ranked, inputs) = rank(&service, ranking).await?;
    let return_input = return_input.unwrap_or(false);
    let data: Vec<Item> = ranked
        .order
        .into_iter()
        .map(|place| Item {
            object: "rank_result",
            index: place.index,
            score: place.score,
            input: inputs.get(place.index).filter(|_| return_input).cloned(),
        })
        .collect();
    Ok(Json(Response {
        object: "list",
        model: ranked.model,
        usage: ranked.usage.into(),
        top_k: data.len(),
        data,
        return_input,
    }))
}
