//! Cohere's rerank API, versions 1 and 2.

use super::document::Document;
use super::ranking::{Item, Ranked, Ranking, rank};
use super::{Routes, dialect, post};
use crate::error::ApiError;
use crate::http::{Parsed, fresh_id};
use crate::native::TaskName;
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version 1, at a path that other APIs have, too.
pub(super) fn v1() -> Routes {
    dialect("cohere_v1", [post("/v1/rerank", version_1)])
}

/// Version 2.
pub(super) fn v2() -> Routes {
    dialect("cohere_v2", [post("/v2/rerank", version_2)])
}

#[derive(Debug, Deserialize)]
struct Request {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    documents: Vec<Document>,
    top_n: Option<usize>,
    rank_fields: Option<Vec<String>>,
    return_documents: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Response {
    id: String,
    results: Vec<Item>,
    meta: Meta,
}

#[derive(Debug, Serialize)]
struct Meta {
    api_version: ApiVersion,
    billed_units: BilledUnits,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ApiVersion {
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct BilledUnits {
    search_units: usize,
}

async fn version_1(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    let return_documents = request.return_documents.unwrap_or(false);
    answer(&service, request, "1", return_documents).await
}

/// Version 2 never repeats documents.
async fn version_2(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<Request>,
) -> Result<Json<Response>, ApiError> {
    answer(&service, request, "2", false).await
}

async fn answer(
    service: &Service,
    request: Request,
    version: &'static str,
    return_documents: bool,
) -> Result<Json<Response>, ApiError> {
    let Request { model, task, query, documents, top_n, rank_fields, .. } = request;
    let ranking =
        Ranking { model, task, query, documents, fields: rank_fields, top: top_n, cutting: true };
    let (ranked, documents) = rank(service, ranking).await?;
    let warnings = warnings(&ranked);
    let results = ranked.items(documents, return_documents, Document::object);
    Ok(Json(Response {
        id: fresh_id(),
        results,
        meta: Meta {
            api_version: ApiVersion { version },
            billed_units: BilledUnits { search_units: 1 },
            warnings,
        },
    }))
}

fn warnings(ranked: &Ranked) -> Vec<String> {
    let (blank, cut) = (ranked.blank.len(), ranked.usage.cut);
    let told = [
        (blank, format!("{blank} documents have no text; they are ranked last, with score 0")),
        (cut, format!("{cut} documents were too long and were cut")),
    ];
    told.into_iter().filter(|(count, _)| *count > 0).map(|(_, warning)| warning).collect()
}
