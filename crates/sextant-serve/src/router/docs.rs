//! The OpenAPI document, and its rendering at `/docs`, whose assets are inside the program.

use axum::Router;
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// What the document says beside its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sextant",
        description = "One relevance model for six kinds of e-commerce pairs, behind its own API and those of known rerankers.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "native", description = "Sextant's own API"),
        (name = "operations", description = "For those who run the server"),
        (name = "dialects", description = "APIs of known rerankers and classifiers; `docs/serving.md` says which client uses which"),
    ),
)]
pub(super) struct Document;

/// Serves the document at `/openapi.json` and a page that renders it at `/docs`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    document: utoipa::openapi::OpenApi,
) -> Router<S> {
    // Without a validator, which would send the document to another server.
    let config = Config::default().validator_url("none");
    SwaggerUi::new("/docs").url("/openapi.json", document).config(config).into()
}
