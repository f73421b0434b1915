//! The API of Hugging Face's text-embeddings-inference, and that of its hosted text classification.

mod tokens;

use super::document::Document;
use super::pairs::{Sides, classify};
use super::ranking::{Ranking, rank};
use super::{Routes, dialect, get, post};
use crate::error::ApiError;
use crate::http::Parsed;
use crate::native::{ErrorCode, PairAnswer, ServerInfo, TaskName, Timing, Usage};
use crate::service::Service;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Under a prefix of its own, with the rerank API.
pub(super) fn routes() -> Routes {
    let rerank = dialect("tei", [post("/rerank", rerank)]).layer(map_response(error_form));
    rerank.merge(others())
}

/// All but the rerank API, whose path others share.
pub(super) fn others() -> Routes {
    let routes = [
        post("/predict", predict),
        post("/tokenize", tokens::tokenize),
        post("/decode", tokens::decode),
        get("/info", info),
        get("/ping", || async { StatusCode::OK }),
    ];
    dialect("tei", routes).layer(map_response(error_form))
}

#[derive(Debug, Deserialize)]
pub(super) struct RerankRequest {
    model: Option<String>,
    task: Option<TaskName>,
    query: Document,
    texts: Vec<Document>,
    raw_scores: Option<bool>,
    return_text: Option<bool>,
    truncate: Option<bool>,
    /// TEI answers every text, but litellm sends this, and expects it to be heeded.
    top_n: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Rank {
    index: usize,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

async fn rerank(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<RerankRequest>,
) -> Result<Response, ApiError> {
    answer(&service, request).await
}

/// Answers a rerank request.
pub(super) async fn answer(
    service: &Service,
    request: RerankRequest,
) -> Result<Response, ApiError> {
    let RerankRequest { model, task, query, texts, raw_scores, return_text, truncate, top_n } =
        request;
    let characters = query.characters() + texts.iter().map(Document::characters).sum::<usize>();
    let cutting = truncate.unwrap_or(true);
    let ranking =
        Ranking { model, task, query, documents: texts, fields: None, top: top_n, cutting };
    let (ranked, texts) = rank(service, ranking).await?;
    let (raw, repeated) = (raw_scores.unwrap_or(false), return_text.unwrap_or(false));
    let items = ranked.order.iter().map(|place| Rank {
        index: place.index,
        score: if raw { log_odds(place.score) } else { place.score },
        text: texts.get(place.index).filter(|_| repeated).map(Document::text),
    });
    let items: Vec<_> = items.collect();
    Ok((compute_headers(characters, ranked.usage, ranked.timing), Json(items)).into_response())
}

/// A score as an unbounded number, in the same order. The model's own logits are three for each pair, and an API
/// of one number has no place for them.
fn log_odds(score: f32) -> f32 {
    let score = score.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
    (score / (1.0 - score)).ln()
}

#[derive(Debug, Deserialize)]
struct PredictRequest {
    model: Option<String>,
    task: Option<TaskName>,
    inputs: Sides,
    /// Clients of Hugging Face's hosted inference send this key, and read nested lists also for one input.
    #[serde(default)]
    parameters: Option<IgnoredAny>,
}

#[derive(Debug, Serialize)]
struct Class {
    label: &'static str,
    score: f32,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Classes {
    One(Vec<Class>),
    Many(Vec<Vec<Class>>),
}

async fn predict(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<PredictRequest>,
) -> Result<Response, ApiError> {
    let PredictRequest { model, task, inputs, parameters } = request;
    let flat = matches!(inputs, Sides::One(_)) && parameters.is_none();
    let pairs = inputs.into_pairs("inputs")?;
    let length = |(left, right): &(Document, Document)| left.characters() + right.characters();
    let characters = pairs.iter().map(length).sum();
    let (answers, response) = classify(&service, model, task, pairs).await?;
    let mut lists: Vec<_> = answers.iter().map(classes).collect();
    let classes = match lists.pop() {
        Some(only) if flat => Classes::One(only),
        last => Classes::Many(lists.into_iter().chain(last).collect()),
    };
    let headers = compute_headers(characters, response.usage, response.timing);
    Ok((headers, Json(classes)).into_response())
}

/// The grades, the most probable one first.
fn classes(answer: &PairAnswer) -> Vec<Class> {
    let probabilities = answer.probabilities.in_order().into_iter();
    let named = sextant_core::Grade::ALL.into_iter().zip(probabilities);
    let mut classes: Vec<_> =
        named.map(|(grade, score)| Class { label: grade.as_str(), score }).collect();
    classes.sort_by(|a, b| b.score.total_cmp(&a.score));
    classes
}

/// What TEI tells of a request's work. Times are in milliseconds.
fn compute_headers(
    characters: usize,
    usage: Usage,
    timing: Timing,
) -> [(HeaderName, HeaderValue); 6] {
    let number = |number: usize| HeaderValue::from(number);
    let ms = |time: f64| HeaderValue::from(time.round() as u64);
    [
        (HeaderName::from_static("x-compute-type"), HeaderValue::from_static("cpu")),
        (HeaderName::from_static("x-compute-characters"), number(characters)),
        (HeaderName::from_static("x-compute-tokens"), number(usage.tokens)),
        (HeaderName::from_static("x-total-time"), ms(timing.total_ms)),
        (HeaderName::from_static("x-queue-time"), ms(timing.queue_ms)),
        (HeaderName::from_static("x-inference-time"), ms(timing.total_ms - timing.queue_ms)),
    ]
}

/// The native description with the keys that clients of TEI read.
#[derive(Debug, Serialize)]
struct Info {
    #[serde(flatten)]
    server: ServerInfo,
    model_id: String,
    model_sha: Option<String>,
    model_dtype: String,
    model_type: ModelType,
    max_concurrent_requests: usize,
    max_input_length: usize,
    max_batch_tokens: usize,
    max_client_batch_size: usize,
    auto_truncate: bool,
    tokenization_workers: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ModelType {
    Reranker(Labels),
}

#[derive(Debug, Serialize)]
struct Labels {
    id2label: BTreeMap<usize, &'static str>,
    label2id: BTreeMap<&'static str, usize>,
}

async fn info(State(service): State<Arc<Service>>) -> Json<Info> {
    let server = service.info();
    let first = server.models.first();
    let grades = || sextant_core::Grade::ALL.into_iter();
    Json(Info {
        model_id: server.default_model.clone(),
        model_sha: first.and_then(|model| model.sha256.clone()),
        model_dtype: first.map(|model| model.precision.clone()).unwrap_or_default(),
        model_type: ModelType::Reranker(Labels {
            id2label: grades().map(|grade| (grade.index(), grade.as_str())).collect(),
            label2id: grades().map(|grade| (grade.as_str(), grade.index())).collect(),
        }),
        max_concurrent_requests: service.connections,
        max_input_length: first
            .and_then(|model| model.members.iter().map(|member| member.max_tokens).max())
            .unwrap_or(0),
        max_batch_tokens: service.engine.config().pack_tokens.get(),
        max_client_batch_size: service.limits.pairs.get(),
        auto_truncate: true,
        tokenization_workers: service.engine.config().tokenizers.get(),
        server,
    })
}

#[derive(Debug, Serialize)]
struct ErrorForm {
    error: String,
    error_type: &'static str,
    message: String,
    detail: String,
}

/// Writes an error as TEI does.
pub(super) async fn error_form(response: Response) -> Response {
    let Some(error) = response.extensions().get::<ApiError>().cloned() else { return response };
    let (status, error_type) = match error.code {
        ErrorCode::EmptyText => (error.status, "Tokenizer"),
        ErrorCode::InvalidRequest => (StatusCode::UNPROCESSABLE_ENTITY, "Validation"),
        ErrorCode::QueueFull | ErrorCode::RateLimited => (error.status, "Overloaded"),
        ErrorCode::Unavailable => (error.status, "Unhealthy"),
        ErrorCode::Internal | ErrorCode::NoAnswer => (StatusCode::FAILED_DEPENDENCY, "Backend"),
        _ => (error.status, "Validation"),
    };
    let message = error.message.clone();
    let form = ErrorForm { error: message.clone(), error_type, detail: message.clone(), message };
    let mut written = (status, Json(form)).into_response();
    if let Some(after) = response.headers().get(axum::http::header::RETRY_AFTER) {
        written.headers_mut().insert(axum::http::header::RETRY_AFTER, after.clone());
    }
    *written.extensions_mut() = response.extensions().clone();
    written
}
