//! All routes together, and what stands before them.

mod docs;
mod native;
mod page;

use crate::dialects;
use crate::error::ApiError;
use crate::http::{Access, Dialect, drain, labelled, observe, require_key, unpack};
use crate::native::ErrorCode;
use crate::service::Service;
use arc_swap::ArcSwap;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Who may use the server, and from where.
#[derive(Debug, Clone, Default)]
pub struct Surface {
    /// Who may ask.
    pub access: Access,
    /// The origins whose pages may ask; none unless listed.
    pub origins: Vec<HeaderValue>,
}

/// The routes of a server.
pub(crate) fn router(
    service: Arc<Service>,
    access: Arc<ArcSwap<Access>>,
    origins: Vec<HeaderValue>,
) -> Router {
    let native = OpenApiRouter::with_openapi(docs::Document::openapi())
        .routes(routes!(native::relevance))
        .routes(routes!(native::consistency))
        .routes(routes!(native::models))
        .routes(routes!(native::model))
        .layer(map_response(labelled(Dialect("native"))));
    // Those who run the server ask these without a key: they say nothing but whether it lives.
    let open = OpenApiRouter::new().routes(routes!(native::health)).routes(routes!(native::ready));
    let (closed, mut document) = native
        .merge(OpenApiRouter::new().routes(routes!(native::metrics)))
        .merge(dialects::routes())
        .route_layer(from_fn_with_state(access, require_key))
        .split_for_parts();
    let (open, of_open) = open.split_for_parts();
    document.merge(of_open);
    docs::complete(&mut document);
    closed
        .merge(open)
        .merge(docs::routes(document))
        .merge(page::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(unpack))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(origins))
        .layer(from_fn_with_state(Arc::clone(&service), observe))
        .layer(from_fn_with_state(Arc::clone(&service), drain))
        .with_state(service)
}

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new().allow_origin(origins).allow_methods([Method::GET, Method::POST]).allow_headers(
        [
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-request-id"),
        ],
    )
}

async fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such page; `/docs` lists them")
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        "the page does not take this method; `/docs` says which",
    )
}

/// The panic itself was reported by the program's hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::internal().into_response()
}
