//! The routes of the native API.

use crate::error::ApiError;
use crate::http::Parsed;
use crate::native::{
    ConsistencyRequest, ConsistencyResponse, ErrorBody, ModelInfo, ModelList, RelevanceRequest,
    RelevanceResponse, TaskName,
};
use crate::service::{Service, StreamOptions, UnknownModel, stream};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

const NDJSON: &str = "application/x-ndjson";

/// What the address of a stream may say.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// The model that answers; of streams only.
    model: Option<String>,
    /// The task of pairs that name none; of streams only.
    #[param(value_type = Option<String>)]
    task: Option<String>,
    /// Whether to add what each member of an ensemble answered; of streams only.
    votes: Option<bool>,
}

/// Judge pairs
///
/// A body of the type `application/x-ndjson` is a stream: each line is a pair, and each line of the answer is
/// the outcome of one, in their order. The stream may be of any length.
#[utoipa::path(
    post, path = "/v1/relevance", tag = "native", params(StreamQuery),
    request_body(content(
        (RelevanceRequest = "application/json"),
        (crate::native::PairInput = "application/x-ndjson"),
    )),
    responses(
        (status = 200, description = "An outcome for each pair", content(
            (RelevanceResponse = "application/json"),
            (crate::native::PairOutcome = "application/x-ndjson"),
        )),
        (status = 400, description = "The body is not what is expected", body = ErrorBody),
        (status = 413, description = "Too many pairs, bytes or tokens", body = ErrorBody),
        (status = 429, description = "Busy; see `Retry-After`", body = ErrorBody),
        (status = 504, description = "Not ready in time", body = ErrorBody),
    )
)]
pub(super) async fn relevance(
    State(service): State<Arc<Service>>,
    query: Result<Query<StreamQuery>, QueryRejection>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| {
        ApiError::invalid(
            "the address cannot be read: it may have `model` and `task`, which are texts, and `votes`, which is true or false, each once and nothing else",
        )
    })?;
    if is_stream(&headers) {
        return Ok(([(header::CONTENT_TYPE, NDJSON)], streamed(service, query, request).await?)
            .into_response());
    }
    if query.model.is_some() || query.task.is_some() || query.votes.is_some() {
        return Err(ApiError::invalid(
            "`model`, `task` and `votes` stand in the address of streams (application/x-ndjson) only; put them into the body",
        ));
    }
    let Parsed(body) = Parsed::<RelevanceRequest>::from_request(request, &service).await?;
    Ok(Json(service.relevance(body, UnknownModel::Refuse).await?).into_response())
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    [NDJSON, "application/jsonl", "application/x-jsonlines"].contains(&kind)
}

async fn streamed(
    service: Arc<Service>,
    StreamQuery { model, task, votes }: StreamQuery,
    request: Request,
) -> Result<Body, ApiError> {
    let task = task.map(|task| serde_json::from_value::<TaskName>(task.into())).transpose();
    let task =
        task.map_err(|error| ApiError::invalid(format!("`task` of the address: {error}")))?;
    let task = task.map(|TaskName(task)| task);
    let options = StreamOptions { model, task, votes: votes.unwrap_or(false) };
    stream(service, options, request.into_body()).await
}

/// Judge triples of related entities
#[utoipa::path(
    post, path = "/v1/consistency", tag = "native", request_body = ConsistencyRequest,
    responses(
        (status = 200, description = "An outcome for each triple", body = ConsistencyResponse),
        (status = 400, description = "The body is not what is expected", body = ErrorBody),
        (status = 429, description = "Busy; see `Retry-After`", body = ErrorBody),
    )
)]
pub(super) async fn consistency(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<ConsistencyRequest>,
) -> Result<Json<ConsistencyResponse>, ApiError> {
    Ok(Json(service.consistency(request).await?))
}

/// List the models
#[utoipa::path(
    get, path = "/v1/models", tag = "native",
    responses((status = 200, description = "The models, the default one first", body = ModelList))
)]
pub(super) async fn models(State(service): State<Arc<Service>>) -> Json<ModelList> {
    Json(service.models())
}

/// Describe a model
#[utoipa::path(
    get, path = "/v1/models/{model}", tag = "native", params(("model" = String, Path)),
    responses(
        (status = 200, description = "The model", body = ModelInfo),
        (status = 404, description = "There is no such model", body = ErrorBody),
    )
)]
pub(super) async fn model(
    State(service): State<Arc<Service>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<ModelInfo>, ApiError> {
    let Path(name) =
        name.map_err(|_| ApiError::invalid("the model's name in the address is not UTF-8"))?;
    service.model_info(&name).map(Json)
}

/// Say that the process lives
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, description = "The process lives")))]
pub(super) async fn health() -> StatusCode {
    StatusCode::OK
}

/// Say whether models can answer
#[utoipa::path(get, path = "/ready", tag = "operations", responses(
    (status = 200, description = "Every model that is opened at the start is open"),
    (status = 503, description = "Not yet, or not any more", body = ErrorBody),
))]
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Result<StatusCode, ApiError> {
    service.ready().map(|()| StatusCode::OK)
}

/// All metrics, as Prometheus reads them
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], service.metrics())
}
