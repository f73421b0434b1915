//! The OpenAPI document, and its rendering at `/docs`, whose assets are inside the program.

use crate::native::ErrorBody;
use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, ResponseBuilder};
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
    components(schemas(ErrorBody)),
)]
pub(super) struct Document;

/// The pages that go without a key.
const OPEN: [&str; 2] = ["/health", "/ready"];

/// Adds what all operations have in common: the keys, of which any one will do, and the errors that what stands before
/// them answers.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let header = ApiKey::Header(ApiKeyValue::new("x-api-key"));
    components.add_security_scheme("x-api-key", SecurityScheme::ApiKey(header));
    for (path, item) in &mut document.paths.paths {
        let open = OPEN.contains(&path.as_str());
        let asked = [item.get.as_mut(), item.post.as_mut()];
        for operation in asked.into_iter().flatten() {
            if !open {
                // A server without keys asks for none, which the empty requirement says.
                operation.security = Some(vec![
                    SecurityRequirement::default(),
                    SecurityRequirement::new("bearer", [""; 0]),
                    SecurityRequirement::new("x-api-key", [""; 0]),
                ]);
                error(
                    operation,
                    "401",
                    "The API key is missing or wrong, where the server has keys",
                );
            }
            if operation.request_body.is_some() {
                for (status, meaning) in OF_BODIES {
                    error(operation, status, meaning);
                }
            }
            error(operation, "405", "The page does not take this method");
        }
    }
}

/// What may be wrong with any request that has a body.
const OF_BODIES: [(&str, &str); 9] = [
    ("400", "The body is not what is expected"),
    ("404", "There is no such model"),
    ("408", "The body did not come in time"),
    ("413", "Too many pairs, bytes or tokens"),
    ("415", "The body is packed in a way that is not understood"),
    ("422", "A text is blank, or the model does not answer the task"),
    ("429", "Busy, or the key's allowance is used up; see `Retry-After`"),
    ("503", "The model cannot be opened, or the server is about to stop"),
    ("504", "Not ready in time"),
];

/// Adds an error that the operation has not described itself.
fn error(operation: &mut Operation, status: &str, meaning: &str) {
    let schema = Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(meaning);
    let response = response.content("application/json", content).build();
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

/// Serves the document at `/openapi.json` and a page that renders it at `/docs`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    document: utoipa::openapi::OpenApi,
) -> Router<S> {
    // Without a validator, which would send the document to another server.
    let config = Config::default().validator_url("none");
    SwaggerUi::new("/docs").url("/openapi.json", document).config(config).into()
}
