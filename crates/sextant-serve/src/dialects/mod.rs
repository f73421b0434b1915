//! APIs of known rerankers and classifiers, one file each. Each turns its body into the native request, and the
//! native answer into its own form; nothing else is decided here.
//!
//! All of them take `null` for an absent value and pass over keys that they do not know, since clients send
//! what their newest server understands. All take `task`, which their own APIs lack, and a configured task where
//! it is absent. Documents may be texts or objects.

mod cohere;
mod decision;
mod document;
mod elasticsearch;
mod infinity;
mod jina;
mod mixedbread;
mod openai;
mod pairs;
mod question;
mod ranking;
mod tei;
mod typesafe;
mod unprefixed;
mod vllm;
mod voyage;

use crate::http::{Dialect, labelled};
use crate::service::Service;
use axum::handler::Handler;
use axum::middleware::map_response;
use axum::routing::{self, MethodRouter};
use std::sync::Arc;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Object, Response};
use utoipa_axum::router::OpenApiRouter;

type Routes = OpenApiRouter<Arc<Service>>;

/// The routes of all dialects. Those whose paths are taken by another one have a prefix of their own; the others
/// have one, too, for clients whose base address may be chosen.
pub(crate) fn routes() -> Routes {
    let with_prefix = |prefix: &str, routes: Routes| OpenApiRouter::new().nest(prefix, routes);
    unprefixed::routes()
        .merge(cohere::v2())
        .merge(mixedbread::routes())
        .merge(vllm::scores())
        .merge(tei::others())
        .merge(openai::routes())
        .merge(typesafe::routes())
        .merge(with_prefix("/cohere", cohere::v1().merge(cohere::v2())))
        .merge(with_prefix("/jina", jina::routes()))
        .merge(with_prefix("/voyage", voyage::routes()))
        .merge(with_prefix("/vllm", vllm::routes()))
        .merge(with_prefix("/tei", tei::routes()))
        .merge(with_prefix("/infinity", infinity::routes()))
        .merge(with_prefix("/elasticsearch", elasticsearch::routes()))
}

/// A route of a dialect.
struct Route {
    method: HttpMethod,
    path: &'static str,
    handler: MethodRouter<Arc<Service>>,
}

/// A route that is asked with a body.
fn post<H, T>(path: &'static str, handler: H) -> Route
where
    H: Handler<T, Arc<Service>>,
    T: 'static,
{
    Route { method: HttpMethod::Post, path, handler: routing::post(handler) }
}

/// A route that is asked without a body.
fn get<H, T>(path: &'static str, handler: H) -> Route
where
    H: Handler<T, Arc<Service>>,
    T: 'static,
{
    Route { method: HttpMethod::Get, path, handler: routing::get(handler) }
}

/// Routes of one dialect, whose answers are counted under its name. The OpenAPI document names them, and leaves their
/// forms to those who made them.
fn dialect(name: &'static str, routes: impl IntoIterator<Item = Route>) -> Routes {
    let mut router = OpenApiRouter::new();
    for Route { method, path, handler } in routes {
        let with_body = matches!(method, HttpMethod::Post);
        let operation = OperationBuilder::new()
            .tag("dialects")
            .summary(Some(format!("As {name}")))
            .request_body(with_body.then(|| {
                let any = ContentBuilder::new().schema(Some(Object::new())).build();
                RequestBodyBuilder::new().content("application/json", any).build()
            }))
            .response("200", Response::new("The answer in the dialect's form"))
            .build();
        router = router.route(path, handler);
        router.get_openapi_mut().paths.add_path_operation(path, vec![method], operation);
    }
    router.layer(map_response(labelled(Dialect(name))))
}
